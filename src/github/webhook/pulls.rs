//! Payloads about pull requests.

use serde::Deserialize;

use super::payload::Unreadable;
use crate::{
    domain::{
        ids::IssueNumber,
        issue::{IssueState, RemotePull},
        pull_event::{
            CheckEnded, CheckKind, Conclusion, Place, PullComment, PullEvent, PullHead, PullNow, PullReview,
            ReviewState, Written,
        },
        time::Timestamp,
    },
    github::wire::{Label, User, storable},
};

#[derive(Deserialize)]
struct OfPull {
    pull_request: Pull,
}

#[derive(Deserialize)]
struct OfReview {
    pull_request: Pull,
    review: Review,
}

#[derive(Deserialize)]
struct OfLineComment {
    pull_request: Pull,
    comment: Comment,
}

#[derive(Deserialize)]
struct OfComment {
    comment: Comment,
}

#[derive(Deserialize)]
struct OfRun {
    check_run: Run,
}

#[derive(Deserialize)]
struct OfSuite {
    check_suite: Suite,
}

#[derive(Deserialize)]
struct Pull {
    number: IssueNumber,
    title: String,
    body: Option<String>,
    state: IssueState,
    html_url: String,
    user: Option<User>,
    #[serde(default)]
    labels: Vec<Label>,
    draft: Option<bool>,
    merged_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    head: Head,
    base: Base,
    mergeable: Option<bool>,
    mergeable_state: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
    #[serde(rename = "ref")]
    branch: String,
    repo: Option<HeadRepo>,
}

#[derive(Deserialize)]
struct HeadRepo {
    full_name: String,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    branch: String,
}

#[derive(Deserialize)]
struct Review {
    id: i64,
    state: String,
    user: Option<User>,
    body: Option<String>,
    html_url: String,
    submitted_at: Option<Timestamp>,
    commit_id: Option<String>,
}

