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
        digest::{hex, sha256},
        heartbeat::HeartbeatAnswer,
        ids::AgentName,
    },
    engine::heartbeat::{Beaten, Key, heartbeat},
    http::{
        App,
        auth::Acting,
        error::{ApiError, ApiResult},
        fields::OptionalFields,
    },
};

/// The longest `Idempotency-Key`.
const KEY_MAX: usize = 200;

/// The header that says that an answer was given before.
const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

/// What an agent may say with its heartbeat. Claims and the queue are not built yet: what has the wrong
/// form is refused, and nothing else comes of it.
#[derive(ToSchema)]
pub struct HeartbeatBody {
    /// The claims that the agent still works on.
    pub claims: Option<Vec<Map<String, Value>>>,
    /// What the agent would work on next.
    pub want: Option<Map<String, Value>>,
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
    // Claims and the queue are not built yet; what has the wrong form is refused all the same.
    body.objects("claims")?;
    body.object("want")?;
    let key = idempotency_key(&headers, &body.canonical())?;
    let beat = app.engine.beat(acting.agent, key);
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
