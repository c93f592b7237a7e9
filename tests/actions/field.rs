//! What the tests of issue actions share: a repository with issues, and the calls.

use std::sync::Arc;

use dispatch::engine::publish;
use github_sim::NewIssue;
use serde_json::{Value, json};

use crate::support::{Answer, App, AppBuilder, MAINTAINER, TestDb, answers::strings, app::send};

pub const API: &str = "acme/api";

/// A server that knows a repository with so many issues, all ready and a bug.
pub async fn with_issues(db: TestDb, count: usize) -> App {
    built(AppBuilder::default(), db, count, &["status/ready", "bug"]).await
}

pub async fn built(mut builder: AppBuilder, db: TestDb, count: usize, labels: &[&str]) -> App {
    builder.repos = vec![API.to_owned()];
    let (sim, clock) = builder.simulator().await;
    sim.create_repo(API).seed(count, |n| {
        labels.iter().fold(NewIssue::new(format!("Issue {n}")), |issue, label| issue.label(*label))
    });
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    app
}

/// What names an issue in a request.
pub async fn named(app: &App, number: i64) -> Value {
    let state = state(app, number).await;
    json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": number })
}

pub async fn state(app: &App, number: i64) -> Value {
    app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200)
}

/// The same with more fields.
pub fn and(mut body: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut body, more) else { panic!("objects") };
    fields.extend(more);
    body
}

/// An action on an issue, named in full.
pub async fn act(app: &App, path: &str, number: i64, more: Value) -> Answer {
    app.post(&format!("/api/issues/{path}"), and(named(app, number).await, more)).await
}

/// A card dragged from one column to another.
pub fn drag(from: &str, to: &str) -> Value {
    json!({ "oldLabels": [format!("status/{from}")], "newLabels": [format!("status/{to}")] })
}

/// Grooming by somebody.
pub async fn groom(app: &App, number: i64, action: &str, more: Value) -> Answer {
    let body = json!({ "repoFullName": API, "issueNumber": number, "action": action, "actor": "ann" });
    app.post("/api/issues/groom", and(body, more)).await
}

/// With the version that the caller saw.
pub async fn act_if(app: &App, path: &str, body: &Value, if_match: &str) -> Answer {
    let request = app.request("POST", &format!("/api/issues/{path}"), MAINTAINER);
    send(request.header("if-match", if_match).body(body.to_string())).await
}

pub async fn claim(app: &App, number: i64, agent: &str) -> Value {
    act(app, "claim", number, json!({ "agentName": agent })).await.expect(200)
}

/// The row of `GET /api/issues`.
pub async fn row(app: &App, number: i64) -> Value {
    let issues = app.get(&format!("/api/issues?repo={API}&includeClosed=true")).await.expect(200);
    let issues = issues.as_array().expect("a list").clone();
    issues.into_iter().find(|issue| issue["number"] == number).expect("cached")
}

/// The labels of an issue as the cache shows them, in order.
pub async fn shown(app: &App, number: i64) -> Vec<String> {
    sorted(strings(&state(app, number).await["labels"]))
}

/// The labels of an issue at GitHub, in order.
pub fn at_github(app: &App, number: i64) -> Vec<String> {
    let number = u64::try_from(number).expect("a number");
    sorted(app.sim.repo(API).issue(number).expect("the issue").labels)
}

pub fn sorted(mut labels: Vec<String>) -> Vec<String> {
    labels.sort();
    labels
}

/// Asserts that cache and GitHub show these labels of an issue.
pub async fn assert_labels(app: &App, number: i64, want: &[&str]) {
    assert_eq!(shown(app, number).await, want, "in the cache");
    assert_eq!(at_github(app, number), want, "at GitHub");
}

/// The newest row of the audit log with this action.
pub async fn audited(app: &App, action: &str) -> Value {
    let rows = app.get("/api/audit").await.expect(200);
    let rows = rows.as_array().expect("a list").clone();
    rows.into_iter().find(|row| row["action"] == action).unwrap_or_else(|| panic!("no {action}"))
}

pub async fn count_audited(app: &App, action: &str) -> i64 {
    app.db.count(&format!("SELECT count(*) FROM audit_log WHERE action = '{action}'")).await
}

/// Sends what is due until nothing waits.
pub async fn settle(app: &App) {
    let pending = "SELECT (SELECT count(*) FROM label_edits WHERE state = 'pending')
        + (SELECT count(*) FROM outbox WHERE state = 'pending')";
    for _ in 0..500 {
        publish::publish(&app.engine).await.expect("the database");
        if app.db.count(pending).await == 0 {
            return;
        }
    }
    panic!("something still waits");
}
