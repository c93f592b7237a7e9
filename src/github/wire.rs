//! GitHub's JSON, by GitHub's names, and what becomes of it.
//! Source: docs.github.com/rest/issues/issues and docs.github.com/rest/repos/repos.

use serde::Deserialize;
use serde_json::Value;

use super::lookup::RemoteRepo;
use crate::domain::{
    ids::IssueNumber,
    issue::{IssueState, RemoteIssue, RemoteItem, RemotePull},
    outbox::Made,
    pr_fix::PullFacts,
    repo::RepoName,
    time::Timestamp,
};

/// An error.
#[derive(Deserialize)]
pub(super) struct Trouble {
    pub message: String,
}

/// A new installation access token.
#[derive(Deserialize)]
pub(super) struct AccessToken {
    pub token: String,
    pub expires_at: Timestamp,
}

/// A repository.
#[derive(Deserialize)]
pub(super) struct Repo {
    id: i64,
    full_name: RepoName,
    default_branch: String,
    archived: bool,
    has_issues: bool,
}

/// An issue or, with `pull_request`, a pull request.
#[derive(Deserialize)]
pub(super) struct Item {
    id: i64,
    number: IssueNumber,
    title: String,
    body: Option<String>,
    state: IssueState,
    html_url: String,
    repository_url: String,
    labels: Vec<Label>,
    assignees: Option<Vec<User>>,
    comments: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    user: Option<User>,
    #[serde(default)]
    draft: Option<bool>,
    pull_request: Option<Pull>,
    issue_dependencies_summary: Option<DependenciesSummary>,
}

/// A pull request as its own route shows it (docs.github.com/rest/pulls/pulls).
#[derive(Deserialize)]
pub(super) struct PullRequest {
    state: IssueState,
    merged: bool,
    mergeable: Option<bool>,
    head: Commit,
    base: Branch,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

/// Whether an issue is open, and why.
#[derive(Deserialize)]
pub(super) struct Standing {
    state: IssueState,
    state_reason: Option<String>,
}

impl From<Standing> for super::lookup::Standing {
    fn from(issue: Standing) -> Self {
        let is_open = issue.state == IssueState::Open;
        Self { is_open, is_reopened: is_open && issue.state_reason.as_deref() == Some("reopened") }
    }
}

/// Something that is named by a commit.
#[derive(Deserialize)]
pub(super) struct Named {
    pub sha: String,
}

#[derive(Deserialize)]
struct Branch {
    repo: BranchRepo,
}

#[derive(Deserialize)]
struct BranchRepo {
    archived: bool,
}

impl From<PullRequest> for PullFacts {
    fn from(pull: PullRequest) -> Self {
        Self {
            head: pull.head.sha,
            is_open: pull.state == IssueState::Open,
            is_merged: pull.merged,
            mergeable: pull.mergeable,
            is_archived: pull.base.repo.archived,
        }
    }
}

/// A comment, as far as it is looked at.
#[derive(Deserialize)]
pub(super) struct Comment {
    id: i64,
    html_url: String,
    body: Option<String>,
}

/// An issue that was written, or may have been.
#[derive(Deserialize)]
pub(super) struct Posted {
    html_url: String,
    number: IssueNumber,
    body: Option<String>,
}

impl Comment {
    pub fn says(&self, text: &str) -> bool {
        self.body.as_ref().is_some_and(|body| body.contains(text))
    }
}

impl Posted {
    pub fn says(&self, text: &str) -> bool {
        self.body.as_ref().is_some_and(|body| body.contains(text))
    }
}

impl From<Comment> for Made {
    fn from(comment: Comment) -> Self {
        Self { url: comment.html_url, number: None, comment: Some(comment.id) }
    }
}

impl From<Posted> for Made {
    fn from(issue: Posted) -> Self {
        Self { url: issue.html_url, number: Some(issue.number), comment: None }
    }
}

/// The schema allows both forms, and objects without a name.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Label {
    Name(String),
    Object { name: Option<String> },
}

