//! Lanes: named queues that issues are sorted into (`contract/agents.md` section 8).

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::labels::Status;

/// What a lane is for, besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneRole {
    /// Issues without a lane belong here.
    Default,
    /// Issues that ordinary agents gave up on.
    Escalation,
}

/// A configured lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    pub id: String,
    pub title: String,
    /// Agents are served from it.
    pub claimable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<LaneRole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_agent: Option<String>,
}

impl Lane {
    /// What two spellings of one id have in common.
    pub fn key(&self) -> String {
        self.id.to_lowercase()
    }
}

/// The lanes of this installation: at least one of them is claimable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lanes {
    lanes: Vec<Lane>,
    /// From a former id, lower case, to the place of the lane that took over.
    aliases: BTreeMap<String, usize>,
}

/// Why a lane configuration is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LanesFault {
    #[error("it is not the JSON object {{\"lanes\":[…],\"laneAliases\":{{…}}}}: {0}")]
    Form(String),
    #[error("it has no lanes")]
    Empty,
    #[error("a lane has an empty id")]
    EmptyId,
    #[error("the lane \"{0}\" has an empty title")]
    EmptyTitle(String),
    #[error("the id \"{0}\" is used twice")]
    Double(String),
    #[error("no lane is claimable")]
    NothingClaimable,
    #[error("the alias \"{alias}\" leads to \"{target}\", which is no lane")]
    AliasTarget { alias: String, target: String },
}

/// Where an issue belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'l> {
    Lane(&'l Lane),
    /// A lane that is configured no more: the issue stays visible without a filter.
    Unknown(&'l str),
}

/// As it stands in the configuration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    lanes: Vec<Lane>,
    #[serde(default)]
    lane_aliases: BTreeMap<String, String>,
}

impl FromStr for Lanes {
    type Err = LanesFault;

    fn from_str(text: &str) -> Result<Self, LanesFault> {
        let written: Written =
            serde_json::from_str(text).map_err(|error| LanesFault::Form(error.to_string()))?;
        Self::new(written.lanes, written.lane_aliases)
    }
}

impl Default for Lanes {
    /// The lanes of an installation that configures none.
    fn default() -> Self {
        let lane = |id: &str, title: &str, claimable: bool, role: Option<LaneRole>| Lane {
            id: id.to_owned(),
            title: title.to_owned(),
            claimable,
            role,
            description: None,
            color: None,
            default_agent: None,
        };
        let lanes = vec![
            lane("local", "Local", true, Some(LaneRole::Default)),
            lane("cloud", "Cloud", true, None),
            lane("frontier", "Frontier", true, Some(LaneRole::Escalation)),
            lane("backlog", "Backlog", false, None),
        ];
        let aliases = [("normal", 0), ("escalated", 2), ("gpt", 2)];
        Self { lanes, aliases: aliases.map(|(alias, at)| (alias.to_owned(), at)).into() }
    }
}

impl Lanes {
    fn new(lanes: Vec<Lane>, written_aliases: BTreeMap<String, String>) -> Result<Self, LanesFault> {
        if lanes.is_empty() {
            return Err(LanesFault::Empty);
        }
        let mut keys = Vec::with_capacity(lanes.len());
        for lane in &lanes {
            if lane.id.trim().is_empty() {
                return Err(LanesFault::EmptyId);
            }
            if lane.title.trim().is_empty() {
                return Err(LanesFault::EmptyTitle(lane.id.clone()));
            }
            if keys.contains(&lane.key()) {
                return Err(LanesFault::Double(lane.id.clone()));
            }
            keys.push(lane.key());
        }
        if !lanes.iter().any(|lane| lane.claimable) {
            return Err(LanesFault::NothingClaimable);
        }
        let mut aliases = BTreeMap::new();
        for (alias, target) in written_aliases {
            let at = keys.iter().position(|key| *key == target.to_lowercase());
            let at = at.ok_or(LanesFault::AliasTarget { alias: alias.clone(), target })?;
            aliases.insert(alias.to_lowercase(), at);
        }
        Ok(Self { lanes, aliases })
    }

    pub fn all(&self) -> &[Lane] {
        &self.lanes
    }

