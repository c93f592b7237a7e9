//! Work as agents tell of it (`contract/agents.md` sections 6.1 and 6.3): `/api/agent-work` and what is below it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use url::Url;
use utoipa::{IntoParams, ToSchema};

use super::claims::{Conflict, act_for, shown};
use crate::{
    domain::{
        access::Scope,
        claim::{Checkpoint, Claim, Fence, WorkState},
        ids::{AgentName, ClaimId, IssueId, IssueNumber},
        page::DEFAULT_LIMIT,
        repo::RepoName,
        time::Timestamp,
    },
    engine::{
        claims::Start,
        work::{self as verbs, CheckpointAsk, FinishAsk, StartAsk, Writer},
    },
    http::{
        App,
        auth::Worker,
        error::{ApiError, ApiResult},
        fields::{Fields, ObjectFields},
        params::{Limit, Params, Start as PageStart},
    },
    store::work,
};

/// The longest summary or reason.
pub(super) const TEXT_MAX: usize = 20_000;
/// The longest id.
pub(super) const ID_MAX: usize = 200;
/// The longest branch name.
const BRANCH_MAX: usize = 1_000;
/// The longest URL.
const URL_MAX: usize = 2_000;
/// Stale leases of a list (the contract's).
const STALE_MAX: i64 = 50;
/// What stale leases are called in lists begins thus.
pub(super) const LEASE: &str = "lease-";

/// Who begins what.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct StartBody {
    pub agent_name: AgentName,
    /// Without it the work is on no issue.
    #[schema(max_length = 200)]
    pub issue_id: Option<String>,
    #[schema(max_length = 200)]
    pub run_id: Option<String>,
    #[schema(max_length = 1_000)]
    pub branch: Option<String>,
    /// The agent will renew it: it ends soon after it no longer does.
    pub lease: Option<bool>,
}

/// How far an agent is.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CheckpointBody {
    pub agent_name: AgentName,
    /// `CLAIMED`, `REPO_PREPARED`, `BRANCH_CREATED`, `CHANGES_MADE`, `TESTS_RUNNING`, `PR_OPENED`, `DONE` or `BLOCKED`.
    #[schema(examples("BRANCH_CREATED"))]
    pub checkpoint: String,
    #[schema(max_length = 20_000)]
    pub summary: Option<String>,
    /// Needed with `BLOCKED`.
    #[schema(max_length = 20_000)]
    pub blocker_reason: Option<String>,
    #[schema(max_length = 1_000)]
    pub branch: Option<String>,
    #[schema(max_length = 2_000, format = "uri", examples("https://github.com/acme/api/pull/43"))]
    pub pr_url: Option<String>,
    /// Which work; without it, what the agent worked on last. Refuses the request when another claim is live.
    #[schema(max_length = 100)]
    pub claim_id: Option<String>,
    pub fence: Option<Fence>,
}

/// How an agent's work ended, or where it stands.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct FinishBody {
    pub agent_name: AgentName,
    /// `DONE`, `RELEASED` or `STALE` end it; `CLAIMED`, `IN_PROGRESS` and `BLOCKED` are noted.
    #[schema(examples("DONE"))]
    pub state: String,
    #[schema(max_length = 20_000)]
    pub summary: Option<String>,
    /// Which work; without it, what the agent worked on last. Refuses the request when another claim is live.
    #[schema(max_length = 100)]
    pub claim_id: Option<String>,
    pub fence: Option<Fence>,
}

