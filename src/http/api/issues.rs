//! `/api/issues`: the cache (`contract/operations.md` 1.7 and 3.2, `contract/agents.md` 7.4).

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        ids::{IssueId, IssueNumber, RepoId},
        issue::{Issue, IssueState},
        page::DEFAULT_LIMIT,
        repo::RepoName,
        time::Timestamp,
        version::Version,
    },
    engine::{
        self,
        refresh::{self, Refreshed},
    },
    http::{
        App,
        api::pr_health::LinkedPrColumns,
        auth::{Maintainer, Worker},
        error::{ApiError, ApiResult, ErrorBody},
        fields::Fields,
        params::{Limit, Params, Start},
    },
    store::{
        issue_list::{self, Closed, Filter},
        repos,
    },
};

/// An issue as it is cached.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Issue)]
pub struct IssueOut {
    id: IssueId,
    number: IssueNumber,
    repository_id: RepoId,
    title: String,
    #[schema(required)]
    body: Option<String>,
    state: IssueState,
    /// The issue's page at GitHub.
    #[schema(format = "uri")]
    url: String,
    labels: Vec<String>,
    /// Names of accounts.
    assignees: Vec<String>,
    #[schema(minimum = 0)]
    comments_count: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[schema(required)]
    closed_at: Option<Timestamp>,
    /// When GitHub's copy was read.
    last_synced_at: Timestamp,
    /// The lane of the board that the labels lead to.
    #[schema(required)]
    current_lane: Option<String>,
    /// Has it been split into other issues?
    decomposed: bool,
    repository: RepositoryOut,
    #[schema(required)]
    decomposed_at: Option<Timestamp>,
    #[schema(required)]
    decomposed_by: Option<String>,
    #[schema(required)]
    decomposed_note: Option<String>,
    /// The issues that it was split into.
    follow_up_urls: Vec<String>,
    #[schema(required)]
    groomed_at: Option<Timestamp>,
    #[schema(required)]
    groomed_by: Option<String>,
    #[schema(required)]
    grooming_summary: Option<String>,
    #[schema(required)]
    not_ready_reason: Option<String>,
    #[schema(required)]
    blocked_reason: Option<String>,
    #[schema(required)]
    needs_info_reason: Option<String>,
    /// What is to be done next about it.
    #[schema(required)]
    next_grooming_action: Option<String>,
    /// What to send as `If-Match` with a change that was decided on this.
    version: Version,
    #[serde(flatten)]
    linked: LinkedPrColumns,
}

/// The repository of an issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssueRepository)]
pub struct RepositoryOut {
    id: RepoId,
    name: String,
    owner: String,
    full_name: RepoName,
    enabled: bool,
}

impl From<Issue> for IssueOut {
    fn from(issue: Issue) -> Self {
        let version = Version::of(&issue);
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
            decomposed: issue.split.decomposed,
            repository,
            decomposed_at: issue.split.at,
            decomposed_by: issue.split.by,
            decomposed_note: issue.split.note,
            follow_up_urls: issue.split.follow_up_urls,
            groomed_at: issue.grooming.at,
            groomed_by: issue.grooming.by,
            grooming_summary: issue.grooming.summary,
            not_ready_reason: issue.grooming.not_ready_reason,
            blocked_reason: issue.grooming.blocked_reason,
            needs_info_reason: issue.grooming.needs_info_reason,
            next_grooming_action: issue.grooming.next_action,
            version,
            linked: issue.linked.into(),
        }
    }
}

/// Which issues.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct IssueFilter {
    /// Only issues of this repository; none when it is not tracked.
    pub repo: Option<RepoName>,
    /// Only issues with this label.
    #[param(example = "agent/coder")]
    pub agent: Option<String>,
    /// Only issues with this label.
    #[param(example = "owner/web")]
    pub owner: Option<String>,
    /// Only issues with this label.
    #[param(example = "priority/p1")]
    pub priority: Option<String>,
    /// Only issues with the label `project/` and this.
    pub project: Option<String>,
    /// `true`: only issues that were split; anything else: only those that were not.
    pub decomposed: Option<String>,
    /// `true`: also those that were closed long ago.
    pub include_closed: Option<String>,
}

/// Lists issues, last changed first.
///
/// Open ones and those closed lately; with `includeClosed=true` all that are cached. With `repo` and without
/// `limit` the list is whole, because clients resolve ids with it; else it has 1000 rows at most.
#[utoipa::path(
    get,
    path = "/api/issues",
    operation_id = "listIssues",
    tag = "issues",
    security(("bearer" = ["worker"])),
    params(IssueFilter, Limit, Start),
    responses((status = 200, description = "A page of issues.", body = Vec<IssueOut>)),
)]
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssueStanding)]
pub struct StateOut {
    issue_id: IssueId,
    repo_full_name: RepoName,
    number: IssueNumber,
    state: IssueState,
    #[schema(required)]
    closed_at: Option<Timestamp>,
    labels: Vec<String>,
    /// What to send as `If-Match` with a change that was decided on this.
    version: Version,
}

/// Which issue.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IssueName {
    pub repo: RepoName,
    pub number: IssueNumber,
}

/// Finds one issue by repository and number, open or closed.
#[utoipa::path(
    get,
    path = "/api/issues/state",
    operation_id = "getIssueState",
    tag = "issues",
    security(("bearer" = ["worker"])),
    params(IssueName),
    responses(
        (status = 200, description = "The issue is cached.", body = StateOut,
            headers(("ETag" = String, description = "The `version` in quotes."))),
        (status = 404, description = "It is not cached, or its repository is not tracked."),
    ),
)]
pub async fn state(
    State(app): State<App>,
    _: Worker,
    params: Params,
) -> ApiResult<([(HeaderName, String); 1], Json<StateOut>)> {
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
    let version = Version::of(&issue);
    let tag = [(header::ETAG, format!("\"{version}\""))];
    let state = StateOut {
        issue_id: issue.id,
        repo_full_name: issue.repo,
        number: issue.number,
        state: issue.state,
        closed_at: issue.closed_at,
        labels: issue.labels,
        version,
    };
    Ok((tag, Json(state)))
}

/// Which issue to refresh.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RefreshBody {
    pub repo_full_name: RepoName,
    pub issue_number: IssueNumber,
}

/// What a refresh did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refreshed)]
pub struct RefreshedOut {
    success: bool,
    repo: RepoName,
    issue_number: IssueNumber,
    action: RefreshAction,
    #[schema(required)]
    error: Option<String>,
}

/// What became of the cached issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RefreshAction {
    Created,
    Updated,
}

/// What a refresh failed at.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RefreshFailed {
    #[serde(flatten)]
    pub error: ErrorBody,
    pub repo: RepoName,
    pub issue_number: IssueNumber,
}

/// Reads one issue from GitHub, now.
#[utoipa::path(
    post,
    path = "/api/issues/refresh",
    operation_id = "refreshIssue",
    tag = "issues",
    security(("bearer" = ["maintainer"])),
    request_body = RefreshBody,
    responses(
        (status = 200, description = "The cache has GitHub's copy.", body = RefreshedOut),
        (status = 404, description = "GitHub has no such issue, or its repository is not tracked."),
        (status = 502, description = "GitHub failed; the cache is as it was.", body = RefreshFailed),
    ),
)]
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
        Refreshed::Created => RefreshAction::Created,
        Refreshed::Updated => RefreshAction::Updated,
    };
    Ok(Json(RefreshedOut { success: true, repo, issue_number, action, error: None }))
}
