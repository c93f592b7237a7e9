//! HTTP: every route in one list, every layer with its reason.

pub mod api;
pub mod auth;
mod docs;
mod error;
mod etag;
mod fields;
mod if_match;
mod openapi;
mod params;
pub mod patience;
mod rate;

use std::{net::SocketAddr, sync::Arc, task::Poll};

use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::poll;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    trace::{DefaultOnFailure, TraceLayer},
};
use tracing::Level;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{api::health::About, auth::Access, error::ApiError};
use crate::{engine::Engine, metrics::Stopwatch};

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

/// Every route. Path, method and description stand above the handler, who may call it in its signature.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(api::heartbeat::beat))
        .routes(routes!(api::queue::next_task))
        .routes(routes!(api::queue::queue))
        .routes(routes!(api::queue::work_summary))
        .routes(routes!(api::active_work::active))
        .routes(routes!(api::reports::report))
        .routes(routes!(api::pr_fix::queued))
        .routes(routes!(api::pr_fix::history))
        .routes(routes!(api::pr_fix_changes::enqueue))
        .routes(routes!(api::pr_fix_changes::mark))
        .routes(routes!(api::pr_fix_changes::requeue))
        .routes(routes!(api::pr_fix_handouts::ack))
        .routes(routes!(api::pr_fix_handouts::sweep))
        .routes(routes!(api::work::list, api::operators::operate))
        .routes(routes!(api::work::start))
        .routes(routes!(api::work::checkpoint))
        .routes(routes!(api::work::finish))
        .routes(routes!(api::operators::sweep))
        .routes(routes!(api::sync::sync))
        .routes(routes!(api::sync::scheduled))
        .routes(routes!(api::issues::list))
        .routes(routes!(api::issues::state))
        .routes(routes!(api::issues::refresh))
        .routes(routes!(api::claims::claim))
        .routes(routes!(api::claims::unclaim))
        .routes(routes!(api::claims::status))
        .routes(routes!(api::claims::claimed))
        .routes(routes!(api::actions::move_issue))
        .routes(routes!(api::actions::label))
        .routes(routes!(api::actions::unlabel))
        .routes(routes!(api::actions::comment))
        .routes(routes!(api::assignments::assign))
        .routes(routes!(api::assignments::agents))
        .routes(routes!(api::assignments::unassign))
        .routes(routes!(api::grooming::groom))
        .routes(routes!(api::grooming::decompose))
        .routes(routes!(api::triage::untriaged))
        .routes(routes!(api::triage::prune_closed))
        .routes(routes!(api::lanes::show, api::lanes::classify))
        .routes(routes!(api::why::why))
        .routes(routes!(api::repos::list_plain, api::repos::add_plain))
        .routes(routes!(api::repos::list, api::repos::add))
        .routes(routes!(api::repos::remove))
        .routes(routes!(api::automation::list, api::automation::sync))
        .routes(routes!(api::ci_failures::sync))
        .routes(routes!(api::runs::list, api::runs::record))
        .routes(routes!(api::audit::list))
        .routes(routes!(api::events::listen))
        .routes(routes!(api::outbox::list))
        .routes(routes!(api::outbox::retry))
        .routes(routes!(api::outbox::discard))
        .routes(routes!(api::tokens::list, api::tokens::create))
        .routes(routes!(api::tokens::revoke))
        .routes(routes!(api::health::health))
        .routes(routes!(api::health::live))
        .routes(routes!(api::health::ready))
        .routes(routes!(api::metrics::metrics))
        .routes(routes!(docs::document))
        .routes(routes!(docs::page))
        .routes(routes!(docs::asset))
}

/// The description of every route (OpenAPI 3.1).
pub fn openapi() -> OpenApi {
    openapi::complete(routes().into_openapi())
}

/// The server's routes in their layers.
pub fn router(app: App) -> Router {
    let routes = Router::from(routes())
        .fallback(|| async {
            ApiError::not_found("No such route; /api/docs lists all, /api/health says which version answers")
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
        // Around all that takes time, and after the route is known.
        .layer(middleware::from_fn_with_state(app.clone(), measure))
        // Outermost: everything inside knows the id.
        .layer(middleware::from_fn_with_state(app.clone(), name_request))
}

async fn run_to_the_end(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut answer = Box::pin(next.run(request));
    // What is there at once, out of memory, is spared a task and the waking of a thread for it.
    if let Poll::Ready(response) = poll!(answer.as_mut()) {
        return response;
    }
    match app.engine.tasks().spawn(answer).await {
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

async fn measure(State(app): State<App>, request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method_of(request.method());
    let response = next.run(request).await;
    app.engine.meters().http.answered(method, route, class_of(response.status()), watch.elapsed());
    response
}

/// Callers may make methods up; there is no end to those.
fn method_of(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| method.as_str() == *known).unwrap_or("other")
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500.. => "5xx",
    }
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
