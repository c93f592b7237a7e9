//! GitHub's error bodies
//! (docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api).

use hyper::StatusCode;
use hyper::header::{HeaderName, LOCATION, RETRY_AFTER};
use serde_json::{Value, json};

use super::Reply;
use crate::access::{Caller, Denial};
use crate::apps::Flaw;
use crate::limits::Refusal;

const DOCS: &str = "https://docs.github.com/rest";
const LIMITS: &str = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api";
const SECONDARY: &str = "https://docs.github.com/free-pro-team@latest/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits";

/// An error with a message and the usual two companions.
pub(crate) fn error(status: StatusCode, message: &str, documentation_url: &str) -> Reply {
    let mut body = json!({ "message": message, "documentation_url": documentation_url });
    // The body of a 422 is another one, without it.
    if status != StatusCode::UNPROCESSABLE_ENTITY {
        body["status"] = Value::from(status.as_str());
    }
    Reply::json(status, &body)
}

/// Any status a fault asks for.
pub(crate) fn plain(status: StatusCode) -> Reply {
    let message = match status {
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY => "Server Error",
        StatusCode::NOT_FOUND => "Not Found",
        other => other.canonical_reason().unwrap_or("Unknown"),
    };
    error(status, message, DOCS)
}

pub(crate) fn not_found() -> Reply {
    error(StatusCode::NOT_FOUND, "Not Found", DOCS)
}

pub(crate) fn no_label() -> Reply {
    let docs = "https://docs.github.com/rest/issues/labels#remove-a-label-from-an-issue";
    error(StatusCode::NOT_FOUND, "Label does not exist", docs)
}

pub(crate) fn deleted() -> Reply {
    let docs = "https://docs.github.com/rest/issues/issues#get-an-issue";
    error(StatusCode::GONE, "This issue was deleted", docs)
}

pub(crate) fn issues_disabled() -> Reply {
    let message = "Issues has been disabled in this repository.";
    error(StatusCode::GONE, message, "https://docs.github.com/v3/issues/")
}

pub(crate) fn bad_credentials() -> Reply {
    error(StatusCode::UNAUTHORIZED, "Bad credentials", DOCS)
}

pub(crate) fn requires_authentication() -> Reply {
    error(StatusCode::UNAUTHORIZED, "Requires authentication", DOCS)
}

pub(crate) fn forbidden() -> Reply {
    let message = "Resource not accessible by personal access token";
    error(StatusCode::FORBIDDEN, message, DOCS)
}

/// A caller that is turned away before its request is looked at.
pub(crate) fn denied(denial: Denial) -> Reply {
    match denial {
        Denial::BadCredentials => bad_credentials(),
        Denial::Suspended => suspended(),
        Denial::Jwt(Flaw::UnknownApp) => error(StatusCode::NOT_FOUND, "Integration not found", DOCS),
        Denial::Jwt(flaw) => error(StatusCode::UNAUTHORIZED, flaw_message(flaw), DOCS),
    }
}

/// What GitHub says of a JSON web token
/// (docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app).
fn flaw_message(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Undecodable | Flaw::UnknownApp => "A JSON web token could not be decoded",
        Flaw::IssuedAt => {
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        }
        Flaw::Expired => {
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which \
             the assertion expires"
        }
        Flaw::TooFar => "'Expiration time' claim ('exp') is too far in the future",
    }
}

/// A route for Apps, asked by somebody else.
pub(crate) fn needs_jwt() -> Reply {
    error(StatusCode::UNAUTHORIZED, flaw_message(Flaw::Undecodable), DOCS)
}

/// A route for installations, asked by somebody else.
pub(crate) fn needs_installation() -> Reply {
    let message = "You must authenticate with an installation access token in order to list repositories \
                   for an installation.";
    error(StatusCode::FORBIDDEN, message, DOCS)
}

pub(crate) fn suspended() -> Reply {
    error(StatusCode::FORBIDDEN, "This installation has been suspended", DOCS)
}

