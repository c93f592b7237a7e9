//! Claims (`contract/agents.md` sections 7.1 to 7.5): `/api/issues/claim`, `unclaim`, `status`, `claimed`.

use axum::{Json, extract::State, http::HeaderMap};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        access::{Caller, Denied, Scope, Tier},
        claim::{Claim, Fence},
        ids::{AgentName, ClaimId, IssueId, IssueNumber},
        labels::Status,
        page::DEFAULT_LIMIT,
        repo::RepoName,
        time::Timestamp,
    },
    engine::claims::{self, ClaimAsk, Shown, StatusAsk, UnclaimAsk},
    http::{
        App,
        auth::{Maintainer, Worker, record_and_refuse},
        error::{ApiError, ApiResult},
        fields::Fields,
        params::{Limit, Params, Start},
    },
    store::claimed,
};

/// The longest reason for being blocked.
const REASON_MAX: usize = 2_000;

/// Which issue, and for which agent.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ClaimBody {
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    pub agent_name: AgentName,
    /// Whoever holds it; for maintainers.
    pub force: Option<bool>,
    /// The agent will renew it, by its heartbeats: it ends soon after it no longer does.
    pub lease: Option<bool>,
}

/// Which issue, and whose claim on it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UnclaimBody {
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    pub agent_name: AgentName,
    /// Refuses the request when another claim is live.
    #[schema(max_length = 100)]
    pub claim_id: Option<String>,
    pub fence: Option<Fence>,
}

/// Which issue, and where it stands.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct StatusBody {
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    /// `backlog`, `ready`, `in-progress`, `in-review`, `blocked` or `done`.
    #[schema(examples("in-review"))]
    pub status: String,
    /// Why it is blocked.
    #[schema(max_length = 2_000)]
    pub blocked_reason: Option<String>,
    pub agent_name: Option<AgentName>,
    /// Who is named in the audit log, where a maintainer's token is shown.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    /// Refuses the request when another claim is live.
    #[schema(max_length = 100)]
    pub claim_id: Option<String>,
    pub fence: Option<Fence>,
}

/// Somebody else has the issue.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = ClaimConflict)]
#[expect(dead_code, reason = "describes the refusals of `http::error`")]
pub struct Conflict {
    error: String,
    /// `claim_lost` where the request came too late for its own claim; `held` where the issue is another's.
    #[schema(value_type = String, required = false)]
    code: Option<String>,
    /// Who has the issue now.
    #[schema(required = false)]
    holder: Option<AgentName>,
    /// When the claim ended.
    #[schema(required = false)]
    lost_at: Option<Timestamp>,
    request_id: String,
}

/// A claim as its holder is told of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Claimed)]
pub struct ClaimedOut {
    success: bool,
    labels: Vec<String>,
    claim_id: ClaimId,
    fence: Fence,
    /// When a leased claim must be renewed, and a held one counts as stale.
    expires_at: Timestamp,
    /// What speaks against working on it now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<String>,
}

/// Claims an issue for an agent.
///
/// Its holder may do so again, which renews the claim. GitHub's word on the repository must be recent: it is asked
/// if it is not.
#[utoipa::path(
    post,
    path = "/api/issues/claim",
    operation_id = "claimIssue",
    tag = "claims",
    security(("bearer" = ["worker"])),
    request_body = ClaimBody,
    responses(
        (status = 200, description = "The issue is the agent's.", body = ClaimedOut),
        (status = 403, description = "The token is bound to another agent or to none, or may not force."),
        (status = 404, description = "There is no such issue in the cache."),
        (status = 409, description = "The issue is another's, by a claim or by a label.", body = Conflict),
    ),
)]
pub async fn claim(
    State(app): State<App>,
    Worker(caller): Worker,
    body: Fields,
) -> ApiResult<Json<ClaimedOut>> {
    let Named { issue, repo, number, agent } = named(&body)?;
    let force = body.boolean("force")?.unwrap_or(false);
    let lease = body.boolean("lease")?.unwrap_or(false);
    act_for(&app, &caller, &agent, "/api/issues/claim", Scope::Strict).await?;
    if force && caller.tier != Tier::Maintainer {
        let refusal = "Force claim requires a maintainer token";
        return Err(record_and_refuse(&app, &caller, Denied::Tier, "/api/issues/claim").await.said(refusal));
    }
    let ask = ClaimAsk { issue, repo, number, agent, force, lease, start: None };
    let granted = claims::claim(&app.engine, &caller, &ask).await?;
    let Claim { id, fence, expires_at, .. } = granted.claim;
    Ok(Json(ClaimedOut {
        success: true,
        labels: granted.labels,
        claim_id: id,
        fence,
        expires_at,
        warnings: granted.warnings,
    }))
}

