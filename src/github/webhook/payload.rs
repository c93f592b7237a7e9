//! Payloads (docs.github.com/webhooks/webhook-events-and-payloads) into what they say. What is not known is no fault:
//! unknown fields, actions and events change nothing.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::error::Category;

use super::pulls;
use crate::{
    domain::{
        issue::{RemoteIssue, RemoteItem},
        pull_event::PullEvent,
        repo::RepoName,
    },
    github::wire::Item,
};

/// Events that may change something, and `ping`.
const EVENTS: [&str; 11] = [
    "issues",
    "issue_comment",
    "label",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "check_run",
    "check_suite",
    "repository",
    "installation_repositories",
    "ping",
];

/// Actions after which the payload shows the issue as it is now.
const ISSUE_ACTIONS: [&str; 18] = [
    "opened",
    "edited",
    "closed",
    "reopened",
    "labeled",
    "unlabeled",
    "assigned",
    "unassigned",
    "milestoned",
    "demilestoned",
    "locked",
    "unlocked",
    "pinned",
    "unpinned",
    "typed",
    "untyped",
    "field_added",
    "field_removed",
];

const REPOSITORY_ACTIONS: [&str; 8] =
    ["renamed", "archived", "unarchived", "deleted", "transferred", "edited", "publicized", "privatized"];

/// The event as far as there is an end to them: for counting.
pub fn event_name(event: &str) -> &'static str {
    EVENTS.into_iter().find(|known| *known == event).unwrap_or("other")
}

/// A payload that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    pub action: Option<String>,
    pub repo: Option<PayloadRepo>,
    pub said: Said,
}

/// The repository that a payload is of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PayloadRepo {
    #[serde(rename = "id")]
    pub github_id: i64,
    pub full_name: RepoName,
}

/// What a payload says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The issue as it was just then.
    Issue(Box<RemoteIssue>),
    /// The issue was deleted or transferred; what it was last.
    IssueGone(Box<RemoteIssue>),
    Pull(Box<PullEvent>),
    /// A label was renamed or deleted. Issues that bear it do not say that they changed.
    Labels,
    /// The repository itself is another than it was.
    Repository,
    /// The App may reach other repositories than before.
    Reach(Vec<RepoName>),
    Ping,
    /// By a rule it changes nothing; which.
    Nothing(&'static str),
}

/// Why a payload could not be read. GitHub's text is never part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    NotJson,
    /// JSON of another form than GitHub documents; where that shows.
    Form {
        line: usize,
        column: usize,
    },
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::Form { line: error.line(), column: error.column() },
            Category::Syntax | Category::Eof | Category::Io => Self::NotJson,
        }
    }
}

#[derive(Deserialize)]
struct Head {
    action: Option<String>,
    repository: Option<PayloadRepo>,
}

#[derive(Deserialize)]
struct OfIssue {
    issue: Item,
}

#[derive(Deserialize)]
struct OfLabel {
    changes: Option<LabelChanges>,
}

#[derive(Deserialize)]
struct LabelChanges {
    name: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct OfReach {
    #[serde(default)]
    repositories_added: Vec<Reached>,
    #[serde(default)]
    repositories_removed: Vec<Reached>,
}

#[derive(Deserialize)]
struct Reached {
    full_name: RepoName,
}

/// Reads a payload.
pub fn read(event: &str, body: &str) -> Result<Payload, Unreadable> {
    if event_name(event) == "other" {
        return read_other(body);
    }
    let Head { action, repository } = serde_json::from_str(body)?;
    let said = said(event, action.as_deref().unwrap_or_default(), body)?;
    let needs_repo = !matches!(said, Said::Reach(_) | Said::Ping | Said::Nothing(_));
    if needs_repo && repository.is_none() {
        return Err(Unreadable::Form { line: 1, column: 0 });
    }
    Ok(Payload { action, repo: repository, said })
}

/// Nobody knows its form; only that it is an object.
fn read_other(body: &str) -> Result<Payload, Unreadable> {
    let _: IgnoredAny = serde_json::from_str(body)?;
    let head = serde_json::from_str::<Head>(body).ok();
    let (action, repo) = head.map_or((None, None), |head| (head.action, head.repository));
    Ok(Payload { action, repo, said: Said::Nothing("nothing follows from this event") })
}

fn said(event: &str, action: &str, body: &str) -> Result<Said, Unreadable> {
    const NOTHING: Said = Said::Nothing("nothing follows from this action");
    Ok(match (event, action) {
        ("ping", _) => Said::Ping,
        ("issues", "deleted" | "transferred") => match item(body)? {
            RemoteItem::Issue(issue) => Said::IssueGone(Box::new(issue)),
            RemoteItem::Pull(_) => NOTHING,
        },
        ("issues", action) if ISSUE_ACTIONS.contains(&action) => match item(body)? {
            RemoteItem::Issue(issue) => Said::Issue(Box::new(issue)),
            RemoteItem::Pull(pull) => Said::Pull(Box::new(PullEvent::Listed(Box::new(pull)))),
        },
        ("issue_comment", "created" | "edited" | "deleted") => match item(body)? {
            RemoteItem::Issue(issue) => Said::Issue(Box::new(issue)),
            RemoteItem::Pull(pull) => Said::Pull(Box::new(pulls::commented(pull, action, body)?)),
        },
        ("label", "deleted") => Said::Labels,
        ("label", "edited") => {
            let OfLabel { changes } = serde_json::from_str(body)?;
            let renamed = changes.is_some_and(|changes| changes.name.is_some());
            if renamed { Said::Labels } else { Said::Nothing("no label has another name") }
        }
        ("repository", action) if REPOSITORY_ACTIONS.contains(&action) => Said::Repository,
        ("installation_repositories", "added" | "removed") => {
            let OfReach { repositories_added, repositories_removed } = serde_json::from_str(body)?;
            let all = repositories_added.into_iter().chain(repositories_removed);
            Said::Reach(all.map(|reached| reached.full_name).collect())
        }
        (event, action) => match pulls::read(event, action, body)? {
            Some(event) => Said::Pull(Box::new(event)),
            None => NOTHING,
        },
    })
}

fn item(body: &str) -> Result<RemoteItem, Unreadable> {
    let OfIssue { issue } = serde_json::from_str(body)?;
    Ok(issue.into())
}
