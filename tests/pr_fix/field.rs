//! What the tests of the PR-fix queue share: a repository with issues and pull requests, and the calls.

use std::{sync::Arc, time::Duration};

use github_sim::{Fault, FaultKind, Match, NewIssue};
use serde_json::{Value, json};

use crate::support::{Answer, App, AppBuilder, MAINTAINER, TestDb, app::send};

pub const API: &str = "acme/api";

/// The limits of an installation that sets none.
pub const TIMEOUT: Duration = Duration::from_mins(30);
/// A millisecond less.
pub const ALMOST: Duration = Duration::from_millis(1_799_999);

/// Three ready issues, then four open pull requests: 4 to 7.
pub async fn with(db: TestDb) -> App {
    built(AppBuilder::default(), db).await
}

pub async fn built(mut builder: AppBuilder, db: TestDb) -> App {
    builder.repos = vec![API.to_owned()];
    let (sim, clock) = builder.simulator().await;
    let api = sim.create_repo(API);
    api.seed(3, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
    for number in 4..=7 {
        api.open_pull("Mends something", &format!("fix/{number}"));
        api.edit_pull(number, |pull| pull.head_sha = sha('a'));
    }
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    app.beat("loader").await;
    app
}

pub fn sha(letter: char) -> String {
    letter.to_string().repeat(40)
}

/// The same with more fields.
pub fn and(mut body: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut body, more) else { panic!("objects") };
    fields.extend(more);
    body
}

/// Evidence about a pull request whose head is `a`.
pub fn evidence(pr: i64, key: &str) -> Value {
    json!({ "repo": API, "pr": pr, "reason": "it is red", "feedback": format!("mend {key}"), "evidenceKey": key,
        "headSha": sha('a') })
}

pub async fn post(app: &App, verb: &str, body: Value) -> Answer {
    app.post(&format!("/api/pr-fix-queue/{verb}"), body).await
}

pub async fn post_as(app: &App, token: &str, verb: &str, body: Value) -> Answer {
    let path = format!("/api/pr-fix-queue/{verb}");
    send(app.request("POST", &path, token).body(body.to_string())).await
}

/// Notes evidence; the item.
pub async fn enqueue(app: &App, pr: i64, key: &str, more: Value) -> Value {
    post(app, "enqueue", and(evidence(pr, key), more)).await.expect(200)
}

pub async fn mark(app: &App, pr: i64, status: &str, more: Value) -> Answer {
    post(app, "mark", and(json!({ "repo": API, "pr": pr, "status": status }), more)).await
}

pub async fn requeue(app: &App, pr: i64, more: Value) -> Answer {
    post(app, "requeue", and(json!({ "repo": API, "pr": pr }), more)).await
}

pub async fn ack(app: &App, pr: i64, generation: i64, agent: &str) -> Answer {
    post(app, "ack", json!({ "repo": API, "pr": pr, "generation": generation, "agentName": agent })).await
}

pub async fn sweep(app: &App) -> Value {
    post(app, "sweep", json!({})).await.expect(200)
}

pub async fn next(app: &App, agent: &str, query: &str) -> Value {
    app.get(&format!("/api/agents/{agent}/next-task{query}")).await.expect(200)
}

/// The pull request that an agent is given; `None` when it is given none.
pub async fn next_pr(app: &App, agent: &str) -> Option<i64> {
    next(app, agent, "").await["pullRequest"]["number"].as_i64()
}

/// What a task's attempt says of itself when it is reported.
pub fn report_of(task: &Value, outcome: &str) -> Value {
    let pull = &task["pullRequest"];
    json!({ "taskType": "followup-pr", "outcome": outcome, "repoFullName": pull["repoFullName"],
        "pullRequestNumber": pull["number"], "prFixItem": task["prFixItem"], "summary": "said" })
}

pub async fn report(app: &App, agent: &str, body: Value) -> Value {
    app.post(&format!("/api/agents/{agent}/tasks/report"), body).await.expect(200)
}

/// Reports a task; what that settled.
pub async fn settle(app: &App, agent: &str, task: &Value, outcome: &str) -> Value {
    report(app, agent, report_of(task, outcome)).await["prFixResolution"].clone()
}

/// Where an item stands: status, lane, generation, attempts, reclaims.
pub async fn state(app: &App, pr: i64) -> String {
    let sql = format!(
        "SELECT status || ' ' || lane || ' g' || generation || ' a' || fix_attempts || ' r' || handout_reclaims
         FROM pr_fix_items WHERE pr = {pr}"
    );
    app.db.texts(&sql).await.pop().expect("the item")
}

/// The item as lists show it.
pub async fn item(app: &App, pr: i64) -> Value {
    let all = app.get("/api/pr-fix-queue/queued?include_blocked=true").await.expect(200);
    all.as_array().expect("a bare array").iter().find(|item| item["pr"] == pr).expect("an open item").clone()
}

/// The actions of an item's history with its statuses, the oldest first.
pub async fn history(app: &App, pr: i64) -> Vec<String> {
    let answer =
        app.get(&format!("/api/pr-fix-queue/history?repo={API}&pr={pr}&limit=200")).await.expect(200);
    let events = answer["history"].as_array().expect("events").iter().rev();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    events.map(|event| format!("{} {}", text(&event["action"]), text(&event["status"]))).collect()
}

/// The newest note of an item's history.
pub async fn last_note(app: &App, pr: i64) -> Value {
    let path = format!("/api/pr-fix-queue/history?repo={API}&pr={pr}&limit=1");
    app.get(&path).await.expect(200)["history"][0]["note"].clone()
}

/// How often the audit log has an action.
pub async fn audited(app: &App, action: &str) -> i64 {
    app.db
        .count(&format!("SELECT count(*) FROM audit_log WHERE action = '{action}' AND success = TRUE"))
        .await
}

/// The author pushes to the branch.
pub fn push(app: &App, pr: u64, letter: char) {
    app.sim.repo(API).edit_pull(pr, |pull| pull.head_sha = sha(letter));
}

pub fn mergeable(app: &App, pr: u64, mergeable: Option<bool>) {
    app.sim.repo(API).edit_pull(pr, |pull| pull.mergeable = mergeable);
}

/// GitHub tells nothing of pull requests, until `App::sim` clears its faults.
pub fn hide_pulls(app: &App) {
    app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::kind("pulls.get")));
}

/// How often GitHub was asked about pull requests.
pub fn asked(app: &App) -> usize {
    app.sim.requests().iter().filter(|request| request.kind == "pulls.get").count()
}

/// A heartbeat that asks for the next task.
pub async fn wanting_beat(app: &App, agent: &str) -> Value {
    let path = format!("/api/agents/{agent}/heartbeat");
    let body = json!({ "want": {} });
    send(app.request("POST", &path, MAINTAINER).body(body.to_string())).await.expect(200)["next"].clone()
}
