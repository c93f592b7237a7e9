//! The label vocabulary (`contract/operations.md` 3.1) and what a set of labels means.

use serde::{Deserialize, Serialize};

use super::issue::IssueState;

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
const AGENT_PREFIX: &str = "agent/";
const PRIORITIES: [&str; 4] = ["priority/p0", "priority/p1", "priority/p2", "priority/p3"];

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

    pub fn into_vec(self) -> Vec<String> {
        self.0
    }

    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|label| label.eq_ignore_ascii_case(wanted))
    }
}

fn starts_with(label: &str, prefix: &str) -> bool {
    label.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The operator's label rules: what is excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Lower case, sorted, no doubles.
    excluded: Vec<String>,
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
        Self { excluded }
    }

    /// Does an issue with these labels stay out of sight?
    pub fn excludes(&self, labels: &[String]) -> bool {
        !self.excluded.is_empty() && labels.iter().any(|label| self.excluded.contains(&label.to_lowercase()))
    }

    /// Names this set of rules; issues derived under another name must be derived anew.
    pub fn key(&self) -> String {
        format!("1:{}", self.excluded.join(","))
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
    fn rules_are_named_by_what_they_say() {
        assert_eq!(Rules::new(["B ", "a", "b", ""]).key(), Rules::new(["A", "B"]).key());
        assert_ne!(Rules::new(["a"]).key(), Rules::default().key());
        assert!(!Rules::default().excludes(&labels(&["a"])));
    }
}