/// What a release came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Unclaimed)]
pub struct UnclaimedOut {
    success: bool,
    labels: Vec<String>,
    /// The status label that is left.
    #[schema(required, value_type = Option<String>)]
    status: Option<&'static str>,
    /// Why it is that one, where that may surprise.
    #[schema(required, value_type = Option<String>)]
    status_note: Option<&'static str>,
}

/// Gives an issue up.
///
/// What was in progress is ready again; what waits for a review or for what blocks it stays as it is.
#[utoipa::path(
    post,
    path = "/api/issues/unclaim",
    operation_id = "unclaimIssue",
    tag = "claims",
    security(("bearer" = ["worker"])),
    request_body = UnclaimBody,
    responses(
        (status = 200, description = "The issue is nobody's.", body = UnclaimedOut),
        (status = 403, description = "The token is bound to another agent or to none."),
        (status = 404, description = "There is no such issue in the cache."),
        (status = 409, description = "The claim was lost before.", body = Conflict),
    ),
)]
pub async fn unclaim(
    State(app): State<App>,
    Worker(caller): Worker,
    body: Fields,
) -> ApiResult<Json<UnclaimedOut>> {
    let Named { issue, repo, number, agent } = named(&body)?;
    let shown = shown(&body)?;
    act_for(&app, &caller, &agent, "/api/issues/unclaim", Scope::Strict).await?;
    let ask = UnclaimAsk { issue, repo, number, agent, shown };
    let given_up = claims::unclaim(&app.engine, &caller, &ask).await?;
    Ok(Json(UnclaimedOut {
        success: true,
        labels: given_up.labels,
        status: given_up.status.map(Status::label),
        status_note: given_up.note,
    }))
}

/// Where an issue stands now.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusSet)]
pub struct StatusOut {
    success: bool,
    #[schema(value_type = String)]
    status: &'static str,
    labels: Vec<String>,
}

/// Sets the status of an issue.
///
/// Any may follow any, and no claim ends by it.
#[utoipa::path(
    post,
    path = "/api/issues/status",
    operation_id = "setIssueStatus",
    tag = "claims",
    security(("bearer" = ["worker"])),
    request_body = StatusBody,
    responses(
        (status = 200, description = "The issue stands there.", body = StatusOut),
        (status = 403, description = "The issue is not the worker's, or the token is bound to another agent or to none."),
        (status = 404, description = "There is no such issue in the cache."),
        (status = 409, description = "The claim was lost before.", body = Conflict),
    ),
)]
pub async fn status(
    State(app): State<App>,
    Worker(caller): Worker,
    body: Fields,
) -> ApiResult<Json<StatusOut>> {
    const MISSING: &str = "Missing required fields: issueId, repoFullName, issueNumber, status";
    let issue = required(&body, "issueId", MISSING)?;
    required(&body, "repoFullName", MISSING)?;
    body.positive("issueNumber")?.ok_or_else(|| ApiError::invalid("issueNumber", MISSING))?;
    let word = required(&body, "status", MISSING)?;
    let status = Status::ALL.into_iter().find(|status| status.word() == word).ok_or_else(|| {
        let allowed = Status::ALL.map(Status::label).join(", ");
        ApiError::invalid("status", format!("Invalid status label: {word}. Allowed: {allowed}"))
    })?;
    let reason = body.short("blockedReason", REASON_MAX)?.map(|reason| reason.trim().to_owned());
    let blocked_reason = reason.filter(|reason| !reason.is_empty() && status == Status::Blocked);
    if status == Status::Blocked && blocked_reason.is_none() {
        return Err(ApiError::invalid("blockedReason", "status: blocked needs a non-empty blockedReason"));
    }
    let agent = agent(&body, "agentName")?;
    let shown = shown(&body)?;
    let worker = worker_of(&app, &caller, agent.as_ref()).await?;
    let actor = match &caller.tier {
        Tier::Worker(bound) => bound.to_string(),
        _ => body
            .short("actor", 100)?
            .or(agent.as_ref().map(AgentName::to_string))
            .unwrap_or(caller.actor().to_owned()),
    };
    let issue = IssueId(issue);
    let ask = StatusAsk { issue, status, blocked_reason, actor, worker, named: agent, shown };
    let derived = claims::set_status(&app.engine, &caller, &ask).await?;
    Ok(Json(StatusOut { success: true, status: status.label(), labels: derived.labels }))
}

