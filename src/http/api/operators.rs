//! What operators do to the work of agents (`contract/agents.md` sections 6.2 and 6.4).

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    claims::{Conflict, agent},
    work::{ID_MAX, LEASE, TEXT_MAX, WorkOut, text},
};
use crate::{
    domain::{
        access::Caller,
        ids::{AgentName, ClaimId, IssueId, IssueNumber},
        repo::RepoName,
    },
    engine::{
        publish, recover,
        work::{self as verbs, Reassign, Release, Released},
    },
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
    },
    store::issue_facts,
};

/// What an operator does to the work of agents.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct OperateBody {
    /// `release` what `workId` or `leaseId` names, or what `agentName` has on `issueId` or (`releaseAll`) altogether;
    /// or `reassign` what `workId` names to `newAgentName`.
    #[schema(examples("release"))]
    pub action: String,
    #[schema(max_length = 200)]
    pub work_id: Option<String>,
    #[schema(max_length = 200)]
    pub lease_id: Option<String>,
    pub agent_name: Option<AgentName>,
    #[schema(max_length = 200)]
    pub issue_id: Option<String>,
    pub release_all: Option<bool>,
    pub new_agent_name: Option<AgentName>,
    #[schema(max_length = 20_000)]
    pub reason: Option<String>,
}

/// What became of the work of an agent.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = OperatedWork)]
#[expect(dead_code, reason = "describes three answers in one")]
struct OperatedOut {
    success: bool,
    /// Of a release.
    #[schema(value_type = String, required = false)]
    reason: Option<String>,
    /// Of the release of an agent: how many claims of issues ended.
    #[schema(value_type = u64, required = false)]
    released_leases: Option<u64>,
    /// Of the release of an agent: how many of them, and of others, were work.
    #[schema(value_type = u64, required = false)]
    released_work: Option<u64>,
    /// What was reassigned: the new attempt.
    #[schema(value_type = ReassignedWork, required = false)]
    work: Option<ReassignedWork>,
}

/// Work with its issue as the Node edition shows it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is made as JSON")]
struct ReassignedWork {
    #[serde(flatten)]
    work: WorkOut,
    #[schema(required)]
    issue: Option<ReassignedIssue>,
}

/// Which issue it is on.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is made as JSON")]
struct ReassignedIssue {
    number: IssueNumber,
    repository: ReassignedIn,
}

/// Where that issue is.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what is made as JSON")]
struct ReassignedIn {
    full_name: RepoName,
}

/// Releases work, or gives it to another agent.
///
/// What is released is free again. Reassigned work is a new attempt with a claim of its own; whoever shows the old one is
/// refused.
#[utoipa::path(
    post,
    path = "/api/agent-work",
    operation_id = "operateAgentWork",
    tag = "operators",
    security(("bearer" = ["maintainer"])),
    request_body = OperateBody,
    responses(
        (status = 200, description = "It is done.", body = OperatedOut),
        (status = 404, description = "There is no such work or lease."),
        (status = 409, description = "The issue of what went stale is another's by now.", body = Conflict),
    ),
)]
pub async fn operate(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: Fields,
) -> ApiResult<Json<Value>> {
    let asked = || Asked::read(&body);
    match body.string("action").ok().flatten() {
        Some("release") => release(&app, &caller, asked()?).await,
        Some("reassign") => reassign(&app, &caller, asked()?).await,
        _ => Err(ApiError::invalid("action", "Unknown action").with_hint("release or reassign")),
    }
}

/// What is asked, read before anything is decided: a field of the wrong type is told, whatever it would mean.
struct Asked {
    work: Option<ClaimId>,
    lease: Option<ClaimId>,
    agent: Option<AgentName>,
    issue: Option<IssueId>,
    all: bool,
    to: Option<AgentName>,
    reason: Option<String>,
}

impl Asked {
    fn read(body: &Fields) -> ApiResult<Self> {
        Ok(Self {
            work: claim_id(body, "workId")?,
            lease: claim_id(body, "leaseId")?,
            agent: agent(body, "agentName")?,
            issue: text(body, "issueId", ID_MAX)?.map(IssueId),
            all: body.boolean("releaseAll")?.unwrap_or(false),
            to: agent(body, "newAgentName")?,
            reason: text(body, "reason", TEXT_MAX)?,
        })
    }
}

