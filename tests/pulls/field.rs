//! What the tests share: a repository with ready issues, and the calls.

use dispatch::engine::pulls::read;
use github_sim::{NewIssue, Repo};
use serde_json::{Value, json};

use crate::support::{App, AppBuilder, TestDb, answers::strings};

pub const API: &str = "acme/api";

/// Three ready issues, and nothing else.
pub async fn with(db: TestDb) -> App {
    let app = AppBuilder { repos: vec![API.to_owned()], ..AppBuilder::default() }.start(db).await;
    app.sim.repo(API).seed(3, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
    app.next_beat("loader").await;
    app
}

pub fn repo(app: &App) -> Repo {
    app.sim.repo(API)
}

/// A heartbeat, and the job of pull requests, a moment after whatever was done.
pub async fn read(app: &App) {
    app.next_beat("loader").await;
    look(app).await;
}

/// The job of pull requests alone.
pub async fn look(app: &App) {
    let notices = read::read_due(&app.engine).await.expect("the database");
    assert_eq!(notices.len(), 0);
}

pub async fn issue(app: &App, number: u64) -> Value {
    let all = app.get(&format!("/api/issues?repo={API}")).await.expect(200);
    let all = all.as_array().expect("a list");
    all.iter().find(|issue| issue["number"] == number).expect("the issue").clone()
}

/// The number of the issue's pull request; null: none.
pub async fn linked(app: &App, number: u64) -> Value {
    issue(app, number).await["linkedPrNumber"].clone()
}

/// Why the issue's pull request needs another look; nothing: it does not.
pub async fn reasons(app: &App, number: u64) -> Vec<String> {
    let issue = issue(app, number).await;
    let reasons = strings(&issue["linkedPrFollowupReasons"]);
    assert_eq!(issue["linkedPrNeedsFollowup"], !reasons.is_empty());
    reasons
}

pub async fn next(app: &App, agent: &str, query: &str) -> Value {
    app.get(&format!("/api/agents/{agent}/next-task{query}")).await.expect(200)
}

/// The type of the next task with the number that it is about; for none, why.
pub async fn task(app: &App, agent: &str) -> String {
    let task = next(app, agent, "").await;
    match task["type"].as_str() {
        Some("idle") => task["reason"].as_str().expect("a reason").to_owned(),
        Some("implement") => format!("implement {}", task["issue"]["number"]),
        Some(kind) => {
            format!("{kind} {} g{}", task["pullRequest"]["number"], task["prFixItem"]["generation"])
        }
        None => panic!("{task}"),
    }
}

/// Status, lane and generation of the item of a pull request; `none` without one.
pub async fn item(app: &App, pr: u64) -> String {
    let sql = format!(
        "SELECT status || ' ' || lane || ' g' || CAST(generation AS TEXT) FROM pr_fix_items WHERE repo = '{API}' AND pr = {pr}"
    );
    app.db.texts(&sql).await.pop().unwrap_or_else(|| "none".to_owned())
}

pub async fn items(app: &App) -> i64 {
    app.db.count("SELECT count(*) FROM pr_fix_items").await
}

/// What an agent reports of the pull request that it was given.
pub async fn report(app: &App, agent: &str, outcome: &str) -> Value {
    let task = next(app, agent, "").await;
    assert_eq!(task["type"], "followup-pr", "{task}");
    let body = json!({ "taskType": "followup-pr", "outcome": outcome, "repoFullName": task["pullRequest"]["repoFullName"],
        "pullRequestNumber": task["pullRequest"]["number"], "prFixItem": task["prFixItem"] });
    app.post(&format!("/api/agents/{agent}/tasks/report"), body).await.expect(200)["prFixResolution"].clone()
}
