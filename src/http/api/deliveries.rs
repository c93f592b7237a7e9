//! `/api/deliveries`: what came by webhooks, and what became of it.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        delivery::{DeliveryId, DeliveryState},
        page::DEFAULT_LIMIT,
        repo::RepoName,
        time::Timestamp,
    },
    engine::webhooks,
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        params::{Limit, Params, Start},
    },
    store::deliveries::{self, Delivery, Filter},
};

/// A delivery of a webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDelivery)]
pub struct DeliveryOut {
    delivery_id: DeliveryId,
    #[schema(examples("issues"))]
    event: String,
    #[schema(required, examples("opened"))]
    action: Option<String>,
    /// As it was sent; null for events of no repository.
    #[schema(required, examples("octocat/hello-world"))]
    repo_full_name: Option<String>,
    state: DeliveryState,
    /// How often it was tried, since it came or since the last retry.
    #[schema(minimum = 0)]
    attempts: i64,
    /// Why it is ignored or failed, or did not work yet.
    #[schema(required)]
    reason: Option<String>,
    received_at: Timestamp,
    /// When it was applied, ignored or given up.
    #[schema(required)]
    settled_at: Option<Timestamp>,
    /// When it may be tried again; null unless it is pending.
    #[schema(required)]
    next_try_at: Option<Timestamp>,
    /// What was sent is kept still, so it can be tried again.
    can_retry: bool,
}

impl From<Delivery> for DeliveryOut {
    fn from(row: Delivery) -> Self {
        let is_pending = row.state == DeliveryState::Pending;
        Self {
            delivery_id: row.guid,
            event: row.event,
            action: row.action,
            repo_full_name: row.repository,
            state: row.state,
            attempts: row.attempts,
            reason: row.words,
            received_at: row.received_at,
            settled_at: row.settled_at,
            next_try_at: is_pending.then_some(row.next_try_at),
            can_retry: row.has_payload && row.state != DeliveryState::Applied,
        }
    }
}

/// Which deliveries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `list` reads")]
pub struct DeliveryFilter {
    /// Only deliveries of this repository.
    repo: Option<RepoName>,
    /// Only deliveries in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Only deliveries of this event.
    #[param(example = "issues")]
    event: Option<String>,
}

/// Lists deliveries of webhooks, newest first. They are kept for a week, failed ones for 30 days.
#[utoipa::path(
    get,
    path = "/api/deliveries",
    operation_id = "listDeliveries",
    tag = "deliveries",
    security(("bearer" = ["maintainer"])),
    params(DeliveryFilter, Limit, Start),
    responses((status = 200, description = "A page of deliveries.", body = Vec<DeliveryOut>)),
)]
pub async fn list(
    State(app): State<App>,
    _: Maintainer,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<DeliveryOut>>)> {
    let filter = Filter {
        repo: params.repo("repo")?,
        state: params.parsed("state")?,
        event: params.text("event").map(str::to_owned),
    };
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read_once().await?;
    let page = deliveries::list(&mut tx, &filter, cursor.as_ref(), limit).await?;
    drop(tx);
    Ok((params.next_page(&page), Json(page.rows.into_iter().map(DeliveryOut::from).collect())))
}

/// Has a delivery tried again that failed, was ignored or waits; what was sent is kept for a day after it was ignored.
#[utoipa::path(
    post,
    path = "/api/deliveries/{deliveryId}/retry",
    operation_id = "retryDelivery",
    tag = "deliveries",
    security(("bearer" = ["maintainer"])),
    params(("deliveryId" = DeliveryId, Path, description = "The `deliveryId` of the delivery.")),
    responses(
        (status = 200, description = "It is pending again, and applied next.", body = DeliveryOut),
        (status = 404, description = "No such delivery."),
        (status = 409, description = "It was applied, or what was sent is not kept any more."),
    ),
)]
pub async fn retry(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    id: Result<Path<String>, PathRejection>,
) -> ApiResult<Json<DeliveryOut>> {
    let id = id.ok().and_then(|Path(id)| id.parse::<DeliveryId>().ok());
    let id =
        id.ok_or_else(|| ApiError::not_found("No such delivery; GET /api/deliveries lists those there are"))?;
    Ok(Json(webhooks::retry(&app.engine, &caller, &id).await?.into()))
}
