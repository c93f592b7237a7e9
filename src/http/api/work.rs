//! Work (`contract/agents.md` sections 6.1 to 6.4): `/api/agent-work` and what is below it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::claims::{act_for, shown};
use crate::{
    domain::{
        access::{Caller, Scope},
        claim::{Checkpoint, Claim, Fence, WorkState},
        ids::{AgentName, ClaimId, IssueId, IssueNumber},
        page::DEFAULT_LIMIT,
        repo::RepoName,
        time::Timestamp,
    },
    engine::{
        claims::Start,
        publish, recover,
        work::{self as verbs, CheckpointAsk, FinishAsk, Reassign, Release, Released, StartAsk, Writer},
    },
    http::{
        App,
        auth::{Maintainer, Worker},
        error::{ApiError, ApiResult},
        fields::{Fields, ObjectFields},
        params::Params,
    },
    store::{issue_facts, work},
};

/// The longest summary or reason.
const TEXT_MAX: usize = 20_000;
/// The longest id.
const ID_MAX: usize = 200;
/// The longest branch name.
const BRANCH_MAX: usize = 1_000;
/// The longest URL.
const URL_MAX: usize = 2_000;
/// Stale leases of a list (the contract's).
const STALE_MAX: i64 = 50;
/// What stale leases are called in lists begins thus.
const LEASE: &str = "lease-";

/// A row of the Node edition's `AgentWork`: a claim in the words of work.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkOut {
    id: String,
    agent_name: AgentName,
    issue_id: Option<IssueId>,
    run_id: Option<String>,
    state: WorkState,
    checkpoint: &'static str,
    branch: Option<String>,
    pr_url: Option<String>,
    lease_expires_at: Timestamp,
    last_heartbeat_at: Timestamp,
    summary: Option<String>,
    blocker_reason: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_id: Option<ClaimId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<Fence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl WorkOut {
    fn row(claim: Claim) -> Self {
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
        match live {
            true => Self { claim_id: Some(id), fence: Some(fence), expires_at: Some(expires_at), ..row },
            false => row,
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
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedWorkOut {
    #[serde(flatten)]
    work: WorkOut,
    issue_number: Option<IssueNumber>,
    issue_title: Option<String>,
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
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkListOut {
    active_work: Vec<ListedWorkOut>,
    stale_leases: Vec<ListedWorkOut>,
}

/// Lists work, renewed last first; `state`, `agent`, `include_stale`, `limit`, `cursor`.
pub async fn list(
    State(app): State<App>,
    _: Worker,
    params: Params,
) -> ApiResult<(HeaderMap, Json<WorkListOut>)> {
    let states = match params.text("state") {
        Some(text) => vec![text.parse().map_err(|_| not_a_state("state", text))?],
        None => {
            let mut states = vec![WorkState::Claimed, WorkState::InProgress, WorkState::Blocked];
            states.extend((params.text("include_stale") != Some("false")).then_some(WorkState::Stale));
            states
        }
    };
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

fn not_a_state(field: &str, text: &str) -> ApiError {
    let names = WorkState::ALL.map(WorkState::as_str).join(", ");
    ApiError::invalid(field, format!("Invalid {field}: \"{text}\". Must be one of: {names}"))
}

/// An agent begins work; an issue becomes its claim.
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

/// An agent tells how far it is.
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

/// An agent ends its work, or tells where it stands.
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

/// An operator releases work, or gives it to another agent.
pub async fn operate(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: Fields,
) -> ApiResult<Json<Value>> {
    match body.string("action").ok().flatten() {
        Some("release") => release(&app, &caller, &body).await,
        Some("reassign") => reassign(&app, &caller, &body).await,
        _ => Err(ApiError::invalid("action", "Unknown action").with_hint("release or reassign")),
    }
}

async fn release(app: &App, caller: &Caller, body: &Fields) -> ApiResult<Json<Value>> {
    let reason = text(body, "reason", TEXT_MAX)?.unwrap_or_else(|| "Released by operator".to_owned());
    let (work, lease) = (claim_id(body, "workId")?, claim_id(body, "leaseId")?);
    if work.is_some() || lease.is_some() {
        verbs::release(&app.engine, caller, &Release::Named { work, lease }, &reason).await?;
        return Ok(Json(json!({ "success": true, "reason": reason })));
    }
    let agent = super::claims::agent(body, "agentName")?
        .ok_or_else(|| ApiError::invalid("agentName", "Missing workId, leaseId, or agentName"))?;
    let issue = text(body, "issueId", ID_MAX)?.map(IssueId);
    if issue.is_none() && body.boolean("releaseAll")? != Some(true) {
        let rule = "Missing required field: issueId, or set releaseAll: true";
        return Err(ApiError::invalid("issueId", rule));
    }
    let Released { leases, work } =
        verbs::release(&app.engine, caller, &Release::OfAgent { agent, issue }, &reason).await?;
    Ok(Json(json!({ "success": true, "reason": reason, "releasedLeases": leases, "releasedWork": work })))
}

async fn reassign(app: &App, caller: &Caller, body: &Fields) -> ApiResult<Json<Value>> {
    let missing = |field: &'static str| move || ApiError::invalid(field, format!("Missing {field}"));
    let reason = text(body, "reason", TEXT_MAX)?.unwrap_or_else(|| "Reassigned by operator".to_owned());
    let work = claim_id(body, "workId")?.ok_or_else(missing("workId"))?;
    let to = super::claims::agent(body, "newAgentName")?.ok_or_else(missing("newAgentName"))?;
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
#[derive(Serialize)]
pub struct SweptOut {
    success: bool,
    examined: u64,
    released: u64,
    skipped: u64,
    errors: Vec<Value>,
}

/// Takes back what ran out, as every heartbeat does.
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
fn text(body: &Fields, field: &str, most: usize) -> ApiResult<Option<String>> {
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

/// A claim's id, also as lists of stale leases write it.
fn claim_id(body: &Fields, field: &str) -> ApiResult<Option<ClaimId>> {
    let text = text(body, field, ID_MAX)?;
    Ok(text.map(|text| ClaimId(text.strip_prefix(LEASE).unwrap_or(&text).to_owned())))
}
