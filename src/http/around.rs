//! What happens around every request, in one layer: its name, its span, how long it took, and that it is worked off to
//! the end. One, because every layer costs each poll of an idle fleet its own copy of all that it wraps.

use std::{net::SocketAddr, task::Poll};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::poll;
use tracing::Instrument as _;

use super::{
    App,
    error::{self, ApiError},
};
use crate::metrics::Stopwatch;

/// Names a request in answers and logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer around all others, after the route is known.
pub async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let id = app.engine.ids.next();
    let named = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("unknown"));
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method_of(request.method());
    let span = span(&request, &route, &id);
    request.headers_mut().insert(REQUEST_ID, named.clone());
    let response = run_to_the_end(&app, next.run(request).instrument(span.clone())).await;
    let mut response = span.in_scope(|| {
        let response = error::render(response, id);
        let took = watch.elapsed();
        tracing::debug!(status = response.status().as_u16(), ms = took.as_millis(), "answered");
        app.engine.meters().http.answered(method, route, class_of(response.status()), took);
        response
    });
    response.headers_mut().insert(REQUEST_ID, named);
    response
}

/// A client that hangs up ends the waiting, not the work: no database call is ever cut off.
async fn run_to_the_end(app: &App, work: impl Future<Output = Response> + Send + 'static) -> Response {
    let mut work = Box::pin(work);
    // What is there at once, out of memory, is spared a task and the waking of a thread for it.
    if let Poll::Ready(response) = poll!(work.as_mut()) {
        return response;
    }
    let ended = app.engine.tasks().spawn(work).await;
    ended.unwrap_or_else(|_| ApiError::internal("a handler was cut off").into_response())
}

fn span(request: &Request, route: &str, id: &str) -> tracing::Span {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    tracing::info_span!("request", method = %request.method(), route, id, peer = ?peer)
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
