//! What the server tells of itself to Prometheus: true, documented, and of bounded size.

#[path = "../support/mod.rs"]
mod support;

mod documented;
mod exposition;
mod told;

const API: &str = "acme/api";