/// A claim in the words of work.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentWork)]
pub struct WorkOut {
    /// The claim's; in `staleLeases` with `lease-` before it.
    id: String,
    agent_name: AgentName,
    #[schema(required)]
    issue_id: Option<IssueId>,
    #[schema(required)]
    run_id: Option<String>,
    state: WorkState,
    /// In the upper-case vocabulary; in `staleLeases` in the other.
    #[schema(value_type = String, examples("BRANCH_CREATED"))]
    checkpoint: &'static str,
    #[schema(required)]
    branch: Option<String>,
    #[schema(required)]
    pr_url: Option<String>,
    lease_expires_at: Timestamp,
    last_heartbeat_at: Timestamp,
    #[schema(required)]
    summary: Option<String>,
    #[schema(required)]
    blocker_reason: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// For its holder, as long as it is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ClaimId, required = false)]
    claim_id: Option<ClaimId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Fence, required = false)]
    fence: Option<Fence>,
    /// When a leased claim must be renewed, and a held one counts as stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp, required = false)]
    expires_at: Option<Timestamp>,
}

impl WorkOut {
    pub(super) fn row(claim: Claim) -> Self {
        Self {
            id: claim.id.0,
            agent_name: claim.agent,
            issue_id: claim.issue,
            run_id: claim.run,
            state: claim.state,
            checkpoint: claim.checkpoint.work_name(),
            branch: claim.branch,
            pr_url: claim.pr_url,
            lease_expires_at: claim.ended_at.map_or(claim.expires_at, |ended| ended.min(claim.expires_at)),
            last_heartbeat_at: claim.renewed_at,
            summary: claim.summary,
            blocker_reason: claim.blocker,
            created_at: claim.created_at,
            updated_at: claim.ended_at.map_or(claim.renewed_at, |ended| ended.max(claim.renewed_at)),
            claim_id: None,
            fence: None,
            expires_at: None,
        }
    }

    /// For its holder: with what it shows to prove that it is not late.
    fn own(claim: Claim) -> Self {
        let (id, fence, expires_at) = (claim.id.clone(), claim.fence, claim.expires_at);
        let live = claim.ended_at.is_none();
        let row = Self::row(claim);
        if live {
            Self { claim_id: Some(id), fence: Some(fence), expires_at: Some(expires_at), ..row }
        } else {
            row
        }
    }

    fn stale(claim: Claim) -> Self {
        Self {
            id: format!("{LEASE}{}", claim.id),
            run_id: None,
            state: WorkState::Stale,
            checkpoint: claim.checkpoint.lease_name(),
            summary: None,
            blocker_reason: Some("Lease expired".to_owned()),
            ..Self::row(claim)
        }
    }
}

/// Work and its issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedAgentWork)]
pub struct ListedWorkOut {
    #[serde(flatten)]
    work: WorkOut,
    #[schema(required)]
    issue_number: Option<IssueNumber>,
    #[schema(required)]
    issue_title: Option<String>,
    #[schema(required)]
    repo_full_name: Option<RepoName>,
}

impl ListedWorkOut {
    fn new(work: work::Work, row: fn(Claim) -> WorkOut) -> Self {
        let (number, title, repo) = match work.issue {
            Some((number, title, repo)) => (Some(number), Some(title), Some(repo)),
            None => (None, None, None),
        };
        Self { work: row(work.claim), issue_number: number, issue_title: title, repo_full_name: repo }
    }
}

/// Who works on what, and what nobody renewed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentWorkList)]
pub struct WorkListOut {
    active_work: Vec<ListedWorkOut>,
    /// The 50 that were to be renewed longest ago, whatever the filters.
    stale_leases: Vec<ListedWorkOut>,
}

/// Which work.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WorkFilter {
    /// Only work in this state.
    pub state: Option<WorkState>,
    /// Only work of this agent.
    pub agent: Option<AgentName>,
    /// `false`: without what was taken back.
    #[param(example = "false")]
    pub include_stale: Option<String>,
}