impl Label {
    pub fn into_name(self) -> Option<String> {
        match self {
            Self::Name(name) => Some(name),
            Self::Object { name } => name,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct User {
    pub login: String,
}

#[derive(Deserialize)]
struct Pull {
    merged_at: Option<Timestamp>,
}

/// Absent on servers that know no dependencies.
#[derive(Deserialize)]
struct DependenciesSummary {
    total_blocked_by: i64,
}

impl Item {
    /// Where it lives: `repository_url` ends in `/repos/{owner}/{name}`.
    pub fn repository(&self) -> Option<RepoName> {
        let (rest, name) = self.repository_url.rsplit_once('/')?;
        let (_, owner) = rest.rsplit_once('/')?;
        format!("{owner}/{name}").parse().ok()
    }

    pub fn number(&self) -> IssueNumber {
        self.number
    }
}

impl From<Item> for RemoteItem {
    fn from(mut item: Item) -> Self {
        match item.pull_request.take() {
            Some(pull) => Self::Pull(pull_of(item, &pull)),
            None => Self::Issue(issue_of(item)),
        }
    }
}

/// PostgreSQL has no place for U+0000 in a text; one such issue must not keep a repository from being read.
pub(super) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn issue_of(item: Item) -> RemoteIssue {
    RemoteIssue {
        github_id: item.id,
        number: item.number,
        title: storable(item.title),
        body: item.body.map(storable),
        state: item.state,
        url: item.html_url,
        labels: item.labels.into_iter().filter_map(Label::into_name).map(storable).collect(),
        assignees: item.assignees.into_iter().flatten().map(|user| user.login).collect(),
        comments: item.comments,
        created_at: item.created_at,
        updated_at: item.updated_at,
        closed_at: item.closed_at,
        blockers: item.issue_dependencies_summary.map(|summary| summary.total_blocked_by),
    }
}

fn pull_of(item: Item, pull: &Pull) -> RemotePull {
    RemotePull {
        number: item.number,
        title: storable(item.title),
        body: item.body.map(storable),
        labels: item.labels.into_iter().filter_map(Label::into_name).map(storable).collect(),
        state: item.state,
        url: item.html_url,
        author: item.user.map(|user| user.login),
        draft: item.draft.unwrap_or(false),
        merged_at: pull.merged_at,
        created_at: item.created_at,
        updated_at: item.updated_at,
        closed_at: item.closed_at,
    }
}

impl From<Repo> for RemoteRepo {
    fn from(repo: Repo) -> Self {
        let Repo { id, full_name, default_branch, archived, has_issues } = repo;
        Self { github_id: id, full_name, default_branch, archived, has_issues }
    }
}

/// A webhook (docs.github.com/rest/repos/webhooks).
#[derive(Deserialize)]
pub(super) struct Hook {
    pub id: i64,
    pub active: bool,
    pub events: Vec<String>,
    pub config: HookConfig,
    pub last_response: Option<HookResponse>,
}

/// Where it leads.
#[derive(Deserialize)]
pub(super) struct HookConfig {
    pub url: Option<String>,
    pub content_type: Option<String>,
}

/// What was last answered to it.
#[derive(Deserialize)]
pub(super) struct HookResponse {
    pub code: Option<i64>,
}

/// An attempt to deliver.
#[derive(Deserialize)]
pub(super) struct Delivery {
    pub id: i64,
    pub guid: String,
    pub delivered_at: Timestamp,
    pub status_code: i64,
    pub event: String,
    pub action: Option<String>,
    pub repository_id: Option<i64>,
}

/// The same with what was sent.
#[derive(Deserialize)]
pub(super) struct Delivered {
    pub request: Sent,
}

/// What was sent.
#[derive(Deserialize)]
pub(super) struct Sent {
    pub payload: Value,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As the documentation's example shows it, without what we do not read.
    fn documented() -> Value {
        json!({
            "id": 1,
            "repository_url": "https://api.github.com/repos/octocat/Hello-World",
            "html_url": "https://github.com/octocat/Hello-World/issues/1347",
            "number": 1347,
            "state": "open",
            "title": "Found a bug",
            "body": "I'm having a problem with this.",
            "user": { "login": "octocat", "id": 1 },
            "labels": [{ "id": 208_045_946, "name": "bug", "color": "f29513" }, "plain", { "name": null }],
            "assignee": { "login": "octocat" },
            "assignees": [{ "login": "octocat" }, { "login": "hubot" }],
            "comments": 3,
            "closed_at": null,
            "created_at": "2011-04-22T13:33:48Z",
            "updated_at": "2011-04-22T13:33:48Z",
            "state_reason": "completed"
        })
    }

    fn read(value: Value) -> Result<RemoteItem, serde_json::Error> {
        serde_json::from_value::<Item>(value).map(RemoteItem::from)
    }

    #[test]
    fn an_issue() {
        let RemoteItem::Issue(issue) = read(documented()).unwrap() else { panic!("not an issue") };
        assert_eq!((issue.github_id, issue.number, issue.comments), (1, IssueNumber(1_347), 3));
        assert_eq!(issue.labels, ["bug", "plain"]);
        assert_eq!(issue.assignees, ["octocat", "hubot"]);
        assert_eq!(issue.updated_at, Timestamp(1_303_479_228_000));
        assert_eq!((issue.state, issue.closed_at), (IssueState::Open, None));
    }

    #[test]
    fn a_pull_request_of_somebody_who_left() {
        let mut value = documented();
        value["pull_request"] = json!({ "url": "…", "merged_at": "2011-04-22T13:33:48Z" });
        value["user"] = Value::Null;
        value["state"] = "closed".into();
        let RemoteItem::Pull(pull) = read(value).unwrap() else { panic!("not a pull request") };
        assert_eq!((pull.author, pull.draft, pull.state), (None, false, IssueState::Closed));
        assert_eq!(pull.merged_at, Some(Timestamp(1_303_479_228_000)));
    }

    #[test]
    fn where_it_lives() {
        let item: Item = serde_json::from_value(documented()).unwrap();
        assert_eq!(item.repository(), "octocat/hello-world".parse().ok());
    }

    #[test]
    fn other_forms_are_refused() {
        for (field, value) in [
            ("id", Value::Null),
            ("number", "7".into()),
            ("state", "locked".into()),
            ("labels", json!([7])),
            ("updated_at", "yesterday".into()),
            ("title", Value::Null),
        ] {
            let mut bad = documented();
            bad[field] = value;
            assert!(read(bad).is_err(), "{field}");
        }
    }
}
