//! Which issue is whose next task: one list of rules, which the queue serves by and `why` explains by
//! (`contract/agents.md` 3.4, `design.md` section 4).

use std::{fmt, time::Duration};

use super::{
    ids::{AgentName, IssueNumber, RepoId},
    labels::{NO_PRIORITY, Status},
    place::Place,
    time::Timestamp,
};

/// What the rules look at; all of it is kept in columns by whoever writes the issue.
#[expect(clippy::struct_excessive_bools, reason = "facts, each of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub repo: RepoId,
    pub number: IssueNumber,
    /// Why no list shows it; mostly nothing.
    pub hidden: Option<Hidden>,
    pub status: Option<Status>,
    /// `status/done` or `status/blocked` is somewhere among its labels.
    pub rests: bool,
    /// 0 to 3, or [`NO_PRIORITY`].
    pub priority: i64,
    /// The agent of the first `agent/…` label, lower case.
    pub agent: Option<String>,
    /// Who holds it; of a claim that nobody else may take yet.
    pub holder: Option<AgentName>,
    /// The key of its lane.
    pub lane: String,
    /// Nothing is served from its lane.
    pub lane_closed: bool,
    /// Made by an updater of dependencies.
    pub automated: bool,
    pub decomposed: bool,
    pub open_blockers: i64,
    pub created_at: Timestamp,
}

/// Why an issue is in no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    Closed,
    /// Deleted or transferred at GitHub.
    Gone,
    /// By a label of `DISPATCH_EXCLUDED_LABELS`.
    Excluded,
    Untracked,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub agent: AgentName,
    /// The key of the lane asked for.
    pub lane: Option<String>,
    pub exclude_decomposed: bool,
    /// Others' issues too, and all statuses but done, blocked and backlog.
    pub include_claimed: bool,
    pub include_automated: bool,
    /// Only what stands behind it; everything without one.
    pub after: Option<Place>,
}

impl Ask {
    /// Whatever the agent may have, in any lane.
    pub fn of(agent: AgentName) -> Self {
        Self {
            agent,
            lane: None,
            exclude_decomposed: false,
            include_claimed: false,
            include_automated: false,
            after: None,
        }
    }
}

/// Why an issue is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bar {
    Hidden(Hidden),
    Rests(Option<Status>),
    Backlog,
    /// Not ready and not in progress.
    NotReady(Option<Status>),
    Assigned(String),
    Held(AgentName),
    Automated,
    Decomposed,
    Dependencies(i64),
    OtherLane(String),
    ClosedLane(String),
}

impl Bar {
    /// The stable name of the rule.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Hidden(Hidden::Closed) => "closed",
            Self::Hidden(Hidden::Gone) => "gone",
            Self::Hidden(Hidden::Excluded) => "excluded",
            Self::Hidden(Hidden::Untracked) => "untracked",
            Self::Rests(_) => "done_or_blocked",
            Self::Backlog => "backlog",
            Self::NotReady(_) => "not_ready",
            Self::Assigned(_) => "assigned_to_other",
            Self::Held(_) => "claimed_by_other",
            Self::Automated => "automated",
            Self::Decomposed => "decomposed",
            Self::Dependencies(_) => "dependency_blocked",
            Self::OtherLane(_) => "other_lane",
            Self::ClosedLane(_) => "closed_lane",
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |status: &Option<Status>| status.map_or("none", Status::word);
        match self {
            Self::Hidden(Hidden::Closed) => f.write_str("it is closed"),
            Self::Hidden(Hidden::Gone) => {
                f.write_str("it is not at GitHub any more (deleted or transferred)")
            }
            Self::Hidden(Hidden::Excluded) => f.write_str("it carries a label of DISPATCH_EXCLUDED_LABELS"),
            Self::Hidden(Hidden::Untracked) => f.write_str("its repository is not tracked"),
            Self::Rests(status) => {
                write!(f, "its labels say done or blocked (its status reads as {})", word(status))
            }
            Self::Backlog => f.write_str("its status is backlog; label it status/ready"),
            Self::NotReady(status) => {
                write!(f, "its status is {}; only ready and in-progress are served", word(status))
            }
            Self::Assigned(agent) => write!(f, "it carries the label agent/{agent}"),
            Self::Held(agent) => write!(f, "{agent} holds it"),
            Self::Automated => f.write_str("a dependency updater made it; includeRenovate=true serves it"),
            Self::Decomposed => f.write_str("it is decomposed, and exclude_decomposed=true leaves those out"),
            Self::Dependencies(1) => f.write_str("1 open issue blocks it"),
            Self::Dependencies(count) => write!(f, "{count} open issues block it"),
            Self::OtherLane(lane) => write!(f, "its lane is {lane}"),
            Self::ClosedLane(lane) => write!(f, "nothing is served from its lane {lane}"),
        }
    }
}

