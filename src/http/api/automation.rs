//! `/api/automation/sync` (`contract/operations.md` 6.3): what GitHub says of repositories themselves.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::repos::{AutomationCounts, AutomationRow};
use crate::{
    domain::repo::RepoName,
    engine::{
        Error,
        automation::{self, Described},
        refresh::tracked,
    },
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::{Fields, NOT_JSON, OptionalFields},
    },
    store::repos,
};

/// A tracked repository as GitHub describes it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DescribedRepository)]
pub struct DescribedRepo {
    #[serde(flatten)]
    row: AutomationRow,
    #[serde(rename = "_count")]
    count: AutomationCounts,
}

/// Which repository; all of them without a name.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct AutomationSyncBody {
    pub repo: Option<RepoName>,
    /// Another name of `repo`.
    pub full_name: Option<RepoName>,
}

/// What came of it: of one repository, or of all.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum AutomationSynced {
    One(OneSynced),
    All(AllSynced),
}

/// One repository was described anew.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OneSynced {
    success: bool,
    /// Names the pass; `lastSyncRun` of the repository shows it.
    sync_run_id: String,
}

/// All repositories were asked about.
#[derive(Serialize, ToSchema)]
pub struct AllSynced {
    synced: usize,
    failed: usize,
    results: Vec<RepoResult>,
}

/// What came of one repository.
#[derive(Serialize, ToSchema)]
#[schema(as = AutomationResult)]
pub struct RepoResult {
    repo: RepoName,
    result: ResultOut,
}

/// Whether GitHub described it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AutomationOutcome)]
pub struct ResultOut {
    success: bool,
    /// What happened and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    error: Option<String>,
    sync_run_id: String,
}

/// A pass is under way.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = AutomationLocked)]
#[expect(dead_code, reason = "describes a refusal of `http::error`")]
struct UnderWay {
    error: String,
    locked: bool,
    request_id: String,
}

/// Lists tracked repositories as GitHub describes them.
#[utoipa::path(
    get,
    path = "/api/automation/sync",
    operation_id = "listDescribedRepos",
    tag = "automation",
    security(("bearer" = ["maintainer"])),
    responses((status = 200, description = "All tracked repositories, by name.", body = Vec<DescribedRepo>)),
)]
pub async fn list(State(app): State<App>, _: Maintainer) -> ApiResult<Json<Vec<DescribedRepo>>> {
    let mut tx = app.engine.db().read_once().await?;
    let rows = repos::list_all(&mut tx).await?;
    let described = rows
        .into_iter()
        .filter(|row| row.tracked)
        .map(|row| DescribedRepo { row: row.into(), count: AutomationCounts::default() });
    Ok(Json(described.collect()))
}

/// Asks GitHub what it says of repositories themselves: default branch, newest commit, archived or not.
///
/// What did not change costs nothing of the hourly quota. Failures of repositories stand in `results`.
#[utoipa::path(
    post,
    path = "/api/automation/sync",
    operation_id = "syncRepos",
    tag = "automation",
    security(("bearer" = ["maintainer"])),
    request_body = Option<AutomationSyncBody>,
    responses(
        (status = 200, description = "GitHub was asked.", body = AutomationSynced),
        (status = 404, description = "The repository is not tracked."),
        (status = 409, description = "Another pass is under way.", body = UnderWay),
        (status = 502, description = "GitHub did not describe the one repository."),
    ),
)]
pub async fn sync(
    State(app): State<App>,
    _: Maintainer,
    body: ApiResult<OptionalFields>,
) -> ApiResult<Json<AutomationSynced>> {
    // As in the contract: what is no JSON means all repositories.
    let OptionalFields(body) = match body {
        Err(error) if error.is_said(NOT_JSON) => OptionalFields(Fields::of(&json!({}))),
        body => body?,
    };
    let read = |field: &str, text: Option<&str>| -> ApiResult<Option<RepoName>> {
        let name = text.map(str::parse).transpose();
        name.map_err(|rule| ApiError::invalid(field, format!("{field}: {rule}")))
    };
    let (repo, full_name) =
        (read("repo", body.string("repo")?)?, read("fullName", body.string("fullName")?)?);
    let only = repo.or(full_name);
    let mut tx = app.engine.db().read_once().await?;
    let of = match &only {
        Some(name) => vec![tracked(&mut tx, name).await?],
        None => repos::list_tracked(&mut tx).await?,
    };
    drop(tx);
    let Some(described) = automation::sync(&app.engine, of).await? else {
        return Err(ApiError::conflict("Automation sync is already running").with("locked", true));
    };
    if only.is_some() {
        let one = described.into_iter().next().ok_or_else(|| ApiError::internal("nothing was described"))?;
        return match one.error {
            None => Ok(Json(AutomationSynced::One(OneSynced { success: true, sync_run_id: one.run }))),
            Some(error) => Err(Error::GitHub(error).into()),
        };
    }
    let failed = described.iter().filter(|one| one.error.is_some()).count();
    let results: Vec<RepoResult> = described.into_iter().map(RepoResult::from).collect();
    Ok(Json(AutomationSynced::All(AllSynced { synced: results.len() - failed, failed, results })))
}

impl From<Described> for RepoResult {
    fn from(one: Described) -> Self {
        let result = ResultOut { success: one.error.is_none(), error: one.error, sync_run_id: one.run };
        Self { repo: one.repo, result }
    }
}
