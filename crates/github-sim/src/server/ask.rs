//! One request, read whole.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, IF_NONE_MATCH, USER_AGENT};
use hyper::{Method, Request};

use crate::api::Route;

/// Largest request body that is read.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A request as the routes see it.
#[derive(Debug)]
pub(crate) struct Ask {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub route: Route,
}

impl Ask {
    /// Reads the request to its end; `None` if the client left meanwhile.
    pub async fn read(request: Request<Incoming>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.ok()?;
        let path = head.uri.path().to_owned();
        Some(Self {
            route: Route::parse(&head.method, &path),
            method: head.method,
            query: head.uri.query().unwrap_or_default().to_owned(),
            path,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    pub fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        format!("{}?{}", self.path, self.query)
    }

    pub fn authorization(&self) -> Option<&str> {
        // A header that is no text is no token either, so it must not count as absent.
        let header = self.headers.get(AUTHORIZATION)?;
        Some(header.to_str().unwrap_or_default())
    }

    pub fn user_agent(&self) -> Option<&str> {
        let agent = self.headers.get(USER_AGENT)?.to_str().ok()?;
        (!agent.is_empty()).then_some(agent)
    }

    pub fn if_none_match(&self) -> Option<&str> {
        self.headers.get(IF_NONE_MATCH)?.to_str().ok()
    }

    /// Whether it changes nothing.
    pub fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// The last value of a query parameter.
    pub fn param(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(key, _)| key == name)
            .last()
            .map(|(_, value)| value.into_owned())
    }
}