/// Everything that keeps `issue` from being served to `ask`, in the order of the rules; nothing: it is served.
pub fn bars(issue: &Facts, ask: &Ask) -> Vec<Bar> {
    let mut bars: Vec<Bar> = issue.hidden.map(Bar::Hidden).into_iter().collect();
    let mut bar_if = |is: bool, bar: fn(&Facts) -> Bar| {
        if is {
            bars.push(bar(issue));
        }
    };
    bar_if(issue.rests, |issue| Bar::Rests(issue.status));
    let backlog = issue.status == Some(Status::Backlog);
    bar_if(!issue.rests && backlog, |_| Bar::Backlog);
    let ready = matches!(issue.status, Some(Status::Ready | Status::InProgress));
    bar_if(!issue.rests && !backlog && !ready && !ask.include_claimed, |issue| Bar::NotReady(issue.status));
    let own = ask.agent.key();
    let of_other = issue.agent.as_ref().is_some_and(|agent| *agent != own);
    bar_if(of_other && !ask.include_claimed, |issue| Bar::Assigned(issue.agent.clone().unwrap_or_default()));
    if let Some(holder) = issue.holder.as_ref().filter(|holder| **holder != ask.agent && !ask.include_claimed)
    {
        bars.push(Bar::Held(holder.clone()));
    }
    let mut bar_if = |is: bool, bar: fn(&Facts) -> Bar| {
        if is {
            bars.push(bar(issue));
        }
    };
    bar_if(issue.automated && !ask.include_automated, |_| Bar::Automated);
    bar_if(issue.decomposed && ask.exclude_decomposed, |_| Bar::Decomposed);
    bar_if(issue.open_blockers > 0, |issue| Bar::Dependencies(issue.open_blockers));
    let other_lane = ask.lane.as_ref().is_some_and(|lane| *lane != issue.lane);
    bar_if(other_lane, |issue| Bar::OtherLane(issue.lane.clone()));
    bar_if(ask.lane.is_none() && issue.lane_closed, |issue| Bar::ClosedLane(issue.lane.clone()));
    bars
}

/// How waiting raises an issue (`DISPATCH_QUEUE_AGING_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aging {
    /// Above 0.
    pub days_per_tier: u32,
    pub max_tiers: u32,
}

impl Default for Aging {
    fn default() -> Self {
        Self { days_per_tier: 7, max_tiers: 2 }
    }
}

const DAY: Duration = Duration::from_hours(24);

/// Where an issue stands; the lesser is served first. Ties go to the older issue, then by the repository's id and the number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub score: i64,
    created_at: Timestamp,
    repo: RepoId,
    number: IssueNumber,
}

/// Why an issue stands where it does, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Aged {
    days: i64,
    tiers: i64,
}

fn aged(issue: &Facts, aging: Aging, now: Timestamp) -> Aged {
    let days = i64::try_from(now.since(issue.created_at).as_secs() / DAY.as_secs()).unwrap_or(i64::MAX);
    Aged {
        days,
        tiers: (days / i64::from(aging.days_per_tier.max(1))).min(most_tiers(issue.priority, aging)),
    }
}

/// P0 and p1 never age, and nothing climbs above p1.
fn most_tiers(priority: i64, aging: Aging) -> i64 {
    i64::from(aging.max_tiers).min((priority - 1).max(0))
}

/// How long an issue waits until it is raised by so many tiers.
pub fn days_to(tiers: i64, aging: Aging) -> Duration {
    let days = u32::try_from(tiers).unwrap_or(u32::MAX).saturating_mul(aging.days_per_tier.max(1));
    DAY.saturating_mul(days)
}

/// Issues that only differ in how long they wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    pub priority: i64,
    /// Not the asking agent's.
    pub stranger: bool,
    pub status: Option<Status>,
}

impl Class {
    /// What counts before the time of creation, for those that were raised by so many tiers.
    pub fn score(self, tiers: i64) -> i64 {
        let status = match self.status {
            Some(Status::InProgress) => 0,
            Some(Status::InReview) => 1,
            Some(Status::Ready) => 2,
            Some(Status::Backlog | Status::Blocked | Status::Done) => 3,
            None => 4,
        };
        (self.priority - tiers) * 100 + i64::from(self.stranger) * 10 + status
    }

    pub fn most_tiers(self, aging: Aging) -> i64 {
        most_tiers(self.priority, aging)
    }
}

