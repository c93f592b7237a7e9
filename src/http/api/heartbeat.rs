//! `POST /api/agents/{agentName}/heartbeat` (`design.md` section 1).

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};

use crate::{
    domain::digest::{hex, sha256},
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

/// Runs one pass for the agent and answers with what it came to.
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
