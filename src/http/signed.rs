//! Deliveries of webhooks: the signature in the place of a token (`contract/operations.md` 1.11).

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts as _, Request},
    http::{HeaderMap, StatusCode},
};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// Who sends must be done by then; GitHub itself gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// What all bodies together may take that are being read, in KiB: anybody may send one, for it is read before its
/// signature can be checked.
const ROOM: usize = 64 * 1024;

/// The memory that is left for bodies.
#[derive(Debug)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM)))
    }
}

impl Room {
    /// Some more of it; none when others have all the rest.
    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(kib).ok()
    }
}

/// A delivery from somebody who may send it, and the room that it takes until it is stored.
pub struct Delivered {
    pub incoming: Incoming,
    _room: Held,
}

/// A body takes room chunk by chunk.
type Held = Option<OwnedSemaphorePermit>;

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
    let (body, room) = match &app.engine.settings().webhooks {
        Door::Closed => return Err(not_configured()),
        Door::Gateway => {
            Maintainer::from_request_parts(&mut parts, app).await?;
            read_within(PATIENCE, body, &app.room).await?
        }
        Door::Signed(secrets) => {
            let signature = signature.ok_or_else(|| {
                unsigned("The header X-Hub-Signature-256 is missing")
                    .with_hint("give the webhook at GitHub the secret that is WEBHOOK_SECRET here")
            })?;
            let (body, room) = read_within(PATIENCE, body, &app.room).await?;
            if !secrets.verify(&signature, &body) {
                return Err(unsigned("The signature is wrong").with_hint(
                    "the webhook's secret at GitHub must be WEBHOOK_SECRET here, and nothing between may change the body",
                ));
            }
            (body, room)
        }
    };
    Ok(Delivered { incoming: Incoming { event: event.to_owned(), guid, body }, _room: room })
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

async fn read_within(patience: Duration, body: Body, room: &Room) -> ApiResult<(Vec<u8>, Held)> {
    let late = || ApiError::new(StatusCode::REQUEST_TIMEOUT, "The body did not come in time");
    tokio::time::timeout(patience, read(body, room)).await.map_err(|_| late())?
}

async fn read(body: Body, room: &Room) -> ApiResult<(Vec<u8>, Held)> {
    let (mut chunks, mut bytes, mut held, mut seen) = (body.into_data_stream(), Vec::new(), Held::None, 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("The body broke off"))?;
        seen += chunk.len();
        if seen <= BODY_MAX {
            let more = room.take(chunk.len()).ok_or_else(crowded)?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            bytes.extend_from_slice(&chunk);
        } else if seen <= READ_MAX {
            (bytes, held) = (Vec::new(), None);
        } else {
            break;
        }
    }
    if seen > BODY_MAX {
        let refusal = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 25 MiB");
        return Err(refusal.with_code("body_too_large"));
    }
    Ok((bytes, held))
}

fn crowded() -> ApiError {
    let message = "Too many large deliveries come at once";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).with_code("busy").with_hint(
        "have it delivered again; Dispatch does so by itself for those that GitHub lists as failed",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_bodies_together_take_no_more_than_the_room() {
        let (room, large) = (Room::default(), || Body::from(vec![0; BODY_MAX]));
        let first = read(large(), &room).await;
        let second = read(large(), &room).await;
        assert!(first.is_ok() && second.is_ok());
        let refused = read(large(), &room).await.err().map(|error| error.status());
        assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert!(read(Body::from("{}"), &room).await.is_ok(), "what was refused holds nothing");
        drop((first, second));
        assert!(read(large(), &room).await.is_ok(), "what was stored makes room");
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let refused =
            read_within(Duration::ZERO, never, &Room::default()).await.err().map(|error| error.status());
        assert_eq!(refused, Some(StatusCode::REQUEST_TIMEOUT));
    }
}
