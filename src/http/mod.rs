//! HTTP: every route in one list, every layer with its reason.

pub mod api;
pub mod auth;
mod error;
mod fields;
mod params;
mod rate;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    trace::{DefaultOnFailure, TraceLayer},
};
use tracing::Level;

use self::{api::health::About, auth::Access, error::ApiError};
use crate::engine::Engine;

/// The largest body that is read; GitHub's largest webhook is 25 MB, which has a limit of its own.
const BODY_MAX: usize = 1024 * 1024;

/// Names a request in answers and logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where the next page of a list starts.
pub const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// What handlers share.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

pub struct AppParts {
    pub engine: Engine,
    pub access: Access,
    pub about: About,
}

impl std::ops::Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

impl App {
    pub fn new(engine: Engine, access: Access, about: About) -> Self {
        Self(Arc::new(AppParts { engine, access, about }))
    }
}

/// Every route. Who may call it stands in the handler's signature.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/api/agents/{agentName}/heartbeat", post(api::heartbeat::beat))
        .route("/api/agents/{agentName}/active-work", get(api::active_work::active))
        .route("/api/agents/{agentName}/tasks/report", post(api::reports::report))
        .route("/api/agent-work", get(api::work::list).post(api::work::operate))
        .route("/api/agent-work/start", post(api::work::start))
        .route("/api/agent-work/checkpoint", post(api::work::checkpoint))
        .route("/api/agent-work/finish", post(api::work::finish))
        .route("/api/agent-work/sweep", post(api::work::sweep))
        .route("/api/sync", post(api::sync::sync))
        .route("/api/sync/scheduled", post(api::sync::scheduled))
        .route("/api/issues", get(api::issues::list))
        .route("/api/issues/state", get(api::issues::state))
        .route("/api/issues/refresh", post(api::issues::refresh))
        .route("/api/issues/claim", post(api::claims::claim))
        .route("/api/issues/unclaim", post(api::claims::unclaim))
        .route("/api/issues/status", post(api::claims::status))
        .route("/api/issues/claimed", get(api::claims::claimed))
        .route("/api/repos", get(api::repos::list_plain).post(api::repos::add_plain))
        .route("/api/automation/repos", get(api::repos::list).post(api::repos::add))
        .route("/api/automation/repos/{owner}/{repo}", delete(api::repos::remove))
        .route("/api/agent-runs", get(api::runs::list).post(api::runs::record))
        .route("/api/audit", get(api::audit::list))
        .route("/api/tokens", get(api::tokens::list).post(api::tokens::create))
        .route("/api/tokens/{id}", delete(api::tokens::revoke))
        .route("/api/health", get(api::health::health))
        .route("/healthz", get(api::health::live))
        .route("/readyz", get(api::health::ready))
        .fallback(|| async {
            ApiError::not_found("No such route; see /api/health for the version that answers")
        })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() });
    layers(routes, &app).with_state(app)
}

/// Every layer, the outermost last.
fn layers(routes: Router<App>, app: &App) -> Router<App> {
    routes
        // A client that hangs up ends the waiting, not the work: no database call is ever cut off.
        .layer(middleware::from_fn_with_state(app.clone(), run_to_the_end))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(CompressionLayer::new())
        // A panic is a fault of ours, and still an answer.
        .layer(CatchPanicLayer::custom(|_| ApiError::internal("a handler panicked").into_response()))
        // Errors get their body here, with the request's id; 5xx are logged here, once.
        .layer(middleware::from_fn(error::render))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(log_response)
                .on_failure(DefaultOnFailure::new().level(Level::DEBUG)),
        )
        // Outermost: everything inside knows the id.
        .layer(middleware::from_fn_with_state(app.clone(), name_request))
}

async fn run_to_the_end(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.engine.tasks().spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => ApiError::internal("a handler was cut off").into_response(),
        },
    }
}

async fn name_request(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = HeaderValue::from_str(&app.engine.ids.next()).unwrap_or(HeaderValue::from_static("unknown"));
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("");
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    tracing::info_span!("request", method = %request.method(), route, id, peer = ?peer)
}

fn log_response(response: &Response, latency: std::time::Duration, _: &tracing::Span) {
    tracing::debug!(status = response.status().as_u16(), ms = latency.as_millis(), "answered");
}
