//! Issues and pull requests as GitHub describes them, and what the cache keeps of them.

use serde::{Deserialize, Serialize};

use super::{
    digest::{hex, sha256},
    ids::{IssueId, IssueNumber, RepoId},
    labels::{Labels, Rules, Status},
    repo::RepoName,
    time::Timestamp,
};

/// Whether GitHub has the issue open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    Open,
    Closed,
}

/// An issue as one answer of GitHub showed it.
/// Source: docs.github.com/rest/issues/issues, "List repository issues".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteIssue {
    pub github_id: i64,
    pub number: IssueNumber,
    pub title: String,
    pub body: Option<String>,
    pub state: IssueState,
    pub url: String,
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub comments: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
}

/// A pull request as the issue list shows it (the `pull_request` key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePull {
    pub number: IssueNumber,
    pub title: String,
    pub state: IssueState,
    pub url: String,
    pub author: Option<String>,
    pub draft: bool,
    pub merged_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
}

/// One entry of the issue list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteItem {
    Issue(RemoteIssue),
    Pull(RemotePull),
}

impl RemoteItem {
    pub fn number(&self) -> IssueNumber {
        match self {
            Self::Issue(issue) => issue.number,
            Self::Pull(pull) => pull.number,
        }
    }

    pub fn updated_at(&self) -> Timestamp {
        match self {
            Self::Issue(issue) => issue.updated_at,
            Self::Pull(pull) => pull.updated_at,
        }
    }
}

impl RemoteIssue {
    /// What counts as a change: title, body, state, labels, assignees, comment count (and where it lives).
    /// A bare `updated_at` is none. 128 bits of SHA-256, hexadecimal.
    pub fn content_hash(&self) -> String {
        let mut labels = self.labels.clone();
        labels.sort_unstable();
        let mut assignees = self.assignees.clone();
        assignees.sort_unstable();
        hash_of(&(
            &self.title,
            &self.body,
            self.state,
            labels,
            assignees,
            self.comments,
            self.closed_at,
            &self.url,
        ))
    }

    /// The columns that the cache derives from what GitHub said.
    pub fn derive(&self, rules: &Rules) -> Derived {
        Derived::of(self.state, &self.labels, rules)
    }
}

impl RemotePull {
    /// As [`RemoteIssue::content_hash`].
    pub fn content_hash(&self) -> String {
        hash_of(&(
            &self.title,
            self.state,
            &self.url,
            &self.author,
            self.draft,
            self.merged_at,
            self.closed_at,
        ))
    }
}

fn hash_of(content: &impl Serialize) -> String {
    let text = serde_json::to_vec(content).unwrap_or_default();
    hex(&sha256(text)[..16])
}

/// Columns computed from labels and state by [`Rules`]; kept in the database so that lists need no parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The labels that Dispatch shows: GitHub's, with `status/done` alone of the statuses once closed.
    pub labels: Vec<String>,
    pub status: Option<Status>,
    /// 0 to 3 for `priority/p0` to `p3`; 4 without one.
    pub priority: i64,
    /// The agent of the first `agent/…` label, lower case.
    pub agent: Option<String>,
    /// Carries a label of `DISPATCH_EXCLUDED_LABELS`: stored, shown nowhere.
    pub excluded: bool,
}

impl Derived {
    pub fn of(state: IssueState, labels: &[String], rules: &Rules) -> Self {
        let shown = Labels::shown(state, labels);
        Self {
            status: shown.status(),
            priority: shown.priority(),
            agent: shown.agent().map(str::to_ascii_lowercase),
            excluded: rules.excludes(labels),
            labels: shown.into_vec(),
        }
    }
}

/// A cached issue, as lists and pages read it.
#[derive(Clone, Debug)]
pub struct Issue {
    pub id: IssueId,
    pub repo_id: RepoId,
    pub repo: RepoName,
    pub number: IssueNumber,
    pub title: String,
    pub body: Option<String>,
    pub state: IssueState,
    pub url: String,
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub comments: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub synced_at: Timestamp,
    pub current_lane: Option<String>,
    pub decomposed: bool,
}

/// What a read did to one issue of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Created,
    Updated,
    /// No longer at GitHub under this repository: deleted or transferred.
    Removed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue() -> RemoteIssue {
        RemoteIssue {
            github_id: 1,
            number: IssueNumber(7),
            title: "t".into(),
            body: None,
            state: IssueState::Open,
            url: "https://github.com/a/b/issues/7".into(),
            labels: vec!["b".into(), "a".into()],
            assignees: vec![],
            comments: 0,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            closed_at: None,
        }
    }

    #[test]
    fn the_order_of_labels_and_a_bare_touch_are_no_change() {
        let (one, mut two) = (issue(), issue());
        two.labels.reverse();
        two.updated_at = Timestamp(5_000);
        assert_eq!(one.content_hash(), two.content_hash());
    }

    #[test]
    fn everything_else_is_a_change() {
        let edits: [fn(&mut RemoteIssue); 6] = [
            |i| i.title.push('x'),
            |i| i.body = Some(String::new()),
            |i| i.state = IssueState::Closed,
            |i| i.labels.push("c".into()),
            |i| i.assignees.push("me".into()),
            |i| i.comments += 1,
        ];
        for (n, edit) in edits.iter().enumerate() {
            let mut edited = issue();
            edit(&mut edited);
            assert_ne!(issue().content_hash(), edited.content_hash(), "edit {n}");
        }
    }

    #[test]
    fn derived_columns_follow_labels_and_state() {
        let rules = Rules::new(["wontfix"]);
        let labels: Vec<String> = ["Status/Ready", "priority/p1", "agent/Coder"].map(str::to_owned).to_vec();
        let open = Derived::of(IssueState::Open, &labels, &rules);
        assert_eq!(open.status, Some(Status::Ready));
        assert_eq!((open.priority, open.agent.as_deref(), open.excluded), (1, Some("coder"), false));
        let closed = Derived::of(IssueState::Closed, &labels, &rules);
        assert_eq!(closed.status, Some(Status::Done));
        assert_eq!(closed.labels, ["priority/p1", "agent/Coder", "status/done"]);
        let hidden = Derived::of(IssueState::Open, &["WontFix".to_owned()], &rules);
        assert!(hidden.excluded);
    }
}
