//! What follows pull requests, failing workflows and merges.

#[path = "../support/mod.rs"]
mod support;

mod automation;
mod ci_failures;
mod logs;
mod pr_followup;
mod reconcile;

use serde_json::{Value, json};

use support::{App, AppBuilder};

const API: &str = "acme/api";

fn builder() -> AppBuilder {
    AppBuilder { repos: vec![API.to_owned()], ..AppBuilder::default() }
}

/// A pass of one of the verbs; time moves on first.
async fn pass(app: &App, path: &str) -> Value {
    app.tick();
    app.post(path, json!({})).await.expect(200)
}
