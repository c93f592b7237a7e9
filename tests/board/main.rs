//! The board: what operators see in a browser, and what nobody else may do there.

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod headers;
mod sign_in;

const API: &str = "acme/api";
