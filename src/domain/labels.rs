//! The label vocabulary (`contract/operations.md` 3.1) and what a set of labels means.

use serde::{Deserialize, Serialize};

use super::{ids::AgentName, issue::IssueState, lane::Lanes};

/// A board column, from a `status/…` label. The order is the board's and, with several labels, the first wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Backlog,
    Ready,
    InProgress,
    InReview,
    Blocked,
    Done,
}

impl Status {
    /// Board order, which is also the order of precedence.
    pub const ALL: [Self; 6] =
        [Self::Backlog, Self::Ready, Self::InProgress, Self::InReview, Self::Blocked, Self::Done];

    /// The status without its prefix.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Ready => "ready",
            Self::InProgress => "in-progress",
            Self::InReview => "in-review",
            Self::Blocked => "blocked",
            Self::Done => "done",
        }
    }

    /// The title of its column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Backlog => "Backlog",
            Self::Ready => "Ready",
            Self::InProgress => "In Progress",
            Self::InReview => "In Review",
            Self::Blocked => "Blocked",
            Self::Done => "Done",
        }
    }

    /// The label that says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Backlog => "status/backlog",
            Self::Ready => "status/ready",
            Self::InProgress => "status/in-progress",
            Self::InReview => "status/in-review",
            Self::Blocked => "status/blocked",
            Self::Done => "status/done",
        }
    }
}

/// The priority of an issue that has no priority label.
pub const NO_PRIORITY: i64 = 4;

const STATUS_PREFIX: &str = "status/";
/// What the label of an agent begins with.
pub const AGENT_PREFIX: &str = "agent/";
/// What the label of a person begins with who answers for an issue.
pub const OWNER_PREFIX: &str = "owner/";
/// What the label of a project begins with.
pub const PROJECT_PREFIX: &str = "project/";
/// The longest name of a label that GitHub takes, in characters.
pub const LABEL_MAX: usize = 50;
const PRIORITIES: [&str; 4] = ["priority/p0", "priority/p1", "priority/p2", "priority/p3"];

/// The label of a priority, 0 to 3.
pub fn priority_label(priority: i64) -> Option<&'static str> {
    usize::try_from(priority).ok().and_then(|at| PRIORITIES.get(at)).copied()
}

/// A set of labels as GitHub spells them. GitHub compares names without case, and so do all questions here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(Vec<String>);

impl Labels {
    /// What Dispatch shows of GitHub's labels: a closed issue is done, whatever its labels say.
    pub fn shown(state: IssueState, labels: &[String]) -> Self {
        let mut shown = labels.to_vec();
        if state == IssueState::Closed {
            shown.retain(|label| !starts_with(label, STATUS_PREFIX));
            shown.push(Status::Done.label().to_owned());
        }
        Self(shown)
    }

    /// The first status in board order; an unknown `status/…` is none.
    pub fn status(&self) -> Option<Status> {
        Status::ALL.into_iter().find(|status| self.has(status.label()))
    }

    /// 0 to 3, or [`NO_PRIORITY`].
    pub fn priority(&self) -> i64 {
        let found = PRIORITIES.iter().position(|label| self.has(label));
        found.and_then(|at| i64::try_from(at).ok()).unwrap_or(NO_PRIORITY)
    }

    /// The name in the first `agent/…` label.
    pub fn agent(&self) -> Option<&str> {
        self.0
            .iter()
            .filter(|label| starts_with(label, AGENT_PREFIX))
            .find_map(|label| label.get(AGENT_PREFIX.len()..))
    }

    /// Does it say anywhere that there is nothing to do?
    pub fn rests(&self) -> bool {
        self.has(Status::Done.label()) || self.has(Status::Blocked.label())
    }

    /// Is the agent's label among them?
    pub fn names(&self, agent: &AgentName) -> bool {
        self.has(&agent_label(agent))
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    pub fn into_vec(self) -> Vec<String> {
        self.0
    }

    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|label| label.eq_ignore_ascii_case(wanted))
    }
}

/// The label that says that an issue is this agent's.
pub fn agent_label(agent: &AgentName) -> String {
    format!("{AGENT_PREFIX}{agent}")
}

/// One label that Dispatch wants there or gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEdit {
    pub label: String,
    pub wanted: bool,
}

impl LabelEdit {
    pub fn add(label: impl Into<String>) -> Self {
        Self { label: label.into(), wanted: true }
    }

    pub fn remove(label: impl Into<String>) -> Self {
        Self { label: label.into(), wanted: false }
    }

    /// What two spellings of one label have in common.
    pub fn key(&self) -> String {
        self.label.to_lowercase()
    }

    /// For lists and the audit log.
    pub fn in_words(&self) -> String {
        let verb = if self.wanted { "add" } else { "remove" };
        format!("{verb} the label {}", self.label)
    }
}

