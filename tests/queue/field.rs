//! What the queue tests share: repositories with issues, and the calls.

use std::sync::Arc;

use dispatch::domain::{labels::Rules, lane::Lanes};
use github_sim::NewIssue;
use serde_json::{Value, json};

use crate::support::{Answer, App, AppBuilder, TestDb, app::send};

pub const API: &str = "acme/api";
pub const WEB: &str = "acme/web";

/// A ready issue.
pub fn ready(title: &str) -> NewIssue {
    NewIssue::new(title).label("status/ready")
}

/// A server that knows a repository with these issues, numbered from 1.
pub async fn with(db: TestDb, issues: Vec<NewIssue>) -> App {
    built(AppBuilder::default(), db, issues).await
}

/// The same with other settings; [`WEB`] is tracked too, and empty.
pub async fn built(mut builder: AppBuilder, db: TestDb, issues: Vec<NewIssue>) -> App {
    builder.repos = vec![API.to_owned(), WEB.to_owned()];
    let (sim, clock) = builder.simulator().await;
    let api = sim.create_repo(API);
    sim.create_repo(WEB);
    for issue in issues {
        api.open_issue(issue);
    }
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    app
}

/// Other rules than those of an installation that sets nothing.
pub fn ruled(rules: Rules) -> AppBuilder {
    let mut builder = AppBuilder::default();
    builder.engine.rules = rules;
    builder
}

/// These lanes, as a configuration spells them.
pub fn laned(lanes: &str) -> AppBuilder {
    ruled(Rules::default().with_lanes(lanes.parse::<Lanes>().expect("lanes")))
}

/// The queue of an agent, whole.
pub async fn queue(app: &App, agent: &str, query: &str) -> Vec<Value> {
    let answer = app.get(&format!("/api/agents/{agent}/queue{query}")).await.expect(200);
    answer.as_array().expect("a bare array").clone()
}

/// The numbers of a queue, in its order.
pub async fn numbers(app: &App, agent: &str, query: &str) -> Vec<i64> {
    queue(app, agent, query).await.iter().map(|item| item["number"].as_i64().expect("a number")).collect()
}

pub async fn next(app: &App, agent: &str, query: &str) -> Value {
    app.get(&format!("/api/agents/{agent}/next-task{query}")).await.expect(200)
}

/// The number of the next task's issue; `None` when there is none.
pub async fn next_number(app: &App, agent: &str, query: &str) -> Option<i64> {
    let task = next(app, agent, query).await;
    assert_eq!(task["shouldRun"], json!(task["type"] != "idle"), "{task}");
    task["issue"]["number"].as_i64()
}

pub async fn id_of(app: &App, repo: &str, number: i64) -> String {
    let state = app.get(&format!("/api/issues/state?repo={repo}&number={number}")).await.expect(200);
    state["issueId"].as_str().expect("an id").to_owned()
}

pub async fn why(app: &App, number: i64, query: &str) -> Value {
    let id = id_of(app, API, number).await;
    app.get(&format!("/api/issues/{id}/why{query}")).await.expect(200)
}

/// The codes of the reasons why an issue is not served.
pub fn codes(why: &Value) -> Vec<&str> {
    let reasons = why["reasons"].as_array().expect("reasons");
    reasons.iter().map(|reason| reason["code"].as_str().expect("a code")).collect()
}

/// Puts an issue into a lane.
pub async fn put(app: &App, number: i64, lane: &str) -> Value {
    let path = format!("/api/issues/{}/lane", id_of(app, API, number).await);
    let body = json!({ "classification": { "lane": lane, "confidence": "high", "reason": "because" } });
    app.post(&path, body).await.expect(200)
}

/// Claims an issue of [`API`].
pub async fn claim(app: &App, number: i64, agent: &str) -> Value {
    let issue = id_of(app, API, number).await;
    let body = json!({ "issueId": issue, "repoFullName": API, "issueNumber": number, "agentName": agent });
    app.post("/api/issues/claim", body).await.expect(200)
}

pub async fn unclaim(app: &App, number: i64, agent: &str) {
    let issue = id_of(app, API, number).await;
    let body = json!({ "issueId": issue, "repoFullName": API, "issueNumber": number, "agentName": agent });
    app.post("/api/issues/unclaim", body).await.expect(200);
}

/// A poll that shows what it has.
pub async fn poll(app: &App, path: &str, tag: Option<&str>) -> Answer {
    let mut request = app.request("GET", path, crate::support::MAINTAINER);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    send(request).await
}