/// When the issue's age next has a say in its rank, at the earliest.
pub fn ages_at(issue: &Facts, now: Timestamp) -> Timestamp {
    let days = now.since(issue.created_at).as_secs() / DAY.as_secs();
    let days = u32::try_from(days).unwrap_or(u32::MAX).saturating_add(1);
    issue.created_at.plus(DAY.saturating_mul(days))
}

/// May an agent be given it as its next task? All that is served but what rests in a closed lane.
pub const fn is_claimable(issue: &Facts) -> bool {
    !issue.lane_closed && issue.open_blockers == 0 && !matches!(issue.status, Some(Status::Backlog))
}

/// The place of an issue in the queue of `agent`.
pub fn rank(issue: &Facts, agent: &AgentName, aging: Aging, now: Timestamp) -> Rank {
    let stranger = issue.agent.as_deref() != Some(&agent.key());
    let class = Class { priority: issue.priority, stranger, status: issue.status };
    Rank {
        score: class.score(aged(issue, aging, now).tiers),
        created_at: issue.created_at,
        repo: issue.repo.clone(),
        number: issue.number,
    }
}

/// The reasons for its place, in words that clients know.
pub fn ranking_reason(issue: &Facts, agent: &AgentName, aging: Aging, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if issue.priority < NO_PRIORITY {
        parts.push(format!("priority/p{}", issue.priority));
    }
    if issue.agent.as_deref() == Some(&agent.key()) {
        parts.push(format!("agent/{agent}"));
    }
    parts.push(issue.status.map_or("no-status", Status::word).to_owned());
    let Aged { days, tiers } = aged(issue, aging, now);
    if tiers > 0 {
        parts.push(format!("aged {days}d (+{tiers} tier{})", if tiers == 1 { "" } else { "s" }));
    }
    parts.join(", ")
}

