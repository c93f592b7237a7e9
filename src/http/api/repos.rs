//! Tracked repositories (`contract/operations.md` 6.1).

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::{
        access::Caller,
        ids::RepoId,
        repo::{RepoName, RepoSource},
        time::Timestamp,
    },
    engine,
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
    },
    store::repos::{self, RepoRow},
};

/// A tracked repository as lists show it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRow {
    id: RepoId,
    full_name: RepoName,
    name: String,
    owner: String,
    default_branch: String,
    /// The newest commit of the default branch; null before POST /api/automation/sync.
    #[schema(required)]
    latest_commit_sha: Option<String>,
    #[serde(rename = "openPRCount")]
    #[schema(minimum = 0)]
    open_pr_count: i64,
    /// When GitHub last confirmed the cache, or was last asked about the repository itself; null before.
    #[schema(required)]
    last_synced_at: Option<Timestamp>,
    /// Why the last read failed.
    #[schema(required)]
    sync_error: Option<String>,
    source: RepoSource,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// It takes no changes any more.
    archived: bool,
}

impl From<RepoRow> for AutomationRow {
    fn from(row: RepoRow) -> Self {
        Self {
            id: row.id,
            name: row.full_name.name().to_owned(),
            owner: row.full_name.owner().to_owned(),
            full_name: row.full_name,
            default_branch: row.default_branch,
            latest_commit_sha: row.latest_commit,
            open_pr_count: row.open_pulls,
            last_synced_at: row.confirmed_at.max(row.described_at.filter(|_| row.describe_error.is_none())),
            sync_error: row.error.or(row.describe_error),
            source: row.source,
            created_at: row.created_at,
            updated_at: row.updated_at,
            archived: row.archived,
        }
    }
}

/// A tracked repository with what its last read came to. Dispatch keeps no lists of workflows and releases: theirs and their
/// counts are there for their shape and stay empty.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRepo {
    #[serde(flatten)]
    row: AutomationRow,
    /// Always empty.
    #[schema(value_type = Vec<Object>, max_items = 0)]
    workflows: [Value; 0],
    /// Always empty.
    #[schema(value_type = Vec<Object>, max_items = 0)]
    releases: [Value; 0],
    #[serde(rename = "_count")]
    count: AutomationCount,
    /// Always 0.
    #[schema(maximum = 0)]
    failing_runs: u8,
    /// Always 0.
    #[schema(maximum = 0)]
    running_runs: u8,
    /// What POST /api/automation/sync last came to; null before.
    #[schema(required)]
    last_sync_run: Option<AutomationRun>,
    /// The row among the parents of cached issues: the same one here.
    repository_id: RepoId,
}

/// GitHub was asked about a repository itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRun {
    id: String,
    #[schema(value_type = String, examples("completed", "failed"))]
    status: &'static str,
    #[schema(required)]
    error_message: Option<String>,
    started_at: Timestamp,
    completed_at: Timestamp,
}

impl AutomationRun {
    fn of(row: &RepoRow) -> Option<Self> {
        let error = row.describe_error.clone();
        Some(Self {
            id: row.described_by.clone()?,
            status: if error.is_none() { "completed" } else { "failed" },
            error_message: error,
            started_at: row.describe_began_at?,
            completed_at: row.described_at?,
        })
    }
}

/// Counts that stay 0.
#[derive(Default, Serialize, ToSchema)]
pub struct AutomationCount {
    #[schema(maximum = 0)]
    workflows: u8,
    #[schema(maximum = 0)]
    releases: u8,
}

/// Counts that stay 0.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationCounts {
    #[schema(maximum = 0)]
    workflows: u8,
    #[schema(maximum = 0)]
    releases: u8,
    #[schema(maximum = 0)]
    automation_events: u8,
}

impl From<RepoRow> for AutomationRepo {
    fn from(row: RepoRow) -> Self {
        Self {
            repository_id: row.id.clone(),
            last_sync_run: AutomationRun::of(&row),
            row: row.into(),
            workflows: [],
            releases: [],
            count: AutomationCount::default(),
            failing_runs: 0,
            running_runs: 0,
        }
    }
}

/// A repository as the parent of cached issues.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Repository)]
pub struct PlainRepo {
    id: RepoId,
    name: String,
    owner: String,
    full_name: RepoName,
    /// Is it tracked?
    enabled: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// The same id once more, where one was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RepoId, required = false)]
    automation_repo_id: Option<RepoId>,
}

impl From<RepoRow> for PlainRepo {
    fn from(row: RepoRow) -> Self {
        Self {
            id: row.id,
            name: row.full_name.name().to_owned(),
            owner: row.full_name.owner().to_owned(),
            full_name: row.full_name,
            enabled: row.tracked,
            created_at: row.created_at,
            updated_at: row.updated_at,
            automation_repo_id: None,
        }
    }
}

/// Which repository to track.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RepoBody {
    pub full_name: RepoName,
}

