//! `POST /api/agents/{agentName}/heartbeat` (`design.md` section 1).

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};

use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    domain::{
        claim::{Checkpoint, Fence},
        digest::{hex, sha256},
        heartbeat::HeartbeatAnswer,
        ids::{AgentName, ClaimId},
    },
    engine::{
        heartbeat::{Beaten, Key, heartbeat},
        renew::Named,
    },
    http::{
        App,
        auth::Acting,
        error::{ApiError, ApiResult},
        fields::{Fields, OptionalFields},
    },
};

/// Claims that one heartbeat may name.
const CLAIMS_MAX: usize = 1_000;

/// The longest summary of a claim.
const SUMMARY_MAX: usize = 2_000;

/// The longest `Idempotency-Key`.
const KEY_MAX: usize = 200;

/// The header that says that an answer was given before.
const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

/// What an agent may say with its heartbeat.
#[derive(ToSchema)]
pub struct HeartbeatBody {
    /// The claims that the agent still works on: they are renewed, and leased from now on; `leases` tells what became of
    /// each. Without it all leased claims of the agent are renewed.
    #[schema(max_items = 1_000)]
    pub claims: Option<Vec<NamedClaim>>,
    /// What the agent would work on next. The queue is not built yet: what has the wrong form is refused, and nothing
    /// else comes of it.
    pub want: Option<Map<String, Value>>,
}

/// A claim as its holder names it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NamedClaim {
    pub claim_id: String,
    pub fence: Fence,
    /// How far the work is, in either vocabulary.
    #[schema(examples("BRANCH_CREATED"))]
    pub checkpoint: Option<String>,
    #[schema(max_length = 2_000)]
    pub summary: Option<String>,
}

/// Runs one pass for the agent and answers with what it came to.
///
/// A pass that met trouble is 200 as well: `status` says so. With an `Idempotency-Key`, the same request
/// sent again gets the same answer and runs nothing. A worker's token beats for its own agent only.
#[utoipa::path(
    post,
    path = "/api/agents/{agentName}/heartbeat",
    operation_id = "sendHeartbeat",
    tag = "heartbeat",
    security(("bearer" = ["worker"])),
    params(
        ("agentName" = AgentName, Path, description = "Who beats."),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this beat: 1 to 200 visible ASCII characters, kept for a day.",
            min_length = 1, max_length = 200, nullable = false),
    ),
    request_body = Option<HeartbeatBody>,
    responses(
        (status = 200, description = "The pass ran.", body = HeartbeatAnswer,
            headers(("Idempotent-Replay" = String, description = "`true`: this answer was given before, and nothing ran."))),
        (status = 409, description = "The `Idempotency-Key` was used with another body: code `idempotency_key_reused`."),
        (status = 503, description = "The pass could not be recorded, so it counts as not run.", body = HeartbeatAnswer),
    ),
)]
pub async fn beat(
    State(app): State<App>,
    acting: Acting,
    headers: HeaderMap,
    OptionalFields(body): OptionalFields,
) -> ApiResult<Response> {
    let claims = named_claims(&body)?;
    // The queue is not built yet; what has the wrong form is refused all the same.
    body.object("want")?;
    let key = idempotency_key(&headers, &body.canonical())?;
    let mut beat = app.engine.beat(acting.agent, key);
    beat.claims = claims;
    Ok(match heartbeat(&app.engine, beat).await {
        Beaten::Recorded(answer) => Json(answer).into_response(),
        Beaten::Replayed(answer) => {
            ([(REPLAY, HeaderValue::from_static("true"))], Json(answer)).into_response()
        }
        Beaten::Unrecorded(answer) => (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response(),
        Beaten::OtherBody => {
            let message = "Idempotency-Key was already used with a different body by this agent";
            return Err(ApiError::conflict(message).with_code("idempotency_key_reused"));
        }
    })
}

/// `claims:[{claimId, fence, checkpoint?, summary?}]`.
fn named_claims(body: &Fields) -> ApiResult<Option<Vec<Named>>> {
    let Some(claims) = body.objects("claims")? else { return Ok(None) };
    if claims.len() > CLAIMS_MAX {
        return Err(ApiError::invalid("claims", format!("claims must be at most {CLAIMS_MAX}")));
    }
    let one = |(n, claim): (usize, &Value)| {
        let named = |error: ApiError| error.within(&format!("claims[{n}]"));
        named_claim(&Fields::of(claim)).map_err(named)
    };
    claims.iter().enumerate().map(one).collect::<ApiResult<_>>().map(Some)
}

fn named_claim(fields: &Fields) -> ApiResult<Named> {
    let missing = |field: &str| ApiError::invalid(field, format!("{field} is required"));
    let claim = fields.string("claimId")?.ok_or_else(|| missing("claimId"))?.to_owned();
    let fence = fields.positive("fence")?.ok_or_else(|| missing("fence"))?;
    let checkpoint = fields.string("checkpoint")?.map(|text| {
        Checkpoint::written(text).ok_or_else(|| {
            let rule = format!("checkpoint must be one of {}", Checkpoint::WORK_NAMES);
            ApiError::invalid("checkpoint", rule)
        })
    });
    let (checkpoint, summary) = (checkpoint.transpose()?, fields.short("summary", SUMMARY_MAX)?);
    Ok(Named { claim: ClaimId(claim), fence: Fence(fence), checkpoint, summary })
}

fn idempotency_key(headers: &HeaderMap, canonical_body: &str) -> ApiResult<Option<Key>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty() && text.len() <= KEY_MAX);
    let Some(text) = text else {
        let rule = format!("Idempotency-Key must be 1 to {KEY_MAX} visible ASCII characters");
        return Err(ApiError::invalid("Idempotency-Key", rule));
    };
    let body_hash = hex(&sha256(canonical_body));
    Ok(Some(Key { text: text.to_owned(), body_hash }))
}
