//! `POST /api/sync` and `/api/sync/scheduled` (`contract/operations.md` 1.2, 1.3): they join what runs.

use axum::{Json, extract::State};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    domain::{
        notice::{Code, Severity},
        repo::TrackedRepo,
        time::Timestamp,
    },
    engine::{
        Engine,
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

/// What a sync came to; `synced` counts the issues that are confirmed current.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Synced {
    success: bool,
    #[serde(flatten)]
    issues: IssuesSynced,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuesSynced {
    repos: usize,
    synced_count: i64,
    results: Vec<RepoSynced>,
}

#[derive(Serialize)]
pub struct RepoSynced {
    repo: String,
    synced: i64,
    error: Option<String>,
}

/// Brings all tracked repositories (or `repoFullName`) up to date; `sweep` reads every open issue anew.
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
    let issues = run(&app.engine, repos, sweep).await?;
    let success = issues.results.iter().all(|result| result.error.is_none());
    Ok(Json(Synced { success, issues }))
}

/// The answer of a scheduled sync; errors of repositories stand in `issues.results`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    success: bool,
    started_at: Timestamp,
    finished_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    automation_skipped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    automation_skipped_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issues: Option<IssuesSynced>,
}

/// What the scheduler of the Node edition called; cron jobs still do.
pub async fn scheduled(State(app): State<App>, _: Maintainer, body: Fields) -> ApiResult<Json<Scheduled>> {
    // As in the contract: only a literal `false` turns issues off, only a literal `true` turns automation on.
    let wants_issues = body.boolean("issues")?.unwrap_or(true);
    let wants_automation = body.boolean("automation")?.unwrap_or(false);
    let started_at = app.engine.clock().now();
    let issues = if wants_issues {
        let mut tx = app.engine.db().read_once().await?;
        let repos = repos::list_tracked(&mut tx).await?;
        drop(tx);
        Some(run(&app.engine, repos, false).await?)
    } else {
        None
    };
    Ok(Json(Scheduled {
        success: true,
        started_at,
        finished_at: app.engine.clock().now(),
        automation_skipped: wants_automation.then_some(true),
        automation_skipped_reason: wants_automation.then_some("this version mirrors issues only"),
        issues,
    }))
}

async fn run(engine: &Engine, repos: Vec<TrackedRepo>, sweep: bool) -> ApiResult<IssuesSynced> {
    let patience = engine.settings().heartbeat_deadline;
    let wish = Wish { arrival: engine.clock().now(), wait_until: Instant::now() + patience, patience, sweep };
    let report = sync::sync(engine, repos, wish).await;
    let mut tx = engine.db().read_once().await?;
    let counts = issue_list::count_by_repo(&mut tx).await?;
    let backoff = report
        .notices
        .iter()
        .find(|notice| notice.severity() == Severity::Critical || notice.code.is_patience());
    let results: Vec<RepoSynced> = report
        .repos
        .iter()
        .map(|report| {
            let error = error_of(report, backoff.map(|notice| &notice.code));
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

fn error_of(report: &RepoReport, backoff: Option<&Code>) -> Option<String> {
    let words = |code: &Code| format!("{}; {}", code.what(), code.remedy());
    match &report.outcome {
        Outcome::Unchanged | Outcome::Changed => None,
        Outcome::Left(Some(Code::StillReading { .. })) => Some("still running".to_owned()),
        Outcome::Failed(code) | Outcome::Left(Some(code)) => Some(words(code)),
        Outcome::Left(None) => Some(backoff.map_or_else(|| "left for the next pass".to_owned(), words)),
    }
}
