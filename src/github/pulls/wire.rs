//! Pull requests, reviews and check runs by GitHub's names
//! (docs.github.com/rest/pulls/pulls, docs.github.com/rest/pulls/reviews, docs.github.com/rest/checks/runs).

use serde::Deserialize;

use crate::{
    domain::{
        ids::IssueNumber,
        issue::{IssueState, RemotePull},
        pull::CheckRun as Run,
        pull_event::{Conclusion, PullHead, PullNow, PullReview, ReviewState},
        time::Timestamp,
    },
    github::wire::{Label, User, storable},
};

/// A pull request of a list or, with the last two fields, by itself.
#[derive(Deserialize)]
pub(super) struct Pull {
    number: IssueNumber,
    title: String,
    body: Option<String>,
    state: IssueState,
    html_url: String,
    user: Option<User>,
    labels: Vec<Label>,
    draft: Option<bool>,
    merged_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    head: Branch,
    base: Branch,
    #[serde(default)]
    mergeable: Option<bool>,
    #[serde(default)]
    mergeable_state: Option<String>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
    sha: String,
    /// None when the fork was deleted.
    repo: Option<BranchRepo>,
}

#[derive(Deserialize)]
struct BranchRepo {
    full_name: String,
}

/// A review.
#[derive(Deserialize)]
pub(super) struct Review {
    id: i64,
    user: Option<User>,
    body: Option<String>,
    state: String,
    html_url: String,
    submitted_at: Option<Timestamp>,
    commit_id: Option<String>,
}

/// A page of check runs.
#[derive(Deserialize)]
pub(super) struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

/// A check run.
#[derive(Deserialize)]
pub(super) struct CheckRun {
    id: i64,
    name: String,
    conclusion: Option<String>,
    html_url: Option<String>,
    completed_at: Option<Timestamp>,
    check_suite: Option<Suite>,
}

/// What a check run was started with.
#[derive(Deserialize)]
struct Suite {
    id: i64,
}

impl From<CheckRuns> for Vec<CheckRun> {
    fn from(page: CheckRuns) -> Self {
        page.check_runs
    }
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
                branch: storable(pull.head.name),
                repo: pull.head.repo.map(|repo| repo.full_name),
            },
            base_ref: storable(pull.base.name),
            mergeable: pull.mergeable,
            mergeable_state: pull.mergeable_state,
        }
    }
}

impl From<Review> for PullReview {
    fn from(review: Review) -> Self {
        Self {
            id: review.id,
            state: review_state(&review.state),
            author: review.user.map(|user| user.login),
            body: review.body.map(storable),
            url: review.html_url,
            submitted_at: review.submitted_at,
            commit: review.commit_id,
        }
    }
}

/// A word that GitHub may add one day neither approves nor asks for changes.
fn review_state(state: &str) -> ReviewState {
    match state {
        "APPROVED" => ReviewState::Approved,
        "CHANGES_REQUESTED" => ReviewState::ChangesRequested,
        "DISMISSED" => ReviewState::Dismissed,
        "PENDING" => ReviewState::Pending,
        _ => ReviewState::Commented,
    }
}

impl From<CheckRun> for Run {
    fn from(run: CheckRun) -> Self {
        Self {
            id: run.id,
            suite: run.check_suite.map(|suite| suite.id),
            name: storable(run.name),
            conclusion: run.conclusion.as_deref().map(conclusion),
            url: run.html_url,
            completed_at: run.completed_at,
        }
    }
}

/// A word that GitHub may add one day is neither good nor bad.
fn conclusion(word: &str) -> Conclusion {
    match word {
        "success" => Conclusion::Success,
        "failure" => Conclusion::Failure,
        "cancelled" => Conclusion::Cancelled,
        "skipped" => Conclusion::Skipped,
        "timed_out" => Conclusion::TimedOut,
        "action_required" => Conclusion::ActionRequired,
        "stale" => Conclusion::Stale,
        "startup_failure" => Conclusion::StartupFailure,
        _ => Conclusion::Neutral,
    }
}
