//! `If-Match`: a change of an issue that is tied to the version that the caller saw.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ApiResult};
use crate::domain::version::{self, Version};

/// What the request demands; nothing without the header.
pub struct IfMatch(pub Option<version::IfMatch>);

/// The version that the caller saw.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `IfMatch` reads")]
pub struct Seen {
    /// The `version` of the issue that the change was decided on: of another one it is refused (412).
    #[param(rename = "If-Match", example = "\"9f86d081884c7d659a2feaa0c55ad015\"")]
    pub if_match: Option<String>,
}

/// The issue is not as the caller saw it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = StaleView)]
#[expect(dead_code, reason = "describes the refusals of `http::error`")]
pub struct StaleView {
    error: String,
    /// `stale`.
    #[schema(examples("stale"))]
    code: String,
    /// What it is now.
    version: Version,
    request_id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let refuse = || ApiError::invalid("If-Match", format!("If-Match: {}", version::NotAVersion));
        let mut shown = Vec::new();
        for value in parts.headers.get_all(header::IF_MATCH) {
            shown.push(value.to_str().map_err(|_| refuse())?);
        }
        if shown.is_empty() {
            return Ok(Self(None));
        }
        shown.join(",").parse().map(|demanded| Self(Some(demanded))).map_err(|_| refuse())
    }
}
