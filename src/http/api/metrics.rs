//! `GET /metrics`: what a Prometheus server collects; `docs/metrics.md` says what each means.

use axum::{
    extract::State,
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use crate::{
    engine::gauges,
    http::{
        App,
        auth::Observer,
        error::{ApiError, ApiResult},
    },
};

/// The text form of OpenMetrics, which Prometheus reads since 2.5.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Tells what is counted and timed.
///
/// Metrics in the text form of OpenMetrics. Where `DISPATCH_METRICS_PUBLIC=true` no token is asked for.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "health",
    security(("bearer" = ["maintainer"])),
    responses(
        (status = 200, description = "All metrics.", body = String, content_type = "application/openmetrics-text"),
    ),
)]
pub async fn metrics(State(app): State<App>, _: Observer) -> ApiResult<Response> {
    let text = gauges::expose(&app.engine).await.map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
