//! The board: what operators see in a browser, and what nobody else may do there.

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod cards;
mod chromium;
mod devtools;
mod hands;
mod headers;
mod sign_in;
mod windows;

const API: &str = "acme/api";
