//! Answers with an `ETag`: who shows it again gets 304 and no body while the answer is the same.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::error::{ApiError, ApiResult};
use crate::domain::digest::{hex, sha256};

/// The answer as JSON, or 304 when the request shows that it has it.
pub fn answer(request: &HeaderMap, content: &impl Serialize) -> ApiResult<Response> {
    answer_page(request, content, None)
}

/// The same for a page of a list, with the headers that lead to the next.
pub fn answer_page(
    request: &HeaderMap,
    content: &impl Serialize,
    next: Option<HeaderMap>,
) -> ApiResult<Response> {
    let body = serde_json::to_vec(content).map_err(|error| ApiError::internal(error.to_string()))?;
    // Weak: compressed or not, it says the same. That there is more is part of it; where is not, it changes with the time.
    let more = if next.is_some() { "+" } else { "" };
    let tag = format!("W/\"{}{more}\"", &hex(&sha256(&body))[..32]);
    let mut response = if holds(request, &tag) {
        (StatusCode::NOT_MODIFIED, Body::empty()).into_response()
    } else {
        let json = [(header::CONTENT_TYPE, "application/json")];
        (json, next.unwrap_or_default(), body).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    // Another token may be answered otherwise, and tomorrow is another day.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// Weak comparison (RFC 9110, 13.1.2).
fn holds(request: &HeaderMap, tag: &str) -> bool {
    let opaque = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let shown = request.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    shown.flat_map(|value| value.split(',')).any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_recognised_in_every_form() {
        let tag = "W/\"ab\"";
        for (shown, want) in [
            ("W/\"ab\"", true),
            ("\"ab\"", true),
            ("\"x\", W/\"ab\"", true),
            ("*", true),
            ("\"abc\"", false),
            ("ab", false),
            ("", false),
        ] {
            let request =
                HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(shown).unwrap())]);
            assert_eq!(holds(&request, tag), want, "{shown}");
        }
        assert!(!holds(&HeaderMap::new(), tag));
    }
}
