//! Answers to people that are no pages of theirs: what went wrong, or where to sign in.

use askama::Template;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::assets::{NAMES, Names};
use crate::{engine, http::error::ApiError, store};

/// Why a page is not shown, or a form not carried out.
pub enum Refusal {
    /// Said on a page of its own.
    Said(ApiError),
    /// First somebody has to sign in, and then goes on to this path.
    SignIn(String),
    /// The same where a script asks, which cannot.
    SignInFirst,
}

/// The result of a page's handler.
pub type PageResult<T> = Result<T, Refusal>;

/// No such page, or no such thing to show on it.
pub fn not_found() -> Refusal {
    Refusal::Said(ApiError::not_found("There is no such page"))
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Page<'a> {
    names: &'a Names,
    words: &'a Words,
    /// Nobody has to sign in, and everybody is told so.
    is_open: bool,
}

/// What a refusal says: the page for it is made by the layer around all pages, which knows what every page says.
#[derive(Clone)]
struct Words {
    title: &'static str,
    message: String,
    hint: Option<&'static str>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Said(error) => say(&error),
            Self::SignInFirst => (StatusCode::UNAUTHORIZED, "Sign in first").into_response(),
            Self::SignIn(path) => {
                let query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("callbackUrl", &path)
                    .finish();
                see_other(&format!("/login?{query}"))
            }
        }
    }
}

fn say(error: &ApiError) -> Response {
    error.log();
    let title = error.status().canonical_reason().unwrap_or("Refused");
    let words = Words { title, message: error.message().to_owned(), hint: error.hint() };
    let mut response = (error.status(), words.message.clone()).into_response();
    response.extensions_mut().insert(words);
    if let Some((name, value)) = error.header() {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// Shows a refusal as a page.
pub fn show(response: &mut Response, is_open: bool) {
    let Some(words) = response.extensions_mut().remove::<Words>() else { return };
    if let Ok(html) = (Page { names: &NAMES, words: &words, is_open }).render() {
        *response.body_mut() = Body::from(html);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
}

/// Leads the browser to a path of this server, by GET.
pub fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, path);
    response
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Said(error)
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::Said(error.into())
    }
}

impl From<engine::Error> for Refusal {
    fn from(error: engine::Error) -> Self {
        Self::Said(error.into())
    }
}
