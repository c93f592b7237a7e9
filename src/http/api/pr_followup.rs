//! `POST /api/pr-followup/sync` (`contract/operations.md` 5.1): what happens to the pull requests of bots.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    engine::pr_followup::{self, Report},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
    },
};

/// What a look came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrFollowupSynced)]
pub struct SyncedOut {
    message: String,
    repos_scanned: u64,
    repos_failed: u64,
    prs_scanned: u64,
    /// Evidence that was new, in the PR-fix queue.
    enqueued: u64,
    /// Evidence that was known.
    skipped: u64,
    /// Items whose pull requests are closed.
    stale_reaped: u64,
    /// GitHub asks to wait.
    rate_limited: bool,
}

/// A look is under way.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = PrFollowupLocked)]
#[expect(dead_code, reason = "describes a refusal of `http::error`")]
struct UnderWay {
    error: String,
    locked: bool,
    request_id: String,
}

/// Looks at the open pull requests of bots: comments, reviews, checks and conflicts become items of the PR-fix queue.
///
/// What did not change costs nothing of the hourly quota.
#[utoipa::path(
    post,
    path = "/api/pr-followup/sync",
    operation_id = "syncPrFollowup",
    tag = "pr_followup",
    security(("bearer" = ["maintainer"])),
    responses(
        (status = 200, description = "They were looked at.", body = SyncedOut),
        (status = 409, description = "Another look is under way.", body = UnderWay),
    ),
)]
pub async fn sync(State(app): State<App>, _: Maintainer) -> ApiResult<Json<SyncedOut>> {
    if app.engine.is_anonymous() {
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "GITHUB_TOKEN not configured"));
    }
    let Some(report) = pr_followup::sync(&app.engine).await? else {
        return Err(ApiError::conflict("PR follow-up sync is already running").with("locked", true));
    };
    let Report {
        repos_scanned,
        repos_failed,
        prs_scanned,
        enqueued,
        skipped,
        stale_reaped,
        rate_limited,
        ..
    } = report;
    let message = match repos_scanned {
        0 => "No repositories to follow".to_owned(),
        _ => format!("{prs_scanned} pull requests looked at, {enqueued} pieces of evidence are new"),
    };
    Ok(Json(SyncedOut {
        message,
        repos_scanned,
        repos_failed,
        prs_scanned,
        enqueued,
        skipped,
        stale_reaped,
        rate_limited,
    }))
}
