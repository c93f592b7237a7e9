//! `/api/issues`: the cache (`contract/operations.md` 1.7 and 3.2, `contract/agents.md` 7.4).

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;

use crate::{
    domain::{
        ids::{IssueId, IssueNumber, RepoId},
        issue::{Issue, IssueState},
        page::DEFAULT_LIMIT,
        repo::RepoName,
        time::Timestamp,
    },
    engine::{
        self,
        refresh::{self, Refreshed},
    },
    http::{
        App,
        auth::{Maintainer, Worker},
        error::{ApiError, ApiResult},
        fields::Fields,
        params::Params,
    },
    store::{
        issue_list::{self, Closed, Filter},
        repos,
    },
};

/// An issue on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssueOut {
    id: IssueId,
    number: IssueNumber,
    repository_id: RepoId,
    title: String,
    body: Option<String>,
    state: IssueState,
    url: String,
    labels: Vec<String>,
    assignees: Vec<String>,
    comments_count: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    last_synced_at: Timestamp,
    current_lane: Option<String>,
    decomposed: bool,
    repository: RepositoryOut,
}

/// The repository of an issue.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryOut {
    id: RepoId,
    name: String,
    owner: String,
    full_name: RepoName,
    enabled: bool,
}

impl From<Issue> for IssueOut {
    fn from(issue: Issue) -> Self {
        let repository = RepositoryOut {
            id: issue.repo_id.clone(),
            name: issue.repo.name().to_owned(),
            owner: issue.repo.owner().to_owned(),
            full_name: issue.repo,
            enabled: true,
        };
        Self {
            id: issue.id,
            number: issue.number,
            repository_id: issue.repo_id,
            title: issue.title,
            body: issue.body,
            state: issue.state,
            url: issue.url,
            labels: issue.labels,
            assignees: issue.assignees,
            comments_count: issue.comments,
            created_at: issue.created_at,
            updated_at: issue.updated_at,
            closed_at: issue.closed_at,
            last_synced_at: issue.synced_at,
            current_lane: issue.current_lane,
            decomposed: issue.decomposed,
            repository,
        }
    }
}

/// Lists issues, last changed first: open ones and those closed lately, with `includeClosed=true` all cached.
/// `?repo=` without `limit` is whole, because clients resolve ids with it.
pub async fn list(
    State(app): State<App>,
    _: Worker,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<IssueOut>>)> {
    let mut tx = app.engine.db().read().await?;
    let repo = match params.repo("repo")? {
        Some(name) => match repos::find_tracked(&mut tx, &name).await? {
            Some(repo) => Some(repo.id),
            None => return Ok((HeaderMap::new(), Json(Vec::new()))),
        },
        None => None,
    };
    let limit = match (params.limit()?, &repo) {
        (Some(limit), _) => Some(limit),
        (None, Some(_)) => None,
        (None, None) => Some(DEFAULT_LIMIT),
    };
    let settings = app.engine.settings();
    let filter = Filter {
        repo,
        labels: labels(&params),
        decomposed: params.text("decomposed").map(|text| text == "true"),
        closed: match params.text("includeClosed") {
            Some("true") => Closed::All,
            _ => Closed::Since(app.engine.clock().now().minus(settings.done_retention)),
        },
    };
    let page = issue_list::list(&mut tx, &filter, params.cursor()?.as_ref(), limit).await?;
    let headers = params.next_page(&page);
    Ok((headers, Json(page.rows.into_iter().map(IssueOut::from).collect())))
}

/// `agent`, `owner` and `priority` are whole labels, `project` is a name without its prefix.
fn labels(params: &Params) -> Vec<String> {
    let whole = ["agent", "owner", "priority"].iter().filter_map(|name| params.text(name)).map(str::to_owned);
    let project = params.text("project").map(|name| format!("project/{name}"));
    whole.chain(project).map(|label| label.to_lowercase()).collect()
}

/// Where one issue stands in the cache.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateOut {
    issue_id: IssueId,
    repo_full_name: RepoName,
    number: IssueNumber,
    state: IssueState,
    closed_at: Option<Timestamp>,
    labels: Vec<String>,
}

/// One issue by repository and number, without any filter; 404 means unknown, not closed.
pub async fn state(State(app): State<App>, _: Worker, params: Params) -> ApiResult<Json<StateOut>> {
    let (Some(repo), Some(number)) = (params.text("repo"), params.text("number")) else {
        let field = if params.text("repo").is_none() { "repo" } else { "number" };
        return Err(ApiError::invalid(field, "Missing required query parameters: repo, number"));
    };
    let number = number.parse::<i64>().ok().filter(|number| *number > 0);
    let Some(number) = number.map(IssueNumber) else {
        let raw = params.text("number").unwrap_or_default();
        return Err(ApiError::invalid("number", format!("Invalid number: {raw}")));
    };
    let name: RepoName = repo.parse().map_err(|rule| ApiError::invalid("repo", format!("repo: {rule}")))?;
    let unknown = || ApiError::not_found(format!("Issue not found in cache: {name}#{number}"));
    let mut tx = app.engine.db().read().await?;
    let tracked = repos::find_tracked(&mut tx, &name).await?.ok_or_else(unknown)?;
    let issue = issue_list::find(&mut tx, &tracked.id, number).await?.ok_or_else(unknown)?;
    Ok(Json(StateOut {
        issue_id: issue.id,
        repo_full_name: issue.repo,
        number: issue.number,
        state: issue.state,
        closed_at: issue.closed_at,
        labels: issue.labels,
    }))
}

/// What a refresh did.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshedOut {
    success: bool,
    repo: RepoName,
    issue_number: IssueNumber,
    action: &'static str,
    error: Option<String>,
}

/// Reads one issue from GitHub, now.
pub async fn refresh(State(app): State<App>, _: Maintainer, body: Fields) -> ApiResult<Json<RefreshedOut>> {
    let missing = |field: &str, what: &str| ApiError::invalid(field, format!("{field} is required: {what}"));
    let name = body.string("repoFullName")?.ok_or_else(|| missing("repoFullName", "owner/name"))?;
    let repo: RepoName =
        name.parse().map_err(|rule| ApiError::invalid("repoFullName", format!("repoFullName: {rule}")))?;
    let number = body.positive("issueNumber")?.ok_or_else(|| missing("issueNumber", "a positive integer"))?;
    let issue_number = IssueNumber(number);
    let refreshed =
        refresh::refresh(&app.engine, &repo, issue_number).await.map_err(|error| match error {
            engine::Error::GitHub(message) => ApiError::new(StatusCode::BAD_GATEWAY, message)
                .with("repo", repo.as_str())
                .with("issueNumber", number),
            other => other.into(),
        })?;
    let action = match refreshed {
        Refreshed::Created => "created",
        Refreshed::Updated => "updated",
    };
    Ok(Json(RefreshedOut { success: true, repo, issue_number, action, error: None }))
}
