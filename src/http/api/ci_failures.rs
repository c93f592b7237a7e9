//! `POST /api/ci-failures/sync` (`contract/operations.md` 5.4): workflows that fail on the default branch.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{ids::IssueNumber, repo::RepoName},
    engine::ci_failures::{self, Report},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
    },
};

/// What came of a look at all workflows.
#[derive(Serialize, ToSchema)]
#[schema(as = CiFailuresSynced)]
pub struct SyncedOut {
    /// Issues that are opened.
    filed: Vec<AboutWorkflow>,
    /// Issues that are closed, as their workflows work again.
    closed: Vec<AboutWorkflow>,
    skipped: Vec<SkippedWorkflow>,
    errors: Vec<RepoError>,
}

/// An issue about a workflow.
#[derive(Serialize, ToSchema)]
pub struct AboutWorkflow {
    repo: RepoName,
    /// Null while it waits in the outbox to be opened.
    #[schema(required)]
    number: Option<IssueNumber>,
    workflow: String,
}

/// A workflow that was left as it is.
#[derive(Serialize, ToSchema)]
pub struct SkippedWorkflow {
    repo: RepoName,
    workflow: String,
    #[schema(examples("failed once: the second failure counts"))]
    reason: String,
}

/// A repository whose workflows could not be looked at.
#[derive(Serialize, ToSchema)]
#[schema(as = CiFailuresError)]
pub struct RepoError {
    repo: RepoName,
    /// What happened and what to do.
    error: String,
}

/// A look is under way.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = CiFailuresLocked)]
#[expect(dead_code, reason = "describes a refusal of `http::error`")]
struct UnderWay {
    error: String,
    locked: bool,
    request_id: String,
}

/// Looks for workflows that fail on the default branch.
///
/// Two failures in a row open an issue, one for each failure; two successes close it. What a person opened again is left
/// alone. Repositories without new runs cost nothing of the hourly quota, and are not mentioned.
#[utoipa::path(
    post,
    path = "/api/ci-failures/sync",
    operation_id = "syncCiFailures",
    tag = "ci_failures",
    security(("bearer" = ["maintainer"])),
    responses(
        (status = 200, description = "All repositories were looked at.", body = SyncedOut),
        (status = 409, description = "Another look is under way.", body = UnderWay),
    ),
)]
pub async fn sync(State(app): State<App>, _: Maintainer) -> ApiResult<Json<SyncedOut>> {
    let Some(report) = ci_failures::sync(&app.engine).await? else {
        return Err(ApiError::conflict("CI failure sync is already running").with("locked", true));
    };
    let Report { filed, closed, skipped, errors } = report;
    let about = |issues: Vec<(RepoName, Option<IssueNumber>, String)>| {
        issues.into_iter().map(|(repo, number, workflow)| AboutWorkflow { repo, number, workflow }).collect()
    };
    let skipped = skipped.into_iter();
    Ok(Json(SyncedOut {
        filed: about(filed),
        closed: about(closed),
        skipped: skipped.map(|(repo, workflow, reason)| SkippedWorkflow { repo, workflow, reason }).collect(),
        errors: errors.into_iter().map(|(repo, error)| RepoError { repo, error }).collect(),
    }))
}
