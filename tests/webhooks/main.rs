//! Webhooks: what is refused, what a delivery does to the cache, in which order, once, and after a crash.

mod deliveries;
mod issues;
mod order;
mod pulls;
mod refusals;
mod repos;
mod restart;
mod scene;
#[path = "../support/mod.rs"]
mod support;

/// What the simulator signs with; no answer may ever hold it.
const SECRET: &str = "webhook-secret-4f1d2c";
const API: &str = "acme/api";
