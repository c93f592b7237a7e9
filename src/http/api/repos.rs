//! Tracked repositories (`contract/operations.md` 6.1).

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
};
use serde::Serialize;
use serde_json::{Value, json};

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

/// A tracked repository with what its last read came to. Dispatch mirrors issues and pull requests, not
/// Actions: the lists and counts of workflows and releases are there for their shape and stay empty.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRepo {
    id: RepoId,
    full_name: RepoName,
    name: String,
    owner: String,
    default_branch: String,
    latest_commit_sha: Option<String>,
    #[serde(rename = "openPRCount")]
    open_pr_count: i64,
    last_synced_at: Option<Timestamp>,
    sync_error: Option<String>,
    source: RepoSource,
    created_at: Timestamp,
    updated_at: Timestamp,
    workflows: [Value; 0],
    releases: [Value; 0],
    #[serde(rename = "_count")]
    count: Value,
    failing_runs: u8,
    running_runs: u8,
    last_sync_run: Option<Value>,
    /// The row among the parents of cached issues: the same one here.
    repository_id: RepoId,
}

impl From<RepoRow> for AutomationRepo {
    fn from(row: RepoRow) -> Self {
        Self {
            repository_id: row.id.clone(),
            id: row.id,
            name: row.full_name.name().to_owned(),
            owner: row.full_name.owner().to_owned(),
            full_name: row.full_name,
            default_branch: row.default_branch,
            latest_commit_sha: None,
            open_pr_count: row.open_pulls,
            last_synced_at: row.confirmed_at,
            sync_error: row.error,
            source: row.source,
            created_at: row.created_at,
            updated_at: row.updated_at,
            workflows: [],
            releases: [],
            count: json!({ "workflows": 0, "releases": 0 }),
            failing_runs: 0,
            running_runs: 0,
            last_sync_run: None,
        }
    }
}

/// A repository as the parent of cached issues.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlainRepo {
    id: RepoId,
    name: String,
    owner: String,
    full_name: RepoName,
    enabled: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// The tracked repositories, by name.
pub async fn list(State(app): State<App>, _: Maintainer) -> ApiResult<Json<Vec<AutomationRepo>>> {
    let mut tx = app.engine.db().read_once().await?;
    let rows = repos::list_all(&mut tx).await?;
    Ok(Json(rows.into_iter().filter(|row| row.tracked).map(AutomationRepo::from).collect()))
}

/// Every repository that was ever tracked, by name.
pub async fn list_plain(State(app): State<App>, _: Maintainer) -> ApiResult<Json<Vec<PlainRepo>>> {
    let mut tx = app.engine.db().read_once().await?;
    let rows = repos::list_all(&mut tx).await?;
    Ok(Json(rows.into_iter().map(PlainRepo::from).collect()))
}

/// Tracks a repository; one that GitHub does not know is accepted, and its next read says so.
pub async fn add(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: Fields,
) -> ApiResult<(StatusCode, Json<AutomationRepo>)> {
    let row = add_row(&app, &caller, &body).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// The deprecated twin of [`add`].
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

/// Stops tracking a repository.
pub async fn remove(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    path: Result<Path<(String, String)>, PathRejection>,
) -> ApiResult<Json<Value>> {
    // What is no UTF-8 is no name either.
    let name = path.map_or_else(|_| String::new(), |Path((owner, repo))| format!("{owner}/{repo}"));
    let name: RepoName = name.parse().map_err(|rule| ApiError::invalid("repo", format!("repo: {rule}")))?;
    engine::repos::remove(&app.engine, &caller, &name).await?;
    Ok(Json(json!({ "success": true })))
}
