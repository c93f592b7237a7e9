//! Deliveries of webhooks: the signature in the place of a token (`contract/operations.md` 1.11).

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{HeaderMap, StatusCode},
};
use futures_util::StreamExt as _;

use super::{
    App,
    auth::Maintainer,
    error::{ApiError, ApiResult},
};
use crate::engine::webhooks::{Door, Incoming, event_name};

/// GitHub's own limit of a payload.
const BODY_MAX: usize = 25 * 1024 * 1024;
/// What is larger is read on so far and dropped, so that its sender hears why.
const READ_MAX: usize = 32 * 1024 * 1024;
/// No event of GitHub has a longer name.
const EVENT_MAX: usize = 64;

/// A delivery from somebody who may send it.
pub struct Delivered(pub Incoming);

impl FromRequest<App> for Delivered {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> ApiResult<Self> {
        let event = text(request.headers(), "x-github-event").unwrap_or_default().to_owned();
        let delivered = check(request, &event, app).await;
        if delivered.is_err() {
            app.engine.meters().webhooks.told(event_name(&event), "refused");
        }
        delivered
    }
}

/// The order of the checks is the contract's; what needs no body is asked before the body is read.
async fn check(request: Request, event: &str, app: &App) -> ApiResult<Delivered> {
    if event.is_empty() {
        return Err(ApiError::bad_request(
            "The header X-GitHub-Event is missing; GitHub sends it with each delivery",
        ));
    }
    let plain = event.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    if event.len() > EVENT_MAX || !plain {
        return Err(ApiError::bad_request("X-GitHub-Event is no name of an event"));
    }
    let (mut parts, body) = request.into_parts();
    let guid = text(&parts.headers, "x-github-delivery").map(str::to_owned);
    let signature = text(&parts.headers, "x-hub-signature-256").map(str::to_owned);
    let body = match &app.engine.settings().webhooks {
        Door::Closed => return Err(not_configured()),
        Door::Gateway => {
            Maintainer::from_request_parts(&mut parts, app).await?;
            read(body).await?
        }
        Door::Signed(secrets) => {
            let signature = signature.ok_or_else(|| {
                unsigned("The header X-Hub-Signature-256 is missing")
                    .with_hint("give the webhook at GitHub the secret that is WEBHOOK_SECRET here")
            })?;
            let body = read(body).await?;
            if !secrets.verify(&signature, &body) {
                return Err(unsigned("The signature is wrong").with_hint(
                    "the webhook's secret at GitHub must be WEBHOOK_SECRET here, and nothing between may change the body",
                ));
            }
            body
        }
    };
    Ok(Delivered(Incoming { event: event.to_owned(), guid, body }))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

fn unsigned(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, message)
}

fn not_configured() -> ApiError {
    let message = "Webhooks are not received: set WEBHOOK_SECRET, or WEBHOOK_GATEWAY_MODE=true behind a gateway that checks signatures";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).with_code("webhooks_off")
}

async fn read(body: Body) -> ApiResult<Vec<u8>> {
    let (mut chunks, mut bytes, mut seen) = (body.into_data_stream(), Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("The body broke off"))?;
        seen += chunk.len();
        if seen <= BODY_MAX {
            bytes.extend_from_slice(&chunk);
        } else if seen <= READ_MAX {
            bytes = Vec::new();
        } else {
            break;
        }
    }
    if seen > BODY_MAX {
        let refusal = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 25 MiB");
        return Err(refusal.with_code("body_too_large"));
    }
    Ok(bytes)
}
