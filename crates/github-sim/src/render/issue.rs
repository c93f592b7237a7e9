//! The issue object, which pull requests share (docs.github.com/rest/issues/issues#get-an-issue).

use bytes::Bytes;
use serde::Serialize;

use super::{LabelBody, Urls, UserBody, label};
use crate::clock::iso;
use crate::ids;
use crate::state::{Item, Repository, State, StateReason, Summary};

#[derive(Serialize)]
struct IssueBody<'a> {
    url: &'a str,
    repository_url: &'a str,
    labels_url: String,
    comments_url: String,
    events_url: String,
    html_url: String,
    id: u64,
    node_id: String,
    number: u64,
    title: &'a str,
    user: UserBody<'a>,
    labels: Vec<LabelBody<'a>>,
    state: State,
    locked: bool,
    assignee: Option<UserBody<'a>>,
    assignees: Vec<UserBody<'a>>,
    milestone: Option<()>,
    comments: u64,
    created_at: String,
    updated_at: String,
    closed_at: Option<String>,
    author_association: &'static str,
    #[serde(rename = "type")]
    kind: Option<()>,
    active_lock_reason: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request: Option<PullLinks>,
    body: Option<&'a str>,
    closed_by: Option<UserBody<'a>>,
    reactions: Reactions,
    timeline_url: String,
    performed_via_github_app: Option<()>,
    state_reason: Option<StateReason>,
    sub_issues_summary: SubIssues,
    issue_dependencies_summary: Summary,
}

/// What marks an entry of the issue list as a pull request.
#[derive(Serialize)]
struct PullLinks {
    url: String,
    html_url: String,
    diff_url: String,
    patch_url: String,
    merged_at: Option<String>,
}

#[derive(Serialize)]
struct Reactions {
    url: String,
    total_count: u64,
    #[serde(rename = "+1")]
    up: u64,
    #[serde(rename = "-1")]
    down: u64,
    laugh: u64,
    hooray: u64,
    confused: u64,
    heart: u64,
    rocket: u64,
    eyes: u64,
}

#[derive(Serialize)]
struct SubIssues {
    total: u64,
    completed: u64,
    percent_completed: u64,
}

/// Renders an issue or pull request.
pub(crate) fn issue(urls: &Urls, repo: &Repository, item: &Item, summary: Summary) -> Bytes {
    let full_name = repo.full_name();
    let repo_url = urls.repo(&full_name);
    let url = format!("{repo_url}/issues/{}", item.issue.number);
    let body = body(urls, repo, item, summary, (&full_name, &repo_url, &url));
    // Strings, numbers and vectors: there is nothing here that JSON cannot hold.
    Bytes::from(serde_json::to_vec(&body).unwrap_or_default())
}

fn body<'a>(
    urls: &Urls,
    repo: &'a Repository,
    item: &'a Item,
    summary: Summary,
    (full_name, repo_url, url): (&str, &'a str, &'a str),
) -> IssueBody<'a> {
    let it = &item.issue;
    let user = |login: &'a String| UserBody::new(urls, login);
    let page = if item.pull.is_some() { "pull" } else { "issues" };
    IssueBody {
        url,
        repository_url: repo_url,
        labels_url: format!("{url}/labels{{/name}}"),
        comments_url: format!("{url}/comments"),
        events_url: format!("{url}/events"),
        html_url: format!("{}/{full_name}/{page}/{}", urls.html, it.number),
        id: it.id,
        node_id: ids::node(if item.pull.is_some() { "PR" } else { "I" }, it.id),
        number: it.number,
        title: &it.title,
        user: user(&it.author),
        labels: it.labels.iter().filter_map(|name| Some(label(repo_url, repo.labels.find(name)?))).collect(),
        state: it.state,
        locked: it.locked,
        assignee: it.assignees.first().map(user),
        assignees: it.assignees.iter().map(user).collect(),
        milestone: None,
        comments: it.comments,
        created_at: iso(it.created_at),
        updated_at: iso(it.updated_at),
        closed_at: it.closed_at.map(iso),
        author_association: if it.author == repo.owner { "OWNER" } else { "MEMBER" },
        kind: None,
        active_lock_reason: None,
        draft: item.pull.as_ref().map(|pull| pull.draft),
        pull_request: pull_links(urls, full_name, repo_url, item),
        body: it.body.as_deref(),
        closed_by: it.closed_by.as_ref().map(user),
        reactions: Reactions::none(url),
        timeline_url: format!("{url}/timeline"),
        performed_via_github_app: None,
        state_reason: it.state_reason,
        sub_issues_summary: SubIssues { total: 0, completed: 0, percent_completed: 0 },
        issue_dependencies_summary: summary,
    }
}

fn pull_links(urls: &Urls, full_name: &str, repo_url: &str, item: &Item) -> Option<PullLinks> {
    let pull = item.pull.as_ref()?;
    let html_url = format!("{}/{full_name}/pull/{}", urls.html, item.issue.number);
    Some(PullLinks {
        url: format!("{repo_url}/pulls/{}", item.issue.number),
        diff_url: format!("{html_url}.diff"),
        patch_url: format!("{html_url}.patch"),
        html_url,
        merged_at: pull.merged_at.map(iso),
    })
}

impl Reactions {
    fn none(url: &str) -> Self {
        Self {
            url: format!("{url}/reactions"),
            total_count: 0,
            up: 0,
            down: 0,
            laugh: 0,
            hooray: 0,
            confused: 0,
            heart: 0,
            rocket: 0,
            eyes: 0,
        }
    }
}