/// Lists work, renewed last first.
///
/// That is what is live and what was taken back; 1000 rows, unless `limit` says otherwise.
#[utoipa::path(
    get,
    path = "/api/agent-work",
    operation_id = "listAgentWork",
    tag = "work",
    security(("bearer" = ["worker"])),
    params(WorkFilter, Limit, PageStart),
    responses((status = 200, description = "A page of the work, and stale leases.", body = WorkListOut)),
)]
pub async fn list(
    State(app): State<App>,
    _: Worker,
    params: Params,
) -> ApiResult<(HeaderMap, Json<WorkListOut>)> {
    let states = states(&params)?;
    let agent = params.agent("agent")?;
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let cursor = params.cursor()?;
    let now = app.engine.clock().now();
    let clock_before = now.minus(app.engine.settings().claims.ttl);
    let mut tx = app.engine.db().read().await?;
    let page = work::list(&mut tx, &states, agent.as_ref(), cursor.as_ref(), limit).await?;
    let stale = work::list_stale(&mut tx, now, clock_before, STALE_MAX).await?;
    let headers = params.next_page(&page);
    let active_work = page.rows.into_iter().map(|work| ListedWorkOut::new(work, WorkOut::row)).collect();
    let stale_leases = stale.into_iter().map(|work| ListedWorkOut::new(work, WorkOut::stale)).collect();
    Ok((headers, Json(WorkListOut { active_work, stale_leases })))
}

/// Without a state all that is in sight: what is live, and what went stale.
fn states(params: &Params) -> ApiResult<Vec<WorkState>> {
    if let Some(text) = params.text("state") {
        return Ok(vec![text.parse().map_err(|_| not_a_state("state", text))?]);
    }
    let mut states = vec![WorkState::Claimed, WorkState::InProgress, WorkState::Blocked];
    states.extend((params.text("include_stale") != Some("false")).then_some(WorkState::Stale));
    Ok(states)
}

fn not_a_state(field: &str, text: &str) -> ApiError {
    let names = WorkState::ALL.map(WorkState::as_str).join(", ");
    ApiError::invalid(field, format!("Invalid {field}: \"{text}\". Must be one of: {names}"))
}

/// Begins work of an agent.
///
/// An issue becomes the agent's claim, labels included, unless it is already. Other work that was begun so ends, and its
/// issue is free.
#[utoipa::path(
    post,
    path = "/api/agent-work/start",
    operation_id = "startAgentWork",
    tag = "work",
    security(("bearer" = ["worker"])),
    request_body = StartBody,
    responses(
        (status = 201, description = "The work began.", body = WorkOut),
        (status = 403, description = "The token is bound to another agent or to none."),
        (status = 404, description = "There is no such issue in the cache."),
        (status = 409, description = "The issue is another's, by a claim or by a label.", body = Conflict),
        (status = 503, description = "GitHub could not be asked, so nothing changed."),
    ),
)]
pub async fn start(
    State(app): State<App>,
    Worker(caller): Worker,
    ObjectFields(body): ObjectFields,
) -> ApiResult<(StatusCode, Json<WorkOut>)> {
    let agent = agent(&body)?;
    let ask = StartAsk {
        agent: agent.clone(),
        issue: text(&body, "issueId", ID_MAX)?.map(IssueId),
        start: Start { run: text(&body, "runId", ID_MAX)?, branch: text(&body, "branch", BRANCH_MAX)? },
        lease: body.boolean("lease")?.unwrap_or(false),
    };
    act_for(&app, &caller, &agent, "/api/agent-work/start", Scope::Strict).await?;
    let claim = verbs::start(&app.engine, &caller, &ask).await?;
    Ok((StatusCode::CREATED, Json(WorkOut::own(claim))))
}