/// What this caller may not do.
pub(crate) fn not_accessible(caller: &Caller) -> Reply {
    match caller {
        Caller::Installation { .. } | Caller::App { .. } => {
            error(StatusCode::FORBIDDEN, "Resource not accessible by integration", DOCS)
        }
        Caller::Token { .. } | Caller::Anonymous => forbidden(),
    }
}

/// The same, with what it would need
/// (docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible).
pub(crate) fn lacks(caller: &Caller, needed: &str) -> Reply {
    not_accessible(caller).with(HeaderName::from_static("x-accepted-github-permissions"), needed)
}

pub(crate) fn archived() -> Reply {
    let message = "Repository was archived so is read-only.";
    error(StatusCode::FORBIDDEN, message, DOCS)
}

/// Requests without a `User-Agent` get this
/// (docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent).
pub(crate) fn no_user_agent() -> Reply {
    Reply::raw(
        StatusCode::FORBIDDEN,
        "text/html; charset=utf-8",
        "\r\nRequest forbidden by administrative rules. Please make sure your request has a \
         User-Agent header (https://docs.github.com/en/rest/using-the-rest-api/\
         getting-started-with-the-rest-api#user-agent). Check https://developer.github.com \
         for other possible causes.\r\n",
    )
}

pub(crate) fn primary_limit(message: &str) -> Reply {
    let mut reply = error(StatusCode::FORBIDDEN, message, LIMITS);
    reply.refusal = Some(Refusal::Primary);
    reply
}

pub(crate) fn secondary_limit(status: StatusCode, retry_after: Option<u64>) -> Reply {
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before \
                   you try again. If you reach out to GitHub Support for help, please include \
                   the request ID.";
    let mut reply = error(status, message, SECONDARY);
    reply.refusal = Some(Refusal::Secondary);
    match retry_after {
        Some(seconds) => reply.with(RETRY_AFTER, &seconds.to_string()),
        None => reply,
    }
}

/// A move for good: 301, or 307 where a 301 would let the client change the method
/// (docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects).
pub(crate) fn moved(location: &str, is_read: bool) -> Reply {
    let status = if is_read { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
    let body = json!({
        "message": "Moved Permanently",
        "url": location,
        "documentation_url":
            "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
    });
    Reply::json(status, &body).with(LOCATION, location)
}

/// 422 with one field's fault; `message` goes with the code `custom`.
pub(crate) fn validation(resource: &str, field: &str, code: &str, message: Option<&str>) -> Reply {
    let mut fault = json!({ "resource": resource, "field": field, "code": code });
    if let Some(message) = message {
        fault["message"] = Value::from(message);
    }
    let body = json!({
        "message": "Validation Failed",
        "errors": [fault],
        "documentation_url": DOCS,
    });
    Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

/// 422 where a commit is named that is not there.
pub(crate) fn no_commit(reference: &str) -> Reply {
    let message = format!("No commit found for SHA: {reference}");
    error(StatusCode::UNPROCESSABLE_ENTITY, &message, "https://docs.github.com/rest/checks/runs")
}

/// 422 for a body of the wrong shape.
pub(crate) fn invalid_request(detail: &str) -> Reply {
    let message = format!("Invalid request.\n\n{detail}");
    error(StatusCode::UNPROCESSABLE_ENTITY, &message, DOCS)
}

pub(crate) fn no_json() -> Reply {
    error(StatusCode::BAD_REQUEST, "Problems parsing JSON", DOCS)
}

/// Page numbers end where a result set gets large; only cursors go on.
/// There is no commit yet.
pub(crate) fn empty_repository() -> Reply {
    let docs = "https://docs.github.com/rest/commits/commits#list-commits";
    error(StatusCode::CONFLICT, "Git Repository is empty.", docs)
}

pub(crate) fn too_far() -> Reply {
    let docs = "https://docs.github.com/rest/issues/issues#list-repository-issues";
    let message = "Pagination with the page parameter is not supported for large datasets, \
                   please use cursor based pagination (after/before)";
    error(StatusCode::UNPROCESSABLE_ENTITY, message, docs)
}