    /// A lane by its id alone.
    pub fn by_id(&self, id: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.key() == id.to_lowercase())
    }

    /// A lane by its id or a former one.
    pub fn find(&self, name: &str) -> Option<&Lane> {
        self.by_id(name).or_else(|| self.aliases.get(&name.to_lowercase()).and_then(|&at| self.lanes.get(at)))
    }

    /// Where an issue with this stored lane belongs; without one, in the default lane.
    pub fn place<'l>(&'l self, stored: Option<&'l str>) -> Place<'l> {
        match stored.map(str::trim).filter(|name| !name.is_empty()) {
            None => Place::Lane(self.default_lane()),
            Some(name) => self.find(name).map_or(Place::Unknown(name), Place::Lane),
        }
    }

    /// Where issues without a lane belong.
    pub fn default_lane(&self) -> &Lane {
        self.with_role(LaneRole::Default)
            .or_else(|| self.lanes.iter().find(|lane| lane.claimable))
            .unwrap_or(&self.lanes[0])
    }

    /// Where issues go that need more than the default lane's agents.
    pub fn escalation_lane(&self) -> &Lane {
        self.with_role(LaneRole::Escalation).unwrap_or_else(|| self.default_lane())
    }

    /// Where issues rest; the default lane when all lanes are claimable.
    pub fn backlog_lane(&self) -> &Lane {
        self.lanes.iter().find(|lane| !lane.claimable).unwrap_or_else(|| self.default_lane())
    }

    fn with_role(&self, role: LaneRole) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.claimable && lane.role == Some(role))
    }

    /// The ids, as refusals list them.
    pub fn ids(&self) -> String {
        self.lanes.iter().map(|lane| lane.id.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Names what these lanes mean for cached issues: other lanes, other columns.
    pub fn digest(&self) -> String {
        let lanes = self.lanes.iter().map(|lane| format!("{}:{}", lane.key(), u8::from(lane.claimable)));
        let aliases = self.aliases.iter().map(|(alias, at)| format!("{alias}>{at}"));
        format!("{};{}", self.default_lane().key(), lanes.chain(aliases).collect::<Vec<_>>().join(","))
    }
}

impl Place<'_> {
    /// The lane's key; that of an unknown lane is its name in lower case.
    pub fn key(&self) -> String {
        match self {
            Self::Lane(lane) => lane.key(),
            Self::Unknown(name) => name.to_lowercase(),
        }
    }

    /// Is nothing served from it?
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Lane(lane) if !lane.claimable)
    }
}

/// How sure a classification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    High,
    Medium,
    Low,
}

impl FromStr for Confidence {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "high" => Ok(Self::High),
            "medium" => Ok(Self::Medium),
            "low" => Ok(Self::Low),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        })
    }
}

/// A lane with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification {
    pub lane: String,
    pub confidence: Confidence,
    pub reason: String,
}

/// Words of work that wants thought before hands.
const LARGE: [&str; 11] = [
    "architecture",
    "design doc",
    "rfc",
    "alternatives",
    "migration strategy",
    "cross-service",
    "distributed system",
    "audit parent",
    "parent issue",
    "umbrella",
    "decomposition",
];