/// What GitHub said with our own edits on top. The order of GitHub's labels stays; what is added comes last.
pub fn overlaid<'e>(github: &[String], edits: impl IntoIterator<Item = &'e LabelEdit>) -> Vec<String> {
    let mut labels = github.to_vec();
    for edit in edits {
        let there = labels.iter().any(|label| label.to_lowercase() == edit.key());
        if !edit.wanted {
            labels.retain(|label| label.to_lowercase() != edit.key());
        } else if !there {
            labels.push(edit.label.clone());
        }
    }
    labels
}

/// The edits that make an issue with these labels the agent's, and in progress.
pub fn claim_edits(labels: &[String], agent: &AgentName) -> Vec<LabelEdit> {
    let mut edits = assign_edits(labels, agent);
    edits.extend(only(labels, STATUS_PREFIX, Status::InProgress.label()));
    edits
}

/// The edits that make an issue with these labels the agent's, whatever its status.
pub fn assign_edits(labels: &[String], agent: &AgentName) -> Vec<LabelEdit> {
    only(labels, AGENT_PREFIX, &agent_label(agent))
}

/// The edits that make the owner's label the only one of an owner; it is a whole label.
pub fn owner_edits(labels: &[String], label: &str) -> Vec<LabelEdit> {
    only(labels, OWNER_PREFIX, label)
}

/// The labels of a family.
pub fn family<'l>(labels: &'l [String], prefix: &str) -> impl Iterator<Item = &'l String> {
    labels.iter().filter(move |label| starts_with(label, prefix))
}

/// The first status label, and the status that it names, if it names one.
pub fn first_status(labels: &[String]) -> Option<(&str, Option<Status>)> {
    let label = family(labels, STATUS_PREFIX).next()?;
    Some((label, Status::ALL.into_iter().find(|status| status.label().eq_ignore_ascii_case(label))))
}

/// The edit that makes a label be there or be gone; none where that is so.
pub fn edit_where_needed(labels: &[String], edit: &LabelEdit) -> Option<LabelEdit> {
    let there = labels.iter().find(|label| label.to_lowercase() == edit.key());
    match there {
        Some(spelled) if !edit.wanted => Some(LabelEdit::remove(spelled)),
        None if edit.wanted => Some(edit.clone()),
        _ => None,
    }
}

/// The edits that make `status` the only status.
pub fn status_edits(labels: &[String], status: Status) -> Vec<LabelEdit> {
    only(labels, STATUS_PREFIX, status.label())
}

/// The edits that take an issue back from an agent: its label goes, and what was in progress is ready.
pub fn recovery_edits(labels: &[String], status: Option<Status>, agent: &AgentName) -> Vec<LabelEdit> {
    let mut edits = vec![LabelEdit::remove(agent_label(agent))];
    edits.retain(|edit| labels.iter().any(|label| label.eq_ignore_ascii_case(&edit.label)));
    if status == Some(Status::InProgress) {
        edits.extend(status_edits(labels, Status::Ready));
    }
    edits
}

/// Removes all labels with this prefix but `wanted`, which is added where it is missing.
fn only(labels: &[String], prefix: &str, wanted: &str) -> Vec<LabelEdit> {
    let (kept, gone): (Vec<_>, Vec<_>) =
        family(labels, prefix).partition(|label| label.eq_ignore_ascii_case(wanted));
    let mut edits: Vec<LabelEdit> = gone.into_iter().map(LabelEdit::remove).collect();
    if kept.is_empty() {
        edits.push(LabelEdit::add(wanted));
    }
    edits
}

fn starts_with(label: &str, prefix: &str) -> bool {
    label.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The operator's rules about issues: what is excluded, and which lanes there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Lower case, sorted, no doubles.
    excluded: Vec<String>,
    lanes: Lanes,
}

impl Rules {
    pub fn new<T: AsRef<str>>(excluded: impl IntoIterator<Item = T>) -> Self {
        let mut excluded: Vec<String> = excluded
            .into_iter()
            .map(|label| label.as_ref().trim().to_lowercase())
            .filter(|label| !label.is_empty())
            .collect();
        excluded.sort_unstable();
        excluded.dedup();
        Self { excluded, lanes: Lanes::default() }
    }

    pub fn with_lanes(self, lanes: Lanes) -> Self {
        Self { lanes, ..self }
    }

    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Does an issue with these labels stay out of sight?
    pub fn excludes(&self, labels: &[String]) -> bool {
        !self.excluded.is_empty() && labels.iter().any(|label| self.excluded.contains(&label.to_lowercase()))
    }