/// For which agent a worker token sets a status; a maintainer needs none.
async fn worker_of(app: &App, caller: &Caller, named: Option<&AgentName>) -> ApiResult<Option<AgentName>> {
    let denied = match &caller.tier {
        Tier::Maintainer => return Ok(None),
        Tier::Worker(bound) => match named.filter(|named| *named != bound) {
            None => return Ok(Some(bound.clone())),
            Some(wanted) => Denied::OtherAgent { bound: bound.clone(), wanted: wanted.clone() },
        },
        Tier::UnboundWorker => Denied::Unbound,
    };
    Err(record_and_refuse(app, caller, denied, "/api/issues/status").await)
}

/// In which status issues are listed.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub enum ClaimedStatus {
    InProgress,
    Ready,
}

/// An issue that an agent has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClaimedIssue)]
pub struct ClaimedIssueOut {
    issue_id: IssueId,
    number: IssueNumber,
    repo_full_name: RepoName,
    #[schema(required)]
    current_lane: Option<String>,
    labels: Vec<String>,
    /// Is an open pull request about it?
    has_open_pr: bool,
}

/// Lists the issues of an agent in one status, last changed first.
#[utoipa::path(
    get,
    path = "/api/issues/claimed",
    operation_id = "listClaimedIssues",
    tag = "claims",
    security(("bearer" = ["maintainer"])),
    params(
        ("agentName" = AgentName, Query, description = "Whose."),
        ("status" = inline(Option<ClaimedStatus>), Query, description = "`in-progress` unless said.", nullable = false),
        Limit,
        Start,
    ),
    responses((status = 200, description = "A page of the issues.", body = Vec<ClaimedIssueOut>)),
)]
pub async fn claimed(
    State(app): State<App>,
    _: Maintainer,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<ClaimedIssueOut>>)> {
    let missing = || ApiError::invalid("agentName", "Missing required query parameter: agentName");
    let agent = params.agent("agentName")?.ok_or_else(missing)?;
    let status = match params.text("status").unwrap_or("in-progress") {
        "in-progress" => Status::InProgress,
        "ready" => Status::Ready,
        other => {
            let message = format!("Invalid status: {other}. Allowed: in-progress, ready");
            return Err(ApiError::invalid("status", message));
        }
    };
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read_once().await?;
    let page = claimed::list(&mut tx, &agent, status, cursor.as_ref(), limit).await?;
    let headers = params.next_page(&page);
    let out = |row: claimed::Row| ClaimedIssueOut {
        issue_id: row.id,
        number: row.number,
        repo_full_name: row.full_name,
        current_lane: row.current_lane,
        labels: row.labels.0,
        has_open_pr: row.has_open_pr,
    };
    Ok((headers, Json(page.rows.into_iter().map(out).collect())))
}

/// The issue and the agent of a request.
struct Named {
    issue: IssueId,
    repo: String,
    number: IssueNumber,
    agent: AgentName,
}

fn named(body: &Fields) -> ApiResult<Named> {
    const MISSING: &str = "Missing required fields: issueId, repoFullName, issueNumber, agentName";
    let issue = IssueId(required(body, "issueId", MISSING)?);
    let repo = required(body, "repoFullName", MISSING)?;
    let number = body.positive("issueNumber")?.ok_or_else(|| ApiError::invalid("issueNumber", MISSING))?;
    let agent = agent(body, "agentName")?.ok_or_else(|| ApiError::invalid("agentName", MISSING))?;
    Ok(Named { issue, repo, number: IssueNumber(number), agent })
}

fn required(body: &Fields, field: &str, missing: &'static str) -> ApiResult<String> {
    let text = body.string(field)?.map(str::trim).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| ApiError::invalid(field, missing))
}

pub(super) fn agent(body: &Fields, field: &str) -> ApiResult<Option<AgentName>> {
    let Some(text) = body.string(field)?.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|rule| ApiError::invalid(field, format!("{field}: {rule}")))
}

/// The claim that a writer shows.
pub(super) fn shown(body: &Fields) -> ApiResult<Option<Shown>> {
    let fence = body.positive("fence")?.map(Fence);
    let claim =
        body.short("claimId", 100)?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(match (claim.map(ClaimId), fence) {
        (Some(claim), Some(fence)) => Some(Shown::Both(claim, fence)),
        (Some(claim), None) => Some(Shown::Claim(claim)),
        (None, Some(fence)) => Some(Shown::Fence(fence)),
        (None, None) => None,
    })
}

/// May the caller act for this agent? Who may not is told so, and on record.
pub(super) async fn act_for(
    app: &App,
    caller: &Caller,
    agent: &AgentName,
    path: &str,
    scope: Scope,
) -> ApiResult<()> {
    match caller.may_act_for(agent, scope) {
        Ok(()) => Ok(()),
        Err(denied) => Err(record_and_refuse(app, caller, denied, path).await),
    }
}
