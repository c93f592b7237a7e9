//! What real clients rely on: `contract/agents.md` section 15 line by line, asked as those clients ask. Its lines about the
//! PR-fix queue and about taking single labels away wait for those routes.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod batch;
mod client;
mod others;

use std::sync::Arc;

use github_sim::NewIssue;
use serde_json::{Value, json};

use client::Client;
use support::{App, AppBuilder, TestDb};

const API: &str = "acme/api";

/// A server that knows a repository with so many ready issues, with other settings.
async fn built(mut builder: AppBuilder, db: TestDb, count: usize) -> App {
    builder.repos = vec![API.to_owned()];
    let (sim, clock) = builder.simulator().await;
    sim.create_repo(API).seed(count, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    app
}

async fn with_issues(db: TestDb, count: usize) -> App {
    built(AppBuilder::default(), db, count).await
}

/// What names an issue in a request, as a client finds it out: from the queue.
async fn named(client: &Client<'_>, number: i64, agent: &str) -> Value {
    let queue = client.get("/api/agents/batch/queue?includeClaimed=true").await.expect(200);
    let items = queue.as_array().expect("a bare array");
    let item = items.iter().find(|item| item["number"] == number).expect("the issue");
    json!({ "issueId": item["issueId"], "repoFullName": item["repoFullName"], "issueNumber": number, "agentName": agent })
}

/// The same with more fields.
fn and(mut body: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut body, more) else { panic!("objects") };
    fields.extend(more);
    body
}

/// The labels of an issue at GitHub, in order.
fn at_github(app: &App, number: u64) -> Vec<String> {
    let mut labels = app.sim.repo(API).issue(number).expect("the issue").labels;
    labels.sort();
    labels
}