#[derive(Deserialize)]
struct Comment {
    id: i64,
    user: Option<User>,
    body: Option<String>,
    html_url: String,
    path: Option<String>,
    line: Option<i64>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
struct Run {
    id: i64,
    name: String,
    conclusion: Option<String>,
    head_sha: String,
    html_url: Option<String>,
    completed_at: Option<Timestamp>,
    check_suite: Option<StartedWith>,
    #[serde(default)]
    pull_requests: Vec<Named>,
}

#[derive(Deserialize)]
struct StartedWith {
    id: i64,
}

#[derive(Deserialize)]
struct Suite {
    id: i64,
    conclusion: Option<String>,
    head_sha: String,
    updated_at: Option<Timestamp>,
    app: Option<App>,
    #[serde(default)]
    pull_requests: Vec<Named>,
}

#[derive(Deserialize)]
struct App {
    name: String,
}

#[derive(Deserialize)]
struct Named {
    number: IssueNumber,
}

/// What an event says of a pull request; nothing for actions from which nothing follows.
pub fn read(event: &str, action: &str, body: &str) -> Result<Option<PullEvent>, Unreadable> {
    Ok(match (event, action) {
        ("pull_request", _) => {
            let OfPull { pull_request } = serde_json::from_str(body)?;
            Some(PullEvent::Changed(Box::new(pull_request.into())))
        }
        ("pull_request_review", "submitted" | "edited" | "dismissed") => {
            let OfReview { pull_request, review } = serde_json::from_str(body)?;
            let Some(review) = review.into_domain() else { return Ok(None) };
            Some(PullEvent::Reviewed { pull: Box::new(pull_request.into()), review })
        }
        ("pull_request_review_comment", "created" | "edited" | "deleted") => {
            let OfLineComment { pull_request, comment } = serde_json::from_str(body)?;
            let comment = comment.into_domain(written(action));
            Some(PullEvent::LineComment { pull: Box::new(pull_request.into()), comment })
        }
        ("check_run", "completed") => {
            let OfRun { check_run } = serde_json::from_str(body)?;
            Some(PullEvent::Checked(check_run.into()))
        }
        ("check_suite", "completed") => {
            let OfSuite { check_suite } = serde_json::from_str(body)?;
            Some(PullEvent::Checked(check_suite.into()))
        }
        _ => None,
    })
}

/// A comment below a pull request, which the payload shows as the list of issues does.
pub fn commented(pull: RemotePull, action: &str, body: &str) -> Result<PullEvent, Unreadable> {
    let OfComment { comment } = serde_json::from_str(body)?;
    let comment = comment.into_domain(written(action));
    Ok(PullEvent::Comment { pull: Box::new(pull), comment })
}

fn written(action: &str) -> Written {
    match action {
        "created" => Written::Created,
        "deleted" => Written::Deleted,
        _ => Written::Edited,
    }
}

fn conclusion(word: &str) -> Option<Conclusion> {
    Some(match word {
        "success" => Conclusion::Success,
        "failure" => Conclusion::Failure,
        "neutral" => Conclusion::Neutral,
        "cancelled" => Conclusion::Cancelled,
        "skipped" => Conclusion::Skipped,
        "timed_out" => Conclusion::TimedOut,
        "action_required" => Conclusion::ActionRequired,
        "stale" => Conclusion::Stale,
        "startup_failure" => Conclusion::StartupFailure,
        _ => return None,
    })
}

impl From<Pull> for PullNow {
    fn from(pull: Pull) -> Self {
        Self {
            listed: RemotePull {
                number: pull.number,
                title: storable(pull.title),
                body: pull.body.map(storable),
                labels: pull.labels.into_iter().filter_map(Label::into_name).map(storable).collect(),
                state: pull.state,
                url: pull.html_url,
                author: pull.user.map(|user| user.login),
                draft: pull.draft.unwrap_or(false),
                merged_at: pull.merged_at,
                created_at: pull.created_at,
                updated_at: pull.updated_at,
                closed_at: pull.closed_at,
            },
            head: PullHead {
                sha: pull.head.sha,
                branch: storable(pull.head.branch),
                repo: pull.head.repo.map(|repo| repo.full_name),
            },
            base_ref: storable(pull.base.branch),
            mergeable: pull.mergeable,
            mergeable_state: pull.mergeable_state,
        }
    }
}

impl Review {
    /// None for a state that is not known.
    fn into_domain(self) -> Option<PullReview> {
        // Payloads spell it small, the REST API large.
        let state = match self.state.to_ascii_lowercase().as_str() {
            "approved" => ReviewState::Approved,
            "changes_requested" => ReviewState::ChangesRequested,
            "commented" => ReviewState::Commented,
            "dismissed" => ReviewState::Dismissed,
            "pending" => ReviewState::Pending,
            _ => return None,
        };
        Some(PullReview {
            id: self.id,
            state,
            author: self.user.map(|user| user.login),
            body: self.body.map(storable),
            url: self.html_url,
            submitted_at: self.submitted_at,
            commit: self.commit_id,
        })
    }
}

impl Comment {
    fn into_domain(self, written: Written) -> PullComment {
        PullComment {
            id: self.id,
            written,
            author: self.user.map(|user| user.login),
            body: storable(self.body.unwrap_or_default()),
            url: self.html_url,
            place: self.path.map(|path| Place { path: storable(path), line: self.line }),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl From<Run> for CheckEnded {
    fn from(run: Run) -> Self {
        Self {
            kind: CheckKind::Run,
            id: run.id,
            suite: run.check_suite.map(|suite| suite.id),
            name: storable(run.name),
            conclusion: run.conclusion.as_deref().and_then(conclusion),
            head_sha: run.head_sha,
            pulls: run.pull_requests.into_iter().map(|pull| pull.number).collect(),
            url: run.html_url,
            completed_at: run.completed_at,
        }
    }
}

impl From<Suite> for CheckEnded {
    fn from(suite: Suite) -> Self {
        Self {
            kind: CheckKind::Suite,
            id: suite.id,
            suite: None,
            name: suite.app.map_or_else(|| "checks".to_owned(), |app| storable(app.name)),
            conclusion: suite.conclusion.as_deref().and_then(conclusion),
            head_sha: suite.head_sha,
            pulls: suite.pull_requests.into_iter().map(|pull| pull.number).collect(),
            url: None,
            completed_at: suite.updated_at,
        }
    }
}
