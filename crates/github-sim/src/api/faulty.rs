//! Answers that a fault puts in the place of the real one.

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::json;

use super::{Reply, errors};
use crate::faults::FaultKind;

/// The answer of a fault that stands instead of serving the request; `None` for the others.
pub(super) fn reply(fault: &FaultKind) -> Option<Reply> {
    match fault {
        FaultKind::Status(code) => Some(errors::plain(status(*code))),
        FaultKind::StatusWithBody(code, body) => Some(Reply::rendered(status(*code), body.clone())),
        FaultKind::WrongJson => Some(Reply::ok(&json!({ "unexpected": { "shape": [1, 2, 3] } }))),
        FaultKind::NotJson => Some(Reply::raw(
            StatusCode::OK,
            "text/html; charset=utf-8",
            "<!DOCTYPE html><html><body><h1>Unicorn!</h1></body></html>",
        )),
        FaultKind::Forbidden => Some(errors::forbidden()),
        FaultKind::RedirectElsewhere(url) => Some(errors::moved(url, true).with(LOCATION, url)),
        _ => None,
    }
}

/// Whether the fault is about a body, so that a 304 would hide it.
pub(super) fn needs_body(fault: &FaultKind) -> bool {
    matches!(fault, FaultKind::Truncate | FaultKind::SlowBody { .. })
}

pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
