//! Answers to people that are no pages of theirs: what went wrong, or where to sign in.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
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
    title: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
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
    let page = Page { names: &NAMES, title, message: error.message(), hint: error.hint() };
    let mut response = match page.render() {
        Ok(html) => (error.status(), Html(html)).into_response(),
        Err(_) => (error.status(), error.message().to_owned()).into_response(),
    };
    if let Some((name, value)) = error.header() {
        response.headers_mut().insert(name, value.clone());
    }
    response
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
