//! Issues and pull requests as GitHub describes them, and what the cache keeps of them.

use serde::{Deserialize, Serialize};

use super::{
    digest::{hex, sha256},
    grooming::{Grooming, Split},
    ids::{AgentName, IssueId, IssueNumber, RepoId},
    labels::{LabelEdit, Labels, Rules, Status, agent_label, overlaid},
    pull::LinkedPull,
    queue,
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
    /// How many issues GitHub says it waits for, closed ones too; none where GitHub does not say.
    pub blockers: Option<i64>,
}

/// A pull request as the issue list shows it (the `pull_request` key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePull {
    pub number: IssueNumber,
    pub title: String,
    pub body: Option<String>,
    pub labels: Vec<String>,
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
}

impl RemotePull {
    /// As [`RemoteIssue::content_hash`].
    pub fn content_hash(&self) -> String {
        let mut labels = self.labels.clone();
        labels.sort_unstable();
        hash_of(&(
            &self.title,
            &self.body,
            labels,
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

/// What Dispatch itself knows of an issue, and lays over what GitHub said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// The agent with a live claim.
    pub holder: Option<AgentName>,
    /// Our edits that GitHub's word may not reflect yet.
    pub edits: Vec<LabelEdit>,
    /// The lane that was stored for it.
    pub lane: Option<String>,
}

/// Columns computed from labels and state by [`Rules`]; kept in the database so that lists need no parsing.
#[expect(clippy::struct_excessive_bools, reason = "columns, each of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The labels that Dispatch shows: GitHub's with our edits, and `status/done` alone of the statuses once closed.
    pub labels: Vec<String>,
    pub status: Option<Status>,
    /// 0 to 3 for `priority/p0` to `p3`; 4 without one.
    pub priority: i64,
    /// The holder if its label is there, else the agent of the first `agent/…` label; lower case.
    pub agent: Option<String>,
    /// Carries a label of `DISPATCH_EXCLUDED_LABELS`: stored, shown nowhere.
    pub excluded: bool,
    /// Open and not excluded.
    pub shown: bool,
    /// Done or blocked is somewhere among its labels.
    pub rests: bool,
    /// Made by an updater of dependencies.
    pub automated: bool,
    /// The key of the lane that it belongs to.
    pub lane: String,
    /// Nothing is served from that lane.
    pub lane_closed: bool,
}

impl Derived {
    pub fn of(state: IssueState, title: &str, github: &[String], ours: &Ours, rules: &Rules) -> Self {
        let labels = overlaid(github, &ours.edits);
        let excluded = rules.excludes(&labels);
        let shown = Labels::shown(state, &labels);
        let holder = ours.holder.as_ref().filter(|holder| shown.names(holder)).map(AgentName::key);
        let place = rules.lanes().place(ours.lane.as_deref());
        Self {
            status: shown.status(),
            priority: shown.priority(),
            agent: holder.or_else(|| shown.agent().map(str::to_ascii_lowercase)),
            excluded,
            shown: state == IssueState::Open && !excluded,
            rests: shown.rests(),
            automated: queue::is_automated(title, &labels),
            lane: place.key(),
            lane_closed: place.is_closed(),
            labels: shown.into_vec(),
        }
    }

    /// Is the agent's own label there?
    pub fn names(&self, agent: &AgentName) -> bool {
        let label = agent_label(agent);
        self.labels.iter().any(|shown| shown.eq_ignore_ascii_case(&label))
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
    pub split: Split,
    pub grooming: Grooming,
    /// The open pull request that is about it.
    pub linked: Option<LinkedPull>,
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
            blockers: None,
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
        let of = |state, labels: &[String], ours: &Ours| Derived::of(state, "t", labels, ours, &rules);
        let open = of(IssueState::Open, &labels, &Ours::default());
        assert_eq!(open.status, Some(Status::Ready));
        assert_eq!((open.priority, open.agent.as_deref(), open.excluded), (1, Some("coder"), false));
        assert!(open.shown && !open.rests && !open.automated && !open.lane_closed);
        let closed = of(IssueState::Closed, &labels, &Ours::default());
        assert!(closed.rests && !closed.shown);
        assert_eq!(closed.status, Some(Status::Done));
        assert_eq!(closed.labels, ["priority/p1", "agent/Coder", "status/done"]);
        let hidden = of(IssueState::Open, &["WontFix".to_owned()], &Ours::default());
        assert!(hidden.excluded && !hidden.shown);
    }

    #[test]
    fn what_is_ours_lies_over_what_github_said() {
        let rules = Rules::default();
        let labels: Vec<String> = ["agent/First", "agent/Holder", "status/ready"].map(str::to_owned).to_vec();
        let of = |ours: Ours| Derived::of(IssueState::Open, "t", &labels, &ours, &rules);
        assert_eq!(of(Ours::default()).agent.as_deref(), Some("first"));
        let holder = "Holder".parse().ok();
        assert_eq!(of(Ours { holder, ..Ours::default() }).agent.as_deref(), Some("holder"));
        let gone = "Gone".parse().ok();
        assert_eq!(of(Ours { holder: gone, ..Ours::default() }).agent.as_deref(), Some("first"));
        let edits = vec![LabelEdit::remove("status/ready"), LabelEdit::add("status/in-progress")];
        assert_eq!(of(Ours { edits, ..Ours::default() }).status, Some(Status::InProgress));
        let rest = of(Ours { lane: Some("backlog".into()), ..Ours::default() });
        assert_eq!((rest.lane.as_str(), rest.lane_closed), ("backlog", true));
        assert_eq!(of(Ours { lane: Some("ESCALATED".into()), ..Ours::default() }).lane, "frontier");
    }
}
