//! The rest of the cache (`contract/operations.md` 1.9 and 1.10): `/api/issues/untriaged` and `prune-closed`.

use axum::{Json, extract::State, http::HeaderMap};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        ids::{IssueId, IssueNumber},
        issue::{Issue, IssueState},
        repo::RepoName,
        time::Timestamp,
    },
    engine::prune,
    http::{
        App,
        auth::Maintainer,
        error::ApiResult,
        params::{Params, Start},
    },
    store::{issue_list, repos},
};

/// Rows of the list without `limit`, and with the largest.
const DEFAULT_LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// An issue without a place on the board.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UntriagedIssue)]
pub struct UntriagedOut {
    id: IssueId,
    number: IssueNumber,
    title: String,
    /// The issue's page at GitHub.
    #[schema(format = "uri")]
    url: String,
    labels: Vec<String>,
    state: IssueState,
    created_at: Timestamp,
    updated_at: Timestamp,
    repository: UntriagedRepository,
}

/// The repository of an issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UntriagedRepository {
    full_name: RepoName,
}

impl From<Issue> for UntriagedOut {
    fn from(issue: Issue) -> Self {
        Self {
            id: issue.id,
            number: issue.number,
            title: issue.title,
            url: issue.url,
            labels: issue.labels,
            state: issue.state,
            created_at: issue.created_at,
            updated_at: issue.updated_at,
            repository: UntriagedRepository { full_name: issue.repo },
        }
    }
}

/// Which issues.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct UntriagedFilter {
    /// The most rows; more than 200 counts as 200.
    #[param(minimum = 1)]
    pub limit: Option<i64>,
    /// Only issues of this repository; none when it is not tracked.
    pub repo: Option<RepoName>,
    /// `false`: also what updaters of dependencies made.
    pub exclude_renovate: Option<String>,
}

/// Lists open issues that have none of the six statuses, last changed first.
///
/// 50 rows, unless `limit` says otherwise.
#[utoipa::path(
    get,
    path = "/api/issues/untriaged",
    operation_id = "listUntriagedIssues",
    tag = "triage",
    security(("bearer" = ["maintainer"])),
    params(UntriagedFilter, Start),
    responses((status = 200, description = "A page of issues.", body = Vec<UntriagedOut>)),
)]
pub async fn untriaged(
    State(app): State<App>,
    _: Maintainer,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<UntriagedOut>>)> {
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT).min(LIMIT_MAX);
    let cursor = params.cursor()?;
    let name = params.repo("repo")?;
    let automated = params.text("excludeRenovate") == Some("false");
    let mut tx = app.engine.db().read().await?;
    let repo = match name {
        Some(name) => match repos::find_tracked(&mut tx, &name).await? {
            Some(repo) => Some(repo.id),
            None => return Ok((HeaderMap::new(), Json(Vec::new()))),
        },
        None => None,
    };
    let page = issue_list::list_untriaged(&mut tx, repo.as_ref(), automated, cursor.as_ref(), limit).await?;
    let headers = params.next_page(&page);
    Ok((headers, Json(page.rows.into_iter().map(UntriagedOut::from).collect())))
}

/// What was forgotten.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClosedPruned)]
pub struct PrunedOut {
    success: bool,
    #[schema(minimum = 0)]
    pruned_count: u64,
    /// `DISPATCH_CLOSED_ISSUE_RETENTION_DAYS`.
    #[schema(minimum = 1)]
    retention_days: u64,
    /// Issues closed before this time are forgotten.
    cutoff_date: Timestamp,
}

/// Forgets cached issues that were closed long ago.
///
/// One stays while a claim on it is live, or while something waits in the outbox for it. GitHub is not touched.
#[utoipa::path(
    post,
    path = "/api/issues/prune-closed",
    operation_id = "pruneClosedIssues",
    tag = "triage",
    security(("bearer" = ["maintainer"])),
    responses((status = 200, description = "They are forgotten.", body = PrunedOut)),
)]
pub async fn prune_closed(State(app): State<App>, _: Maintainer) -> ApiResult<Json<PrunedOut>> {
    const DAY_S: u64 = 24 * 3_600;
    let pruned = prune::prune_closed(&app.engine).await?;
    Ok(Json(PrunedOut {
        success: true,
        pruned_count: pruned.issues,
        retention_days: app.engine.settings().closed_retention.as_secs() / DAY_S,
        cutoff_date: pruned.cutoff,
    }))
}
