//! An answer before it is sent.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use super::etag::Tag;
use crate::limits::Refusal;

/// Status, headers and body, with what the gate still needs to know.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: StatusCode,
    /// Boxed because replies also travel as errors, which should be small.
    pub headers: Box<HeaderMap>,
    pub body: Bytes,
    /// The representation's tag, where the handler knows it without the body.
    pub tag: Option<Tag>,
    /// Set when a limit speaks.
    pub refusal: Option<Refusal>,
}

impl Reply {
    /// An answer with a body of another type than JSON.
    pub fn raw(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = Box::new(HeaderMap::new());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: body.into(), tag: None, refusal: None }
    }

    /// An answer whose JSON is ready.
    pub fn rendered(status: StatusCode, json: impl Into<Bytes>) -> Self {
        Self::raw(status, "application/json; charset=utf-8", json)
    }

    /// An answer in JSON.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // The bodies are strings, numbers, lists and maps with text keys: JSON holds them all.
        Self::rendered(status, serde_json::to_vec(body).unwrap_or_default())
    }

    /// 200 with JSON.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// 304 without a body.
    pub fn not_modified(tag: Tag) -> Self {
        let mut reply = Self::rendered(StatusCode::NOT_MODIFIED, Bytes::new());
        reply.headers.remove(CONTENT_TYPE);
        reply.tag = Some(tag);
        reply
    }

    #[must_use]
    pub fn tagged(mut self, tag: Tag) -> Self {
        self.tag = Some(tag);
        self
    }

    /// Adds a header; one that HTTP cannot hold is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}