/// Was the issue made by an updater of dependencies (`contract/agents.md` 3.4, rule 4)?
pub fn is_automated(title: &str, labels: &[String]) -> bool {
    let title = title.to_lowercase();
    let dashboard = ["dependency dashboard", "renovate dashboard"].iter().any(|words| title.contains(words));
    let update = title.strip_prefix("update ").is_some_and(|rest| {
        let rest = rest.trim_start();
        ["dependency", "image", "dep", "deps"].iter().any(|word| {
            rest.strip_prefix(word).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric()))
        })
    });
    let labelled = labels.iter().any(|label| {
        ["renovate", "dependencies", "automated"].iter().any(|name| label.eq_ignore_ascii_case(name))
    });
    dashboard || update || labelled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue() -> Facts {
        Facts {
            repo: RepoId("r".into()),
            number: IssueNumber(1),
            hidden: None,
            status: Some(Status::Ready),
            rests: false,
            priority: NO_PRIORITY,
            agent: None,
            holder: None,
            lane: "local".into(),
            lane_closed: false,
            automated: false,
            decomposed: false,
            open_blockers: 0,
            created_at: Timestamp(0),
        }
    }

    fn me() -> AgentName {
        "me".parse().unwrap()
    }

    #[test]
    fn each_rule_bars_by_itself() {
        type Edit = fn(&mut Facts);
        let other: fn() -> Option<AgentName> = || "other".parse().ok();
        let cases: [(Edit, &str); 14] = [
            (|_| {}, ""),
            (|i| i.hidden = Some(Hidden::Closed), "closed"),
            (|i| i.rests = true, "done_or_blocked"),
            (|i| i.status = Some(Status::Backlog), "backlog"),
            (|i| i.status = None, "not_ready"),
            (|i| i.status = Some(Status::InReview), "not_ready"),
            (|i| i.status = Some(Status::InProgress), ""),
            (|i| i.agent = Some("other".into()), "assigned_to_other"),
            (|i| i.agent = Some("me".into()), ""),
            (|i| i.automated = true, "automated"),
            (|i| i.decomposed = true, ""),
            (|i| i.open_blockers = 2, "dependency_blocked"),
            (|i| i.lane = "cloud".into(), ""),
            (|i| i.lane_closed = true, "closed_lane"),
        ];
        for (n, (edit, want)) in cases.iter().enumerate() {
            let mut issue = issue();
            edit(&mut issue);
            let codes: Vec<_> = bars(&issue, &Ask::of(me())).iter().map(Bar::code).collect();
            assert_eq!(codes.join(","), *want, "case {n}");
        }
        let held = Facts { holder: other(), ..issue() };
        assert_eq!(bars(&held, &Ask::of(me())), [Bar::Held(other().unwrap())]);
        assert_eq!(bars(&held, &Ask::of(other().unwrap())), []);
    }

    #[test]
    fn what_is_asked_for_changes_the_rules() {
        let others = Facts {
            agent: Some("other".into()),
            holder: "other".parse().ok(),
            status: Some(Status::InReview),
            ..issue()
        };
        let wide = Ask { include_claimed: true, ..Ask::of(me()) };
        assert_eq!(bars(&others, &wide), []);
        assert_eq!(bars(&Facts { status: None, ..issue() }, &wide), []);
        assert_eq!(bars(&Facts { status: Some(Status::Backlog), ..issue() }, &wide), [Bar::Backlog]);
        let whole = Ask { exclude_decomposed: true, ..Ask::of(me()) };
        assert_eq!(bars(&Facts { decomposed: true, ..issue() }, &whole), [Bar::Decomposed]);
        let renovate = Ask { include_automated: true, ..Ask::of(me()) };
        assert_eq!(bars(&Facts { automated: true, ..issue() }, &renovate), []);
        let cloud = Ask { lane: Some("cloud".into()), ..Ask::of(me()) };
        assert_eq!(bars(&issue(), &cloud), [Bar::OtherLane("local".into())]);
    }

    #[test]
    fn every_reason_is_told_at_once() {
        let bad = Facts { rests: true, open_blockers: 1, automated: true, ..issue() };
        let texts: Vec<String> = bars(&bad, &Ask::of(me())).iter().map(Bar::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts.iter().any(|text| text == "1 open issue blocks it"));
    }

    #[test]
    fn priority_counts_before_the_agent_and_the_agent_before_the_status() {
        let at = |priority: i64, agent: Option<&str>, status| {
            let issue = Facts { priority, agent: agent.map(str::to_owned), status, ..issue() };
            rank(&issue, &me(), Aging::default(), Timestamp(0)).score
        };
        assert_eq!(at(0, Some("me"), Some(Status::InProgress)), 0);
        assert_eq!(at(1, Some("me"), Some(Status::Ready)), 102);
        assert_eq!(at(1, None, Some(Status::InReview)), 111);
        assert_eq!(at(NO_PRIORITY, None, None), 414);
        assert!(at(0, None, None) < at(1, Some("me"), Some(Status::InProgress)));
    }

    #[test]
    fn waiting_raises_low_priorities_up_to_p1() {
        let after = |days: u64| Timestamp(0).plus(DAY * u32::try_from(days).unwrap());
        let aging = Aging::default();
        let reason =
            |priority, days| ranking_reason(&Facts { priority, ..issue() }, &me(), aging, after(days));
        let score =
            |priority, days| rank(&Facts { priority, ..issue() }, &me(), aging, after(days)).score / 100;
        assert_eq!([score(4, 6), score(4, 7), score(4, 14), score(4, 700)], [4, 3, 2, 2]);
        assert_eq!([score(2, 7), score(2, 700), score(3, 700)], [1, 1, 1]);
        assert_eq!([score(0, 700), score(1, 700)], [0, 1]);
        assert_eq!(reason(3, 15), "priority/p3, ready, aged 15d (+2 tiers)");
        assert_eq!(reason(2, 15), "priority/p2, ready, aged 15d (+1 tier)");
        assert_eq!(reason(4, 1), "ready");
        let never = Aging { max_tiers: 0, ..aging };
        assert_eq!(rank(&issue(), &me(), never, after(700)).score, 412);
    }

    #[test]
    fn ties_have_one_order() {
        let now = Timestamp(0).plus(DAY);
        let place = |created: i64, repo: &str, number: i64| {
            let issue = Facts {
                created_at: Timestamp(created),
                repo: RepoId(repo.into()),
                number: IssueNumber(number),
                ..issue()
            };
            rank(&issue, &me(), Aging::default(), now)
        };
        let mut ranks = [place(5, "b", 1), place(5, "a", 2), place(5, "a", 1), place(4, "z", 9)];
        ranks.sort();
        assert_eq!(ranks, [place(4, "z", 9), place(5, "a", 1), place(5, "a", 2), place(5, "b", 1)]);
    }

    #[test]
    fn updaters_are_known_by_title_and_label() {
        let cases: [(&str, &[&str], bool); 10] = [
            ("Dependency Dashboard", &[], true),
            ("The Renovate dashboard", &[], true),
            ("Update dependency serde to v2", &[], true),
            ("update image postgres", &[], true),
            ("Update deps", &[], true),
            ("Update dep x", &[], true),
            ("Update departments page", &[], false),
            ("Updated dependency list", &[], false),
            ("Fix", &["Renovate"], true),
            ("Fix", &["automation"], false),
        ];
        for (title, labels, want) in cases {
            let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
            assert_eq!(is_automated(title, &labels), want, "{title} {labels:?}");
        }
    }
}
