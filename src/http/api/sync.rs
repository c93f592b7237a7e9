//! `POST /api/sync` and `/api/sync/scheduled` (`contract/operations.md` 1.2, 1.3): they join what runs.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::{
    domain::{
        notice::{Code, Notice, Severity, Subject},
        repo::{RepoName, TrackedRepo},
        time::Timestamp,
    },
    engine::{
        Engine, automation,
        refresh::tracked,
        sync::{self, Outcome, RepoReport, Wish},
    },
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::{Fields, NOT_JSON, OptionalFields},
    },
    store::{issue_list, repos},
};

/// The error of a read that goes on.
pub(in crate::http) const STILL_RUNNING: &str = "still running";

/// What a sync came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Synced {
    /// Is every repository up to date?
    success: bool,
    #[serde(flatten)]
    issues: IssuesSynced,
}

/// What the reads of the repositories came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuesSynced {
    repos: usize,
    /// Issues that are confirmed current, those that had not changed among them.
    #[schema(minimum = 0)]
    synced_count: i64,
    pub(in crate::http) results: Vec<RepoSynced>,
}

/// What the read of one repository came to.
#[derive(Serialize, ToSchema)]
pub struct RepoSynced {
    #[schema(value_type = RepoName)]
    pub(in crate::http) repo: String,
    #[schema(minimum = 0)]
    synced: i64,
    /// What happened and what to do; `still running` when the read goes on.
    #[schema(required)]
    pub(in crate::http) error: Option<String>,
}

/// What to bring up to date.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SyncBody {
    /// Only this repository; all of them without it.
    pub repo_full_name: Option<RepoName>,
    /// Reads every open issue anew, so that what left GitHub's list leaves the cache too.
    pub sweep: Option<bool>,
}

/// Brings repositories up to date.
///
/// Joins the reads that are running. Failures of repositories stand in `results`, and the answer is 200.
#[utoipa::path(
    post,
    path = "/api/sync",
    operation_id = "sync",
    tag = "sync",
    security(("bearer" = ["maintainer"])),
    request_body = Option<SyncBody>,
    responses(
        (status = 200, description = "The reads ended, or go on without us.", body = Synced),
        (status = 404, description = "`repoFullName` is not tracked."),
    ),
)]
pub async fn sync(
    State(app): State<App>,
    _: Maintainer,
    body: ApiResult<OptionalFields>,
) -> ApiResult<Json<Synced>> {
    let OptionalFields(body) =
        body.map_err(|error| error.reworded(NOT_JSON, "Malformed JSON in request body"))?;
    let only = body.string("repoFullName")?.map(|text| {
        text.parse().map_err(|rule| ApiError::invalid("repoFullName", format!("repoFullName: {rule}")))
    });
    let sweep = body.boolean("sweep")?.unwrap_or(false);
    let mut tx = app.engine.db().read_once().await?;
    let repos = match only.transpose()? {
        Some(name) => vec![tracked(&mut tx, &name).await?],
        None => repos::list_tracked(&mut tx).await?,
    };
    drop(tx);
    let issues = run(&app.engine, repos, (sweep, app.engine.settings().heartbeat_deadline)).await?;
    let success = issues.results.iter().all(|result| result.error.is_none());
    Ok(Json(Synced { success, issues }))
}

/// What a scheduled sync came to; errors of repositories stand in `issues.results`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    success: bool,
    started_at: Timestamp,
    finished_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    automation_skipped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    automation_skipped_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = IssuesSynced, required = false)]
    issues: Option<IssuesSynced>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AutomationTotals, required = false)]
    automation: Option<AutomationTotals>,
}

/// How many repositories GitHub described, and how many it did not.
#[derive(Serialize, ToSchema)]
pub struct AutomationTotals {
    synced: usize,
    failed: usize,
}

/// What to bring up to date.
#[derive(ToSchema)]
pub struct ScheduledBody {
    /// Read issues? Yes, unless `false`.
    pub issues: Option<bool>,
    /// `true`: asks GitHub about the repositories themselves, too.
    pub automation: Option<bool>,
}