/// Tells how far an agent is.
///
/// That renews its claim and makes it leased. `DONE` ends it, as finishing does.
#[utoipa::path(
    post,
    path = "/api/agent-work/checkpoint",
    operation_id = "checkpointAgentWork",
    tag = "work",
    security(("bearer" = ["worker"])),
    request_body = CheckpointBody,
    responses(
        (status = 200, description = "The work stands there.", body = WorkOut),
        (status = 403, description = "The token is bound to another agent."),
        (status = 404, description = "The agent has no work."),
        (status = 409, description = "The claim was lost before.", body = Conflict),
    ),
)]
pub async fn checkpoint(
    State(app): State<App>,
    Worker(caller): Worker,
    ObjectFields(body): ObjectFields,
) -> ApiResult<Json<WorkOut>> {
    let writer = writer(&body)?;
    let word = word(&body, "checkpoint")?;
    let checkpoint = Checkpoint::written(word).ok_or_else(|| {
        let names = Checkpoint::WORK_NAMES;
        ApiError::invalid("checkpoint", format!("Invalid checkpoint: \"{word}\". Must be one of: {names}"))
    })?;
    let blocker = text(&body, "blockerReason", TEXT_MAX)?;
    if checkpoint == Checkpoint::Blocked && blocker.is_none() {
        let rule = "blockerReason is required (a non-empty string) when checkpoint is BLOCKED";
        return Err(ApiError::invalid("blockerReason", rule));
    }
    let ask = CheckpointAsk {
        writer,
        checkpoint,
        summary: text(&body, "summary", TEXT_MAX)?,
        blocker,
        branch: text(&body, "branch", BRANCH_MAX)?,
        pr_url: link(&body, "prUrl")?,
    };
    act_for(&app, &caller, &ask.writer.agent, "/api/agent-work/checkpoint", Scope::BoundOnly).await?;
    Ok(Json(WorkOut::own(verbs::checkpoint(&app.engine, &caller, &ask).await?)))
}

/// Ends work of an agent.
///
/// `DONE` leaves the labels of its issue; `RELEASED` and `STALE` give the issue back.
#[utoipa::path(
    post,
    path = "/api/agent-work/finish",
    operation_id = "finishAgentWork",
    tag = "work",
    security(("bearer" = ["worker"])),
    request_body = FinishBody,
    responses(
        (status = 200, description = "The work ended, or stands there.", body = WorkOut),
        (status = 403, description = "The token is bound to another agent."),
        (status = 404, description = "The agent has no work."),
        (status = 409, description = "The claim was lost before.", body = Conflict),
    ),
)]
pub async fn finish(
    State(app): State<App>,
    Worker(caller): Worker,
    ObjectFields(body): ObjectFields,
) -> ApiResult<Json<WorkOut>> {
    let writer = writer(&body)?;
    let word = word(&body, "state")?;
    let state = WorkState::written(word).ok_or_else(|| not_a_state("state", word))?;
    let ask = FinishAsk { writer, state, summary: text(&body, "summary", TEXT_MAX)? };
    act_for(&app, &caller, &ask.writer.agent, "/api/agent-work/finish", Scope::BoundOnly).await?;
    Ok(Json(WorkOut::own(verbs::finish(&app.engine, &caller, &ask).await?)))
}

fn agent(body: &Fields) -> ApiResult<AgentName> {
    const MISSING: &str = "Missing required field: agentName (string)";
    let name = body.string("agentName").ok().flatten().map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ApiError::invalid("agentName", MISSING))?;
    name.parse().map_err(|rule| ApiError::invalid("agentName", format!("agentName: {rule}")))
}

fn writer(body: &Fields) -> ApiResult<Writer> {
    Ok(Writer { agent: agent(body)?, shown: shown(body)? })
}

/// A word that must be there.
fn word<'b>(body: &'b Fields, field: &str) -> ApiResult<&'b str> {
    let text = body.string(field)?.map(str::trim).filter(|text| !text.is_empty());
    text.ok_or_else(|| ApiError::invalid(field, format!("Missing required field: {field} (string)")))
}

/// A trimmed text; an empty one counts as absent.
pub(super) fn text(body: &Fields, field: &str, most: usize) -> ApiResult<Option<String>> {
    let text = body.short(field, most)?.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()))
}

fn link(body: &Fields, field: &str) -> ApiResult<Option<String>> {
    let Some(text) = text(body, field, URL_MAX)? else { return Ok(None) };
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(text)),
        _ => Err(ApiError::invalid(field, format!("{field} must be an http(s) URL"))),
    }
}