async fn release(app: &App, caller: &Caller, asked: Asked) -> ApiResult<Json<Value>> {
    let Asked { work, lease, agent, issue, all, reason, .. } = asked;
    let reason = reason.unwrap_or_else(|| "Released by operator".to_owned());
    if work.is_some() || lease.is_some() {
        verbs::release(&app.engine, caller, &Release::Named { work, lease }, &reason).await?;
        return Ok(Json(json!({ "success": true, "reason": reason })));
    }
    let agent =
        agent.ok_or_else(|| ApiError::invalid("agentName", "Missing workId, leaseId, or agentName"))?;
    if issue.is_none() && !all {
        let rule = "Missing required field: issueId, or set releaseAll: true";
        return Err(ApiError::invalid("issueId", rule));
    }
    let Released { leases, work } =
        verbs::release(&app.engine, caller, &Release::OfAgent { agent, issue }, &reason).await?;
    Ok(Json(json!({ "success": true, "reason": reason, "releasedLeases": leases, "releasedWork": work })))
}

async fn reassign(app: &App, caller: &Caller, asked: Asked) -> ApiResult<Json<Value>> {
    let missing = |field: &'static str| move || ApiError::invalid(field, format!("Missing {field}"));
    let reason = asked.reason.unwrap_or_else(|| "Reassigned by operator".to_owned());
    let work = asked.work.ok_or_else(missing("workId"))?;
    let to = asked.to.ok_or_else(missing("newAgentName"))?;
    let claim = verbs::reassign(&app.engine, caller, &Reassign { work, to, reason }).await?;
    let mut tx = app.engine.db().read_once().await?;
    let issue = match &claim.issue {
        Some(issue) => issue_facts::find(&mut tx, issue).await?,
        None => None,
    };
    drop(tx);
    let issue =
        issue.map(|issue| json!({ "number": issue.number, "repository": { "fullName": issue.repo } }));
    let mut row = json!(WorkOut::row(claim));
    row["issue"] = issue.unwrap_or_default();
    Ok(Json(json!({ "success": true, "work": row })))
}

/// What a sweep came to.
#[derive(Serialize, ToSchema)]
#[schema(as = SweptWork)]
pub struct SweptOut {
    success: bool,
    examined: u64,
    released: u64,
    /// Renewed or ended by others meanwhile.
    skipped: u64,
    /// Always empty: a sweep works, or is an error as a whole.
    errors: Vec<Value>,
}

/// A sweep is under way.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a refusal of `http::error`")]
struct SweepLocked {
    error: String,
    locked: bool,
    request_id: String,
}

/// Takes back what ran out.
///
/// Every heartbeat does so, too.
#[utoipa::path(
    post,
    path = "/api/agent-work/sweep",
    operation_id = "sweepAgentWork",
    tag = "operators",
    security(("bearer" = ["maintainer"])),
    responses(
        (status = 200, description = "What ran out is free again.", body = SweptOut),
        (status = 409, description = "Another sweep is under way.", body = SweepLocked),
    ),
)]
pub async fn sweep(State(app): State<App>, _: Maintainer) -> ApiResult<Json<SweptOut>> {
    let Some(swept) = recover::sweep(&app.engine).await? else {
        return Err(ApiError::conflict("Stale work sweep is already running").with("locked", true));
    };
    if swept.claims > 0 {
        publish::publish(&app.engine).await?;
    }
    let (released, skipped) = (swept.claims, swept.skipped.len() as u64);
    Ok(Json(SweptOut { success: true, examined: released + skipped, released, skipped, errors: Vec::new() }))
}

/// A claim's id, also as lists of stale leases write it.
fn claim_id(body: &Fields, field: &str) -> ApiResult<Option<ClaimId>> {
    let text = text(body, field, ID_MAX)?;
    Ok(text.map(|text| ClaimId(text.strip_prefix(LEASE).unwrap_or(&text).to_owned())))
}
