//! What GitHub delivers by itself: one receiver under three names.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::{
    domain::delivery::DeliveryId,
    engine::webhooks::{self, Receipt, Received, Refusal},
    http::{
        App,
        error::{ApiError, ApiResult, ErrorBody},
        signed::Delivered,
    },
};

/// A delivery that was accepted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookReceipt)]
pub struct ReceiptOut {
    delivery_id: DeliveryId,
    #[schema(examples("issues"))]
    event: String,
    #[schema(required, examples("opened"))]
    action: Option<String>,
    state: ReceiptState,
}

/// What became of a delivery so far.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookReceiptState)]
enum ReceiptState {
    /// Stored; it is applied next.
    Pending,
    /// There was nothing to do.
    Applied,
    /// By a rule it changes nothing.
    Ignored,
    /// It was stored before, under the same id.
    Duplicate,
}

impl From<Received> for ReceiptOut {
    fn from(received: Received) -> Self {
        let state = match received.receipt {
            Receipt::Pending => ReceiptState::Pending,
            Receipt::Applied => ReceiptState::Applied,
            Receipt::Ignored => ReceiptState::Ignored,
            Receipt::Duplicate => ReceiptState::Duplicate,
        };
        Self { delivery_id: received.guid, event: received.event, action: received.action, state }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Database(error) => error.into(),
            refusal => Self::bad_request(refusal.to_string()),
        }
    }
}

/// A payload of GitHub; which fields it has hangs on the event.
#[derive(ToSchema)]
#[schema(as = WebhookPayload)]
#[expect(dead_code, reason = "it describes what `webhooks::receive` reads")]
pub struct PayloadBody {
    /// What happened, for events that have several kinds.
    #[schema(examples("opened"))]
    action: Option<String>,
}

/// What GitHub sends with a payload.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `Delivered` reads")]
pub struct PayloadHeaders {
    #[param(rename = "X-GitHub-Event", example = "issues")]
    event: String,
    /// Names the delivery, the same when it is delivered again; by default the payload does.
    #[param(rename = "X-GitHub-Delivery")]
    delivery: Option<DeliveryId>,
    /// HMAC-SHA256 of the body, as `sha256=` and 64 hexadecimal digits.
    #[param(rename = "X-Hub-Signature-256")]
    signature: Option<String>,
}

/// Why nothing was stored.
#[derive(IntoResponses)]
pub enum Refusals {
    /// There is no event, or the body is not JSON of the form that GitHub documents for it.
    #[response(status = 400)]
    Bad(ErrorBody),
    /// The signature is missing or wrong; behind a gateway, the token.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "`Bearer`, behind a gateway.")))]
    Unsigned(ErrorBody),
    /// Behind a gateway: the token is no maintainer's. It is in the audit log.
    #[response(status = 403)]
    NotMaintainer(ErrorBody),
    /// The body did not come in time.
    #[response(status = 408)]
    Late(ErrorBody),
    /// The body is larger than 25 MiB: code `body_too_large`.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// Behind a gateway: a worker's token was used too often.
    #[response(status = 429, headers(("Retry-After" = i64, description = "Seconds until the next request may come.")))]
    TooMany(ErrorBody),
    /// Webhooks are not received (code `webhooks_off`): neither `WEBHOOK_SECRET` nor `WEBHOOK_GATEWAY_MODE` is set. Or
    /// the database failed (code `database_failed`), or too many large ones come at once (code `busy`).
    #[response(status = 503)]
    Off(ErrorBody),
}

/// Receives a webhook of GitHub.
///
/// The signature is the authentication. The delivery is stored when this answers, and applied in the background by the
/// payload's own times, once for each `X-GitHub-Delivery`.
#[utoipa::path(
    post,
    path = "/api/github/webhook",
    operation_id = "receiveWebhook",
    tag = "webhooks",
    params(PayloadHeaders),
    request_body = PayloadBody,
    responses(
        (status = 202, description = "It is stored, or nothing follows from it.", body = ReceiptOut),
        Refusals,
    ),
)]
pub async fn github(
    State(app): State<App>,
    delivered: Delivered,
) -> ApiResult<(StatusCode, Json<ReceiptOut>)> {
    receive(&app, delivered).await
}

/// Receives a webhook of GitHub, under a name that the Node edition has.
///
/// The same as `/api/github/webhook`.
#[utoipa::path(
    post,
    path = "/api/issues/webhook",
    operation_id = "receiveIssuesWebhook",
    tag = "webhooks",
    params(PayloadHeaders),
    request_body = PayloadBody,
    responses(
        (status = 202, description = "It is stored, or nothing follows from it.", body = ReceiptOut),
        Refusals,
    ),
)]
pub async fn issues(
    State(app): State<App>,
    delivered: Delivered,
) -> ApiResult<(StatusCode, Json<ReceiptOut>)> {
    receive(&app, delivered).await
}

/// Receives a webhook of GitHub, under a name that the Node edition has.
///
/// The same as `/api/github/webhook`.
#[utoipa::path(
    post,
    path = "/api/pr-followup/webhook",
    operation_id = "receivePrFollowupWebhook",
    tag = "webhooks",
    params(PayloadHeaders),
    request_body = PayloadBody,
    responses(
        (status = 202, description = "It is stored, or nothing follows from it.", body = ReceiptOut),
        Refusals,
    ),
)]
pub async fn pr_followup(
    State(app): State<App>,
    delivered: Delivered,
) -> ApiResult<(StatusCode, Json<ReceiptOut>)> {
    receive(&app, delivered).await
}

async fn receive(app: &App, delivered: Delivered) -> ApiResult<(StatusCode, Json<ReceiptOut>)> {
    let received = webhooks::receive(&app.engine, delivered.incoming).await?;
    Ok((StatusCode::ACCEPTED, Json(received.into())))
}
