//! `POST /api/agents/{agentName}/heartbeat` (`design.md` section 1).

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};

use serde_json::Value;

use crate::{
    domain::{
        claim::Checkpoint,
        digest::{hex, sha256},
        ids::AgentName,
        queue::Ask,
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

/// Runs one pass for the agent and answers with what it came to.
pub async fn beat(
    State(app): State<App>,
    acting: Acting,
    headers: HeaderMap,
    OptionalFields(body): OptionalFields,
) -> ApiResult<Response> {
    let claims = named_claims(&body)?;
    let want = wanted(&app, &acting.agent, &body)?;
    let key = idempotency_key(&headers, &body.canonical())?;
    let mut beat = app.engine.beat(acting.agent, key);
    beat.claims = claims;
    beat.want = want;
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

/// `want:{lane?}`.
fn wanted(app: &App, agent: &AgentName, body: &Fields) -> ApiResult<Option<Ask>> {
    let Some(want) = body.object("want")?.map(Fields::of_object) else { return Ok(None) };
    let lane = want.string("lane").map_err(|error| error.within("want"))?.map(str::trim);
    let lane = lane
        .filter(|raw| !raw.is_empty())
        .map(|raw| super::queue::lane(app, raw, "want.lane"))
        .transpose()?;
    Ok(Some(Ask { lane, ..Ask::of(agent.clone()) }))
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
    fields.string("claimId")?.ok_or_else(|| missing("claimId"))?;
    fields.positive("fence")?.ok_or_else(|| missing("fence"))?;
    let shown = super::claims::shown(fields)?.ok_or_else(|| missing("claimId"))?;
    let checkpoint = fields.string("checkpoint")?.map(|text| {
        Checkpoint::written(text).ok_or_else(|| {
            let rule = format!("checkpoint must be one of {}", Checkpoint::WORK_NAMES);
            ApiError::invalid("checkpoint", rule)
        })
    });
    Ok(Named { shown, checkpoint: checkpoint.transpose()?, summary: fields.short("summary", SUMMARY_MAX)? })
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
