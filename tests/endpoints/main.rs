//! Every endpoint of the agents' half, and every way to ask it wrongly: a matrix. The rules of each endpoint and the words of
//! its refusals have tests of their own in `tests/claims`, `tests/work` and `tests/queue`.

#[path = "../support/mod.rs"]
mod support;

mod concurrent;
mod misuse;
mod table;
mod words;

use std::sync::Arc;

use github_sim::NewIssue;

use support::{App, AppBuilder, TestDb};
use table::Scene;

const API: &str = "acme/api";

/// A server with a few ready issues; the first is held by `agent`, who works on it.
async fn scene(db: TestDb, agent: &str) -> Scene {
    let mut builder =
        AppBuilder { points_per_minute: 0, repos: vec![API.to_owned()], ..AppBuilder::default() };
    builder.sim = builder.sim.without_limits();
    let (sim, clock) = builder.simulator().await;
    sim.create_repo(API).seed(4, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
    let app: App = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    Scene::begin(app, agent).await
}