/// Brings all tracked repositories up to date, as cron jobs of the Node edition ask for it.
#[utoipa::path(
    post,
    path = "/api/sync/scheduled",
    operation_id = "syncScheduled",
    tag = "sync",
    security(("bearer" = ["maintainer"])),
    request_body = ScheduledBody,
    responses((status = 200, description = "The reads ended, or go on without us.", body = Scheduled)),
)]
pub async fn scheduled(State(app): State<App>, _: Maintainer, body: Fields) -> ApiResult<Json<Scheduled>> {
    // As in the contract: only a literal `false` turns issues off, only a literal `true` turns automation on.
    let wants_issues = body.boolean("issues")?.unwrap_or(true);
    let wants_automation = body.boolean("automation")?.unwrap_or(false);
    let started_at = app.engine.clock().now();
    let issues = if wants_issues {
        let mut tx = app.engine.db().read_once().await?;
        let repos = repos::list_tracked(&mut tx).await?;
        drop(tx);
        Some(run(&app.engine, repos, (false, app.engine.settings().heartbeat_deadline)).await?)
    } else {
        None
    };
    let automation = if wants_automation { describe(&app.engine).await? } else { None };
    let skipped = wants_automation && automation.is_none();
    Ok(Json(Scheduled {
        success: true,
        started_at,
        finished_at: app.engine.clock().now(),
        automation_skipped: skipped.then_some(true),
        automation_skipped_reason: skipped.then_some("another automation sync holds the lock"),
        issues,
        automation,
    }))
}

async fn describe(engine: &Engine) -> ApiResult<Option<AutomationTotals>> {
    let mut tx = engine.db().read_once().await?;
    let repos = repos::list_tracked(&mut tx).await?;
    drop(tx);
    let described = automation::sync(engine, repos).await?;
    Ok(described.map(|all| {
        let failed = all.iter().filter(|one| one.error.is_some()).count();
        AutomationTotals { synced: all.len() - failed, failed }
    }))
}

/// Reads repositories, and waits for that only so long.
pub(in crate::http) async fn run(
    engine: &Engine,
    repos: Vec<TrackedRepo>,
    (sweep, patience): (bool, Duration),
) -> ApiResult<IssuesSynced> {
    let wish = Wish { arrival: engine.clock().now(), wait_until: Instant::now() + patience, patience, sweep };
    let report = sync::sync(engine, repos, wish).await;
    let mut tx = engine.db().read_once().await?;
    let counts = issue_list::count_by_repo(&mut tx).await?;
    let sync::Report { repos, notices } = report;
    let results: Vec<RepoSynced> = repos
        .iter()
        .map(|report| {
            let error = error_of(report, pause_of(engine, &notices, &report.repo.name));
            let cached = counts.iter().find(|(id, _)| *id == report.repo.id).map_or(0, |(_, count)| *count);
            let synced = if error.is_none() { cached } else { 0 };
            RepoSynced { repo: report.repo.name.to_string(), synced, error }
        })
        .collect();
    Ok(IssuesSynced {
        repos: results.len(),
        synced_count: results.iter().map(|result| result.synced).sum(),
        results,
    })
}

/// Why no read of that repository could begin.
fn pause_of<'n>(engine: &Engine, notices: &'n [Notice], repo: &RepoName) -> Option<&'n Code> {
    let account = engine.github.account(repo);
    let concerns = |notice: &&Notice| match &notice.subject {
        Subject::Installation(owner) => account == Some(owner),
        _ => notice.severity() == Severity::Critical || notice.code.is_patience(),
    };
    notices.iter().find(concerns).map(|notice| &notice.code)
}

fn error_of(report: &RepoReport, backoff: Option<&Code>) -> Option<String> {
    let words = |code: &Code| format!("{}; {}", code.what(), code.remedy());
    match &report.outcome {
        Outcome::Unchanged | Outcome::Changed => None,
        Outcome::Left(Some(Code::StillReading { .. })) => Some(STILL_RUNNING.to_owned()),
        Outcome::Failed(code) | Outcome::Left(Some(code)) => Some(words(code)),
        Outcome::Left(None) => Some(backoff.map_or_else(|| "left for the next pass".to_owned(), words)),
    }
}
