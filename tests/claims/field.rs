//! What the claim tests share: one repository with issues, and the calls.

use std::{sync::Arc, time::Duration};

use github_sim::NewIssue;
use serde_json::{Value, json};

use crate::support::{Answer, App, AppBuilder, MAINTAINER, TestDb, app::send};

pub const API: &str = "acme/api";

/// A server that knows a repository with so many ready issues.
pub async fn with_issues(db: TestDb, count: usize) -> App {
    built(AppBuilder::default(), db, count).await
}

pub async fn built(mut builder: AppBuilder, db: TestDb, count: usize) -> App {
    builder.repos = vec![API.to_owned()];
    let (sim, clock) = builder.simulator().await;
    sim.create_repo(API)
        .seed(count, |n| NewIssue::new(format!("Issue {n}")).label("status/ready").label("bug"));
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    app
}

/// What names an issue in a request.
pub async fn named(app: &App, number: i64, agent: &str) -> Value {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": number, "agentName": agent })
}

/// The same with more fields.
pub fn and(mut body: Value, more: Value) -> Value {
    let (Value::Object(body_fields), Value::Object(more)) = (&mut body, more) else { panic!("objects") };
    body_fields.extend(more);
    body
}

pub async fn claim(app: &App, number: i64, agent: &str) -> Answer {
    app.post("/api/issues/claim", named(app, number, agent).await).await
}

pub async fn lease(app: &App, number: i64, agent: &str) -> Answer {
    app.post("/api/issues/claim", and(named(app, number, agent).await, json!({ "lease": true }))).await
}

pub async fn unclaim(app: &App, number: i64, agent: &str) -> Answer {
    app.post("/api/issues/unclaim", named(app, number, agent).await).await
}

pub async fn status(app: &App, number: i64, word: &str) -> Answer {
    let body = and(named(app, number, "x").await, json!({ "status": word, "blockedReason": "waits" }));
    app.post("/api/issues/status", body).await
}

pub async fn post_as(app: &App, token: &str, path: &str, body: Value) -> Answer {
    send(app.request("POST", path, token).body(body.to_string())).await
}

/// A heartbeat that names claims; the leases of its answer.
pub async fn renew(app: &App, agent: &str, claims: Value) -> Value {
    let path = format!("/api/agents/{agent}/heartbeat");
    let body = json!({ "claims": claims });
    let beat = send(app.request("POST", &path, MAINTAINER).body(body.to_string())).await.expect(200);
    beat["leases"].clone()
}

/// The labels of an issue as the cache shows them, in order.
pub async fn shown(app: &App, number: i64) -> Vec<String> {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    sorted(crate::support::answers::strings(&state["labels"]))
}

/// The labels of an issue at GitHub, in order.
pub fn at_github(app: &App, number: u64) -> Vec<String> {
    sorted(app.sim.repo(API).issue(number).expect("the issue").labels)
}

fn sorted(mut labels: Vec<String>) -> Vec<String> {
    labels.sort();
    labels
}

/// Asserts that cache and GitHub show these labels of an issue.
pub async fn assert_labels(app: &App, number: i64, want: &[&str]) {
    assert_eq!(shown(app, number).await, want, "in the cache");
    assert_eq!(at_github(app, u64::try_from(number).expect("a number")), want, "at GitHub");
}

pub const TTL: Duration = Duration::from_mins(30);

/// At most one live claim per issue, and fences in the order of their rows: what must hold at any time.
pub async fn assert_sound(app: &App) {
    let doubled =
        "SELECT count(*) FROM (SELECT issue_id FROM claims WHERE ended_at IS NULL AND issue_id IS NOT NULL
        GROUP BY issue_id HAVING count(*) > 1) AS doubled";
    assert_eq!(app.db.count(doubled).await, 0, "two live claims");
    let reused =
        "SELECT count(*) FROM claims one JOIN claims other ON one.fence = other.fence AND one.id <> other.id";
    assert_eq!(app.db.count(reused).await, 0, "a fence twice");
}
