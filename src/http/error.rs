//! Errors on the wire: `{"error", "code"?, "field"?, "hint"?, "requestId"?}` (`design.md` section 10).

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Json, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{domain::access::Denied, engine, store};

/// An answer that is not a success; boxed, because most answers are.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Refusal>);

#[derive(Clone, Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
    code: Option<&'static str>,
    field: Option<String>,
    hint: Option<&'static str>,
    /// Fields that a contract adds to the body.
    more: Map<String, Value>,
    header: Option<(HeaderName, HeaderValue)>,
    /// For the log only.
    cause: Option<String>,
}

/// What every refusal says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Error)]
pub struct ErrorBody {
    /// What happened, for people.
    #[schema(examples("repo: write it as owner/name, for example octocat/hello-world"))]
    error: String,
    /// What happened, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, examples("maintainer_required"))]
    code: Option<&'static str>,
    /// The field or parameter that breaks a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, examples("repo"))]
    field: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    hint: Option<&'static str>,
    /// The request's name in the server's log, as in the header `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required)]
    request_id: Option<String>,
    /// Fields that a contract adds.
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

/// Seconds until somebody who has too much may ask for more.
const TOO_MANY_WAIT: u64 = 10;
/// The longest message; some quote what they refuse.
const MESSAGE_MAX: usize = 1_000;
/// What is kept of the end of a longer one, where it says what is good.
const END_MAX: usize = 300;

/// A message with what is too long taken out of its middle.
fn shortened(message: String) -> String {
    let length = message.chars().count();
    if length <= MESSAGE_MAX {
        return message;
    }
    let start: String = message.chars().take(MESSAGE_MAX - END_MAX).collect();
    let end: String = message.chars().skip(length - END_MAX).collect();
    format!("{start} … {end}")
}

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(Box::new(Refusal {
            status,
            message: shortened(message.into()),
            code: None,
            field: None,
            hint: None,
            more: Map::new(),
            header: None,
            cause: None,
        }))
    }

    /// A value breaks a rule; the message names the field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, message);
        error.0.field = Some(field.into());
        error
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// It was there once and will not come back.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, message)
    }

    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "This path does not take this method; the Allow header lists those it takes",
        )
    }

    pub fn unauthorized() -> Self {
        let mut error = Self::new(StatusCode::UNAUTHORIZED, "Unauthorized");
        error.0.hint = Some("send the header Authorization: Bearer <token>");
        error.0.header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        error
    }

    /// Too many requests; `seconds` until the next may come.
    pub fn rate_limited(seconds: u64) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded");
        error.0.hint = Some("wait as long as Retry-After says; DISPATCH_RATE_LIMIT_PER_S raises the limit");
        error.0.header = Some((header::RETRY_AFTER, HeaderValue::from(seconds.max(1))));
        error
    }

    /// A fault of ours; `cause` goes to the log, never to the client.
    pub fn internal(cause: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error");
        error.0.hint = Some("the server's log has the cause under this requestId");
        error.0.cause = Some(cause.into());
        error
    }

    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Some(hint);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The message, and what to do.
    pub fn told(&self) -> String {
        let hint = self.0.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}{hint}", self.0.message)
    }

    pub fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// The header that goes with it.
    pub fn header(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.0.header.as_ref()
    }

    /// Has the log say why a request failed by a fault of ours.
    pub fn log(&self) {
        if self.0.status.is_server_error() {
            let Refusal { status, message, cause, .. } = self.0.as_ref();
            tracing::error!(status = status.as_u16(), message, cause, "a request failed");
        }
    }

    /// The same refusal in other words.
    pub fn said(mut self, message: &str) -> Self {
        message.clone_into(&mut self.0.message);
        self
    }

    /// Is it put in these words?
    pub fn is_said(&self, message: &str) -> bool {
        self.0.message == message
    }

    /// The same refusal in the words that a route's contract has for it.
    pub fn reworded(mut self, from: &str, to: &str) -> Self {
        if self.0.message == from {
            to.clone_into(&mut self.0.message);
        }
        self
    }

    /// The same refusal of a field within an object of the body.
    pub fn within(mut self, place: &str) -> Self {
        self.0.field = self.0.field.map(|field| format!("{place}.{field}"));
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Adds a field that the contract names.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    fn body(&self, request_id: Option<String>) -> ErrorBody {
        let refusal = self.0.as_ref().clone();
        ErrorBody {
            error: refusal.message,
            code: refusal.code,
            field: refusal.field,
            hint: refusal.hint,
            request_id,
            more: refusal.more,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        if let Some((name, value)) = &self.0.header {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives errors their body; the one place where 5xx are logged.
pub fn render(mut response: Response, request_id: String) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else {
        return response;
    };
    error.log();
    let mut rendered = (error.0.status, Json(error.body(Some(request_id)))).into_response();
    if let Some((name, value)) = error.0.header {
        rendered.headers_mut().insert(name, value);
    }
    rendered
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        let mut answer = Self::new(StatusCode::SERVICE_UNAVAILABLE, "The database failed");
        answer.0.code = Some("database_failed");
        answer.0.hint = Some("try again; the server's log has the cause under this requestId");
        answer.0.cause = Some(error.to_string());
        answer
    }
}

impl From<engine::Error> for ApiError {
    fn from(error: engine::Error) -> Self {
        let message = error.to_string();
        match error {
            engine::Error::NotFound(_) => Self::not_found(message),
            engine::Error::Conflict(_) => Self::conflict(message),
            engine::Error::Invalid { field, .. } => Self::invalid(field, message),
            engine::Error::GitHub(_) => Self::new(StatusCode::BAD_GATEWAY, message),
            engine::Error::ClaimLost { holder, at, .. } => {
                let lost = Self::conflict(message).with_code("claim_lost");
                let lost = lost.with("holder", holder.map(|holder| holder.to_string()));
                lost.with("lostAt", at.map(|at| at.to_string()))
            }
            engine::Error::Held { holder, .. } => {
                Self::conflict(message).with_code("held").with("holder", holder)
            }
            engine::Error::Stale { version, .. } => Self::new(StatusCode::PRECONDITION_FAILED, message)
                .with_code("stale")
                .with("version", version.to_string()),
            engine::Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, message),
            engine::Error::Unverified(_) | engine::Error::Busy(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
            }
            engine::Error::TooMany(_) => {
                let mut refusal = Self::rate_limited(TOO_MANY_WAIT);
                refusal.0.hint = None;
                refusal.said(&message).with_code("too_many_listeners")
            }
            engine::Error::Database(error) => error.into(),
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::Tier => "maintainer_required",
            Denied::OtherAgent { .. } => "other_agent",
            Denied::Unbound => "unbound_token",
        };
        Self::new(StatusCode::FORBIDDEN, denied.to_string()).with_code(code)
    }
}

#[cfg(test)]
impl ApiError {
    /// The body as a client would see it.
    pub fn body_for_tests(&self) -> Value {
        serde_json::to_value(self.body(None)).unwrap_or_default()
    }
}