/// That it was done.
#[derive(Serialize, ToSchema)]
pub struct Done {
    success: bool,
}

/// Lists the tracked repositories by name.
#[utoipa::path(
    get,
    path = "/api/automation/repos",
    operation_id = "listTrackedRepos",
    tag = "repositories",
    security(("bearer" = ["maintainer"])),
    responses((status = 200, description = "All tracked repositories.", body = Vec<AutomationRepo>)),
)]
pub async fn list(State(app): State<App>, _: Maintainer) -> ApiResult<Json<Vec<AutomationRepo>>> {
    let mut tx = app.engine.db().read_once().await?;
    let rows = repos::list_all(&mut tx).await?;
    Ok(Json(rows.into_iter().filter(|row| row.tracked).map(AutomationRepo::from).collect()))
}

/// Lists every repository that was ever tracked, by name.
#[utoipa::path(
    get,
    path = "/api/repos",
    operation_id = "listRepos",
    tag = "repositories",
    security(("bearer" = ["maintainer"])),
    responses((status = 200, description = "All repositories.", body = Vec<PlainRepo>)),
)]
pub async fn list_plain(State(app): State<App>, _: Maintainer) -> ApiResult<Json<Vec<PlainRepo>>> {
    let mut tx = app.engine.db().read_once().await?;
    let rows = repos::list_all(&mut tx).await?;
    Ok(Json(rows.into_iter().map(PlainRepo::from).collect()))
}

/// Tracks a repository.
///
/// One that GitHub does not know is accepted as well: its next read says so.
#[utoipa::path(
    post,
    path = "/api/automation/repos",
    operation_id = "trackRepo",
    tag = "repositories",
    security(("bearer" = ["maintainer"])),
    request_body = RepoBody,
    responses(
        (status = 201, description = "It is tracked.", body = AutomationRepo),
        (status = 409, description = "It was tracked already."),
    ),
)]
pub async fn add(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: Fields,
) -> ApiResult<(StatusCode, Json<AutomationRepo>)> {
    let row = add_row(&app, &caller, &body).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// Tracks a repository: the older form of POST /api/automation/repos.
#[utoipa::path(
    post,
    path = "/api/repos",
    operation_id = "addRepo",
    tag = "repositories",
    security(("bearer" = ["maintainer"])),
    request_body = RepoBody,
    responses(
        (status = 201, description = "It is tracked.", body = PlainRepo, headers(
            ("Deprecation" = String, description = "`true`"),
            ("Link" = String, description = "The route that succeeds this one."),
        )),
        (status = 409, description = "It was tracked already."),
    ),
)]
pub async fn add_plain(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: Fields,
) -> ApiResult<(StatusCode, HeaderMap, Json<PlainRepo>)> {
    let row = add_row(&app, &caller, &body).await?;
    let mut headers = HeaderMap::new();
    headers.insert("deprecation", HeaderValue::from_static("true"));
    headers.insert("link", HeaderValue::from_static("</api/automation/repos>; rel=\"successor-version\""));
    let mut plain = PlainRepo::from(row);
    plain.automation_repo_id = Some(plain.id.clone());
    Ok((StatusCode::CREATED, headers, Json(plain)))
}

async fn add_row(app: &App, caller: &Caller, body: &Fields) -> ApiResult<RepoRow> {
    let missing = || ApiError::invalid("fullName", "fullName is required: owner/name");
    let name = body.string("fullName")?.map(str::trim).filter(|name| !name.is_empty()).ok_or_else(missing)?;
    let name: RepoName =
        name.parse().map_err(|rule| ApiError::invalid("fullName", format!("fullName: {rule}")))?;
    Ok(engine::repos::add(&app.engine, caller, &name).await?)
}

/// Stops tracking a repository: its issues leave every list, and are back when it is tracked again.
#[utoipa::path(
    delete,
    path = "/api/automation/repos/{owner}/{repo}",
    operation_id = "untrackRepo",
    tag = "repositories",
    security(("bearer" = ["maintainer"])),
    params(
        ("owner" = String, Path, description = "The part of its name before the slash.", example = "octocat"),
        ("repo" = String, Path, description = "The part after it.", example = "hello-world"),
    ),
    responses(
        (status = 200, description = "It is tracked no longer.", body = Done),
        (status = 404, description = "It is not tracked."),
    ),
)]
pub async fn remove(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    path: Result<Path<(String, String)>, PathRejection>,
) -> ApiResult<Json<Done>> {
    // What is no UTF-8 is no name either.
    let name = path.map_or_else(|_| String::new(), |Path((owner, repo))| format!("{owner}/{repo}"));
    let name: RepoName = name.parse().map_err(|rule| ApiError::invalid("repo", format!("repo: {rule}")))?;
    engine::repos::remove(&app.engine, &caller, &name).await?;
    Ok(Json(Done { success: true }))
}