/// Sorts an issue by rule, without a model (`contract/agents.md` 8.2). Priority, origin and labels that ask for
/// escalation do not count.
pub fn classify(lanes: &Lanes, title: &str, body: Option<&str>, labels: &[String]) -> Classification {
    let rests = |label: &String| {
        label.eq_ignore_ascii_case(Status::Backlog.label()) || label.eq_ignore_ascii_case("type/research")
    };
    if let Some(label) = labels.iter().find(|label| rests(label)) {
        let lane = lanes.backlog_lane().id.clone();
        return Classification { lane, confidence: Confidence::High, reason: format!("labelled {label}") };
    }
    let text = format!("{title}\n{}", body.unwrap_or_default()).to_lowercase();
    let (lane, reason) = match LARGE.iter().find(|words| text.contains(*words)) {
        Some(words) => (lanes.escalation_lane(), format!("its text speaks of \"{words}\"")),
        None => (lanes.default_lane(), "nothing asks for another lane".to_owned()),
    };
    Classification { lane: lane.id.clone(), confidence: Confidence::Medium, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lanes_without_configuration() {
        let lanes = Lanes::default();
        assert_eq!(lanes.ids(), "local, cloud, frontier, backlog");
        let special = [lanes.default_lane(), lanes.escalation_lane(), lanes.backlog_lane()];
        assert_eq!(special.map(|lane| lane.id.as_str()), ["local", "frontier", "backlog"]);
        for (name, id) in
            [("normal", "local"), ("Escalated", "frontier"), ("GPT", "frontier"), ("LOCAL", "local")]
        {
            assert_eq!(lanes.find(name).map(|lane| lane.id.as_str()), Some(id), "{name}");
        }
        assert!(lanes.find("nowhere").is_none() && lanes.by_id("normal").is_none());
    }

    #[test]
    fn issues_have_their_place() {
        let lanes = Lanes::default();
        let key = |stored| lanes.place(stored).key();
        assert_eq!(
            (key(None), key(Some(" ")), key(Some("normal"))),
            ("local".into(), "local".into(), "local".into())
        );
        assert_eq!(lanes.place(Some("Old")), Place::Unknown("Old"));
        assert!(lanes.place(Some("backlog")).is_closed() && !lanes.place(Some("Old")).is_closed());
    }

    #[test]
    fn roles_need_not_be_there() {
        let text = r#"{"lanes":[{"id":"Rest","title":"R","claimable":false},{"id":"Go","title":"G","claimable":true}],
            "laneAliases":{"OLD":"go"}}"#;
        let lanes: Lanes = text.parse().unwrap();
        let special = [lanes.default_lane(), lanes.escalation_lane(), lanes.backlog_lane()];
        assert_eq!(special.map(|lane| lane.id.as_str()), ["Go", "Go", "Rest"]);
        assert_eq!(lanes.find("old").map(|lane| lane.id.as_str()), Some("Go"));
    }

    #[test]
    fn what_is_refused() {
        let lane = |id: &str, title: &str, claimable: &str| {
            format!(r#"{{"id":"{id}","title":"{title}","claimable":{claimable}}}"#)
        };
        let config = |lanes: &[String], aliases: &str| {
            format!(r#"{{"lanes":[{}],"laneAliases":{{{aliases}}}}}"#, lanes.join(","))
        };
        let good = lane("a", "A", "true");
        let cases = [
            (config(&[], ""), LanesFault::Empty),
            (config(&[lane("", "A", "true")], ""), LanesFault::EmptyId),
            (config(&[lane("a", " ", "true")], ""), LanesFault::EmptyTitle("a".into())),
            (config(&[good.clone(), lane("A", "B", "true")], ""), LanesFault::Double("A".into())),
            (config(&[lane("a", "A", "false")], ""), LanesFault::NothingClaimable),
            (
                config(std::slice::from_ref(&good), r#""x":"y""#),
                LanesFault::AliasTarget { alias: "x".into(), target: "y".into() },
            ),
        ];
        for (text, fault) in cases {
            assert_eq!(text.parse::<Lanes>().unwrap_err(), fault, "{text}");
        }
        for text in ["", "[]", r#"{"lanes":1}"#, &config(&[lane("a", "A", "\"yes\"")], "")] {
            assert!(matches!(text.parse::<Lanes>(), Err(LanesFault::Form(_))), "{text}");
        }
        assert!(config(&[good], "").parse::<Lanes>().is_ok());
    }

    #[test]
    fn classification_goes_by_rule() {
        let lanes = Lanes::default();
        let cases: [(&str, &str, &[&str], &str, Confidence); 8] = [
            ("Fix a typo", "", &[], "local", Confidence::Medium),
            ("Fix", "see the RFC", &[], "frontier", Confidence::Medium),
            ("Umbrella: storage", "", &["priority/p1"], "frontier", Confidence::Medium),
            ("Architecture", "", &["Status/Backlog"], "backlog", Confidence::High),
            ("Look into it", "", &["type/research"], "backlog", Confidence::High),
            ("Urgent", "", &["priority/p1", "needs-escalation", "escalated"], "local", Confidence::Medium),
            ("Split", "A Migration Strategy is needed", &[], "frontier", Confidence::Medium),
            ("", "", &[], "local", Confidence::Medium),
        ];
        for (title, body, labels, lane, confidence) in cases {
            let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
            let got = classify(&lanes, title, Some(body), &labels);
            assert_eq!((got.lane.as_str(), got.confidence), (lane, confidence), "{title} {body}");
            assert!(!got.reason.is_empty());
        }
    }

    #[test]
    fn other_lanes_have_another_digest() {
        let one: Lanes = r#"{"lanes":[{"id":"a","title":"A","claimable":true}]}"#.parse().unwrap();
        assert_ne!(one.digest(), Lanes::default().digest());
        assert_eq!(Lanes::default().digest(), Lanes::default().digest());
    }
}
