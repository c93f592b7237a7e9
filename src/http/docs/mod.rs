//! The API's description: as a document for programs, and as a page for people, who load nothing from elsewhere.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Path, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_swagger_ui::Config;

use super::error::{ApiError, ApiResult};
use crate::domain::digest::{hex, sha256};

/// The page and its script come from here, what they show from the document, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Files of Swagger UI that the page loads; its package has more.
const SWAGGER_UI: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];

static DOCUMENT: LazyLock<Result<String, String>> =
    LazyLock::new(|| super::openapi().to_json().map_err(|error| error.to_string()));

/// Describes every route (OpenAPI 3.1).
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "getDescription",
    tag = "description",
    responses(
        (status = 200, description = "The description.", body = Object),
        (status = 304, description = "It is as `If-None-Match` says."),
    ),
)]
pub async fn document(headers: HeaderMap) -> ApiResult<Response> {
    let text = DOCUMENT.as_deref().map_err(|error| ApiError::internal(error.as_str()))?;
    Ok(answer(&headers, "application/json", text.as_bytes()))
}

/// Shows the description as a page.
#[utoipa::path(
    get,
    path = "/api/docs",
    operation_id = "showDescription",
    tag = "description",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 304, description = "It is as `If-None-Match` says."),
    ),
)]
pub async fn page(headers: HeaderMap) -> Response {
    let mut response = answer(&headers, "text/html; charset=utf-8", include_bytes!("page.html"));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// Serves a script, a style or an image of the page.
#[utoipa::path(
    get,
    path = "/api/docs/{file}",
    operation_id = "getDescriptionFile",
    tag = "description",
    params(("file" = String, Path, description = "What the page names.", example = "page.js")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/javascript"), (String = "text/css"), ("image/png"),
        )),
        (status = 304, description = "It is as `If-None-Match` says."),
        (status = 404, description = "The page has no such file."),
    ),
)]
pub async fn asset(headers: HeaderMap, file: Result<Path<String>, PathRejection>) -> ApiResult<Response> {
    let unknown = || ApiError::not_found("The page /api/docs has no such file");
    let Path(name) = file.map_err(|_| unknown())?;
    match name.as_str() {
        "page.js" => return Ok(answer(&headers, "text/javascript", include_bytes!("page.js"))),
        "page.css" => return Ok(answer(&headers, "text/css", include_bytes!("page.css"))),
        _ if !SWAGGER_UI.contains(&name.as_str()) => return Err(unknown()),
        _ => {}
    }
    let file = utoipa_swagger_ui::serve(&name, Arc::new(Config::default()))
        .map_err(|error| ApiError::internal(error.to_string()))?
        .ok_or_else(unknown)?;
    let mut response = answer(&headers, &file.content_type, &file.bytes);
    // Packed when Dispatch was built. Whoever opens the page can unpack it, so no other form is kept.
    if file.gzpipped && response.status() == StatusCode::OK {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// What changes only with the version of Dispatch: asked for anew each time, sent when it is another.
fn answer(headers: &HeaderMap, content_type: &str, bytes: &[u8]) -> Response {
    // Weak: the layer that packs answers makes other bytes of the same text.
    let tag = format!("W/\"{}\"", &hex(&sha256(bytes))[..32]);
    let seen = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_seen =
        seen.flat_map(|value| value.split(',')).any(|seen| matches!(seen.trim(), "*") || seen.trim() == tag);
    let mut response = if is_seen {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], bytes.to_vec()).into_response()
    };
    let more: [(HeaderName, &str); 3] = [
        (header::ETAG, &tag),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in more {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
