//! What stands before all routes: polls of an idle fleet, answered as before. Each agent asks the same every second, and
//! would be led through routes, layers and two digests to the same 304.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery},
    response::Response,
};
use futures_util::future::Either;
use parking_lot::Mutex;
use tower_service::Service;
use tracing::level_filters::LevelFilter;

use super::{App, around::REQUEST_ID, auth::Access, router};
use crate::{domain::access::Caller, engine::polls::Lasting, metrics::Stopwatch};

/// So many polls are known: a fleet of thousands.
const MOST: usize = 5_000;
/// No poll is longer than that in all its parts.
const LONGEST: usize = 1_000;
/// Only these are remembered; the route as metrics name it.
const PATH_END: &str = "/next-task";
const ROUTE: &str = "/api/agents/{agentName}/next-task";

/// All routes, and what is answered before them.
#[derive(Clone)]
pub struct Front {
    app: App,
    routes: Router,
}

impl Front {
    pub fn new(app: App) -> Self {
        Self { routes: router(app.clone()), app }
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, <Router as Service<Request>>::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match answer(&self.app, &request) {
            Some(response) => Either::Left(ready(Ok(response))),
            None => Either::Right(self.routes.call(request)),
        }
    }
}

/// Polls that were answered 304, and for how long that is the answer.
#[derive(Default)]
pub struct Repeats(Mutex<HashMap<Asked, Told>>);

/// All that the answer hangs on and the client chooses.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    at: PathAndQuery,
    authorization: HeaderValue,
    tag: HeaderValue,
}

#[derive(Clone)]
struct Told {
    lasting: Lasting,
    caller: Caller,
    headers: [(HeaderName, HeaderValue); 2],
}

impl Repeats {
    /// Keeps a 304, unless the token may be revoked meanwhile.
    pub fn remember(
        &self,
        (uri, headers): (&Uri, &HeaderMap),
        response: &Response,
        lasting: Lasting,
        caller: Caller,
        access: &Access,
    ) {
        let Some(asked) = asked(&Method::GET, uri, headers) else { return };
        let of = |name: HeaderName| Some((name.clone(), response.headers().get(&name)?.clone()));
        let (Some(tag), Some(cache)) = (of(header::ETAG), of(header::CACHE_CONTROL)) else { return };
        let Some(asked) = asked.copied().filter(|_| access.is_lasting(&caller.token)) else { return };
        let mut known = self.0.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(asked, Told { lasting, caller, headers: [tag, cache] });
    }
}

impl Asked {
    /// With bytes of its own: what came with a request would keep all of it.
    fn copied(&self) -> Option<Self> {
        let Self { at, authorization, tag } = self;
        if at.as_str().len() + authorization.len() + tag.len() > LONGEST {
            return None;
        }
        Some(Self {
            at: at.as_str().parse().ok()?,
            authorization: HeaderValue::from_bytes(authorization.as_bytes()).ok()?,
            tag: HeaderValue::from_bytes(tag.as_bytes()).ok()?,
        })
    }
}

/// A poll with a token and one tag.
fn asked(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Asked> {
    let only = |name: HeaderName| {
        let mut values = headers.get_all(name).into_iter();
        let first = values.next()?;
        values.next().is_none().then(|| first.clone())
    };
    if *method != Method::GET || !uri.path().ends_with(PATH_END) {
        return None;
    }
    let (authorization, tag) = (only(header::AUTHORIZATION)?, only(header::IF_NONE_MATCH)?);
    Some(Asked { at: uri.path_and_query()?.clone(), authorization, tag })
}

fn answer(app: &App, request: &Request) -> Option<Response> {
    let watch = Stopwatch::start();
    // Who looks closely is shown each request in the log.
    if LevelFilter::current() >= LevelFilter::DEBUG {
        return None;
    }
    let asked = asked(request.method(), request.uri(), request.headers())?;
    let (changes, now) = (app.engine.db().changes()?, app.engine.clock().now());
    let told = app.front.0.lock().get(&asked).filter(|told| told.lasting.holds(changes, now)).cloned()?;
    // Who asks too often is told so behind this.
    app.access.take(&told.caller, now).ok()?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().extend(told.headers);
    if let Ok(id) = HeaderValue::from_str(&app.engine.ids.next()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    app.engine.meters().http.answered("GET", ROUTE.to_owned(), "3xx", watch.elapsed());
    Some(response)
}
