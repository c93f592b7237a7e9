//! Hand-outs of the PR-fix queue: `/api/pr-fix-queue/ack` and `sweep` (`contract/agents.md` 10.6 and 10.7).

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    claims::{act_for, agent},
    pr_fix::PrFixItemOut,
    pr_fix_changes::{generation, missing, pull_request},
};
use crate::{
    domain::{
        access::{Scope, Tier},
        ids::AgentName,
    },
    engine::pr_fix::{
        ack::{self as acking, Acked, Refusal},
        sweep as sweeping,
    },
    http::{
        App,
        auth::{Maintainer, Worker},
        error::{ApiError, ApiResult},
        fields::Fields,
    },
};

/// Which attempt an agent has begun.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct AckBody {
    #[schema(examples("acme/api"))]
    pub repo: String,
    #[schema(minimum = 1, examples(45))]
    pub pr: i64,
    #[schema(minimum = 1, examples(1))]
    pub generation: i64,
    pub agent_name: AgentName,
}

/// It is on record that the agent has begun.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AckedPrFix)]
pub struct AckedOut {
    acknowledged: bool,
    /// It was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    already_acknowledged: Option<bool>,
    /// Not when it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PrFixItemOut, required = false)]
    item: Option<PrFixItemOut>,
}

/// There is no such attempt to begin.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = AckRefused)]
#[expect(dead_code, reason = "describes the refusals of `http::error`")]
pub struct AckRefused {
    error: String,
    /// `generation-mismatch`, `not-queued` or `not-stamped`.
    #[schema(examples("generation-mismatch"))]
    reason: String,
    request_id: String,
}

/// The attempt, or the agent, is another's.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = AckForbidden)]
#[expect(dead_code, reason = "describes the refusals of `http::error`")]
pub struct AckForbidden {
    error: String,
    /// Where the token may not act for the agent.
    #[schema(value_type = String, required = false)]
    code: Option<String>,
    /// `not-handed`: the attempt was handed to others.
    #[schema(value_type = String, required = false)]
    reason: Option<String>,
    request_id: String,
}

/// Says that an agent has begun the attempt that it was handed.
///
/// A sweep never takes back what was acknowledged. It stays with the agent for `PR_FIX_HANDOUT_TIMEOUT_MS` after its last
/// heartbeat, acknowledgement or report; after that, whoever asks for work next gets it as a new attempt.
#[utoipa::path(
    post,
    path = "/api/pr-fix-queue/ack",
    operation_id = "acknowledgePrFix",
    tag = "pr_fix_handouts",
    security(("bearer" = ["worker"])),
    request_body = AckBody,
    responses(
        (status = 200, description = "It is on record.", body = AckedOut),
        (status = 403, description = "The token is bound to another agent or to none, or the attempt was handed to others.", body = AckForbidden),
        (status = 404, description = "It is not in the queue."),
        (status = 409, description = "There is no such attempt to begin.", body = AckRefused),
    ),
)]
pub async fn ack(State(app): State<App>, Worker(caller): Worker, body: Fields) -> ApiResult<Json<AckedOut>> {
    let (repo, pr) = pull_request(&body)?;
    let generation = generation(&body)?.ok_or_else(|| missing("generation"))?;
    let agent = agent(&body, "agentName")?.ok_or_else(|| missing("agentName"))?;
    act_for(&app, &caller, &agent, "/api/pr-fix-queue/ack", Scope::Strict).await?;
    let says = caller.named.as_deref().filter(|_| caller.tier == Tier::Maintainer);
    if let Some(says) = says.filter(|says| !says.eq_ignore_ascii_case(agent.as_str())) {
        let rule = format!("agentName must be the agent that acts: X-Agent-Name says {says:?}");
        return Err(ApiError::invalid("agentName", rule));
    }
    let acknowledged = true;
    match acking::ack(&app.engine, &caller, (&repo, pr), generation, &agent).await? {
        Acked::Acknowledged(shown) => {
            Ok(Json(AckedOut { acknowledged, already_acknowledged: None, item: Some((*shown).into()) }))
        }
        Acked::Already => Ok(Json(AckedOut { acknowledged, already_acknowledged: Some(true), item: None })),
        Acked::Refused(refusal) => Err(refused(refusal)),
    }
}

fn refused(refusal: Refusal) -> ApiError {
    let (status, reason, message) = match refusal {
        Refusal::GenerationMismatch => {
            (StatusCode::CONFLICT, "generation-mismatch", "Another attempt has begun since")
        }
        Refusal::NotQueued => (StatusCode::CONFLICT, "not-queued", "The item is not queued any more"),
        Refusal::NotStamped => (StatusCode::CONFLICT, "not-stamped", "The attempt was never handed out"),
        Refusal::NotHanded => {
            (StatusCode::FORBIDDEN, "not-handed", "The attempt was not handed to this agent")
        }
    };
    ApiError::new(status, message).with("reason", reason)
}

/// What a sweep came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SweptPrFixes)]
pub struct SweptOut {
    success: bool,
    /// Hand-outs whose time was up by what is written of them.
    examined: u64,
    /// Taken back: new attempts for whoever comes.
    reclaimed: u64,
    /// Of those, how many were taken back too often and are for a human.
    blocked: u64,
    /// Their pull requests are merged or closed.
    stale: u64,
    /// Left, as GitHub could not be asked.
    unknown_state: u64,
    /// Left, as their agents were heard of, or have begun.
    skipped: u64,
    /// Items that wait for their pull requests to change, looked at.
    waiting: u64,
    /// Of those, how many wait no more.
    woken: u64,
    /// Always empty: a sweep works, or is an error as a whole.
    errors: Vec<Value>,
}

/// A sweep is under way.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = PrFixSweepLocked)]
#[expect(dead_code, reason = "describes a refusal of `http::error`")]
struct SweepLocked {
    error: String,
    locked: bool,
    request_id: String,
}

/// Takes back hand-outs that came to nothing, and looks again at pull requests that are waited for.
#[utoipa::path(
    post,
    path = "/api/pr-fix-queue/sweep",
    operation_id = "sweepPrFixes",
    tag = "pr_fix_handouts",
    security(("bearer" = ["maintainer"])),
    responses(
        (status = 200, description = "What came to nothing is free again.", body = SweptOut),
        (status = 409, description = "Another sweep is under way.", body = SweepLocked),
    ),
)]
pub async fn sweep(State(app): State<App>, _: Maintainer) -> ApiResult<Json<SweptOut>> {
    let Some(swept) = sweeping::sweep(&app.engine).await? else {
        return Err(ApiError::conflict("PR-fix hand-out sweep is already running").with("locked", true));
    };
    Ok(Json(SweptOut {
        success: true,
        examined: swept.examined,
        reclaimed: swept.reclaimed,
        blocked: swept.blocked,
        stale: swept.stale,
        unknown_state: swept.unknown_state,
        skipped: swept.skipped,
        waiting: swept.waiting,
        woken: swept.woken,
        errors: Vec::new(),
    }))
}