    /// Names this set of rules; issues derived under another name must be derived anew.
    pub fn key(&self) -> String {
        format!("3:{}|{}", self.excluded.join(","), self.lanes.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_first_status_in_board_order_wins() {
        let cases: [(&[&str], Option<Status>); 6] = [
            (&[], None),
            (&["status/unknown"], None),
            (&["status/done", "status/ready"], Some(Status::Ready)),
            (&["STATUS/In-Review"], Some(Status::InReview)),
            (&["bug", "status/blocked"], Some(Status::Blocked)),
            (&["statusready"], None),
        ];
        for (names, want) in cases {
            assert_eq!(Labels::shown(IssueState::Open, &labels(names)).status(), want, "{names:?}");
        }
    }

    #[test]
    fn closed_means_done_and_keeps_the_rest() {
        let shown = Labels::shown(IssueState::Closed, &labels(&["status/ready", "bug", "Status/Blocked"]));
        assert_eq!(shown.status(), Some(Status::Done));
        assert_eq!(shown.into_vec(), ["bug", "status/done"]);
    }

    #[test]
    fn priority_and_agent() {
        let shown =
            Labels::shown(IssueState::Open, &labels(&["priority/P2", "priority/p1", "agent/A", "agent/b"]));
        assert_eq!((shown.priority(), shown.agent()), (1, Some("A")));
        let none = Labels::shown(IssueState::Open, &labels(&["agent", "priority/p9"]));
        assert_eq!((none.priority(), none.agent()), (NO_PRIORITY, None));
    }

    #[test]
    fn edits_lie_over_what_github_said() {
        let github = labels(&["bug", "Status/Ready", "agent/a"]);
        let edits = [
            LabelEdit::remove("status/ready"),
            LabelEdit::add("status/in-progress"),
            LabelEdit::add("BUG"),
            LabelEdit::remove("absent"),
        ];
        assert_eq!(overlaid(&github, &edits), ["bug", "agent/a", "status/in-progress"]);
        assert_eq!(overlaid(&github, &[]), github);
    }

    #[test]
    fn a_claim_leaves_one_agent_and_one_status() {
        let agent: AgentName = "Me".parse().unwrap();
        let cases: [(&[&str], &[&str]); 4] = [
            (&["bug", "status/ready"], &["bug", "agent/Me", "status/in-progress"]),
            (
                &["agent/x", "status/blocked", "status/done", "bug"],
                &["bug", "agent/Me", "status/in-progress"],
            ),
            (&["AGENT/me", "Status/In-Progress"], &["AGENT/me", "Status/In-Progress"]),
            (&[], &["agent/Me", "status/in-progress"]),
        ];
        for (before, after) in cases {
            let before = labels(before);
            let edits = claim_edits(&before, &agent);
            assert_eq!(overlaid(&before, &edits), after, "{before:?}");
            assert_eq!(claim_edits(&overlaid(&before, &edits), &agent), [], "nothing more to do");
        }
    }

    #[test]
    fn one_of_a_family_stays() {
        let before = labels(&["Owner/Ann", "bug", "owner/Bob"]);
        assert_eq!(overlaid(&before, &owner_edits(&before, "owner/bob")), ["bug", "owner/Bob"]);
        assert_eq!(overlaid(&before, &owner_edits(&before, "owner/cy")), ["bug", "owner/cy"]);
        assert_eq!(
            first_status(&labels(&["bug", "Status/Ready", "status/x"])),
            Some(("Status/Ready", Some(Status::Ready)))
        );
        assert_eq!(first_status(&labels(&["status/x"])), Some(("status/x", None)));
        assert_eq!(first_status(&before), None);
    }

    #[test]
    fn only_what_is_not_so_yet_is_edited() {
        let there = labels(&["Bug"]);
        assert_eq!(edit_where_needed(&there, &LabelEdit::add("bug")), None);
        assert_eq!(edit_where_needed(&there, &LabelEdit::remove("bug")), Some(LabelEdit::remove("Bug")));
        assert_eq!(edit_where_needed(&there, &LabelEdit::add("x")), Some(LabelEdit::add("x")));
        assert_eq!(edit_where_needed(&there, &LabelEdit::remove("x")), None);
    }

    #[test]
    fn taking_back_leaves_other_statuses() {
        let agent: AgentName = "me".parse().unwrap();
        let back = |names: &[&str]| {
            let before = labels(names);
            let status = Labels::shown(IssueState::Open, &before).status();
            overlaid(&before, &recovery_edits(&before, status, &agent))
        };
        assert_eq!(back(&["agent/ME", "status/in-progress", "bug"]), ["bug", "status/ready"]);
        assert_eq!(back(&["agent/me", "status/in-review"]), ["status/in-review"]);
        assert_eq!(back(&["agent/other", "status/blocked"]), ["agent/other", "status/blocked"]);
    }

    #[test]
    fn rests_wherever_it_is_said() {
        let rests = |names: &[&str]| Labels::shown(IssueState::Open, &labels(names)).rests();
        assert!(rests(&["status/ready", "Status/Done"]) && rests(&["status/blocked"]));
        assert!(!rests(&["status/ready", "done"]));
        assert!(Labels::shown(IssueState::Closed, &[]).rests());
    }

    #[test]
    fn rules_are_named_by_what_they_say() {
        assert_eq!(Rules::new(["B ", "a", "b", ""]).key(), Rules::new(["A", "B"]).key());
        assert_ne!(Rules::new(["a"]).key(), Rules::default().key());
        assert!(!Rules::default().excludes(&labels(&["a"])));
    }
}
