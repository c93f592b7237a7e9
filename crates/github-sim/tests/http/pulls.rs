//! Pull requests, inside the issue list and beside it.

use github_sim::Sim;
use serde_json::{Value, json};

use crate::support::Caller;

#[tokio::test]
async fn pull_requests_share_numbers_and_the_issue_list() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue("Issue");
    let pull = repo.open_pull("Fix it", "fix/search");
    assert_eq!(pull, 2);
    assert_eq!(repo.open_issue("Another"), 3);
    assert_eq!(repo.issues().len(), 2);
    let caller = Caller::of(&sim);
    let list = caller.get("/repos/acme/api/issues").await.json();
    assert_eq!(list[1]["number"], 2);
    assert_eq!(list[1]["html_url"], "https://github.com/acme/api/pull/2");
    assert_eq!(list[1]["draft"], false);
    let links = &list[1]["pull_request"];
    assert_eq!(links["url"], format!("{}/repos/acme/api/pulls/2", sim.url()));
    assert_eq!(links["diff_url"], "https://github.com/acme/api/pull/2.diff");
    assert_eq!(links["merged_at"], Value::Null);
    assert_eq!(caller.get("/repos/acme/api/issues/2").await.json()["title"], "Fix it");
    assert_eq!(caller.get("/repos/acme/api/pulls/1").await.status, 404);
}

#[tokio::test]
async fn a_pull_request_has_a_head_and_a_fate() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let merged = repo.open_pull("Merged", "one");
    let dirty = repo.open_pull("Dirty", "two");
    repo.edit_pull(dirty, |pull| {
        pull.mergeable = Some(false);
        pull.mergeable_state = "dirty".to_owned();
        pull.draft = true;
    });
    repo.merge_pull(merged);
    let caller = Caller::of(&sim);
    let body = caller.get("/repos/acme/api/pulls/1").await.json();
    assert_eq!((&body["merged"], &body["state"]), (&json!(true), &json!("closed")));
    assert!(body["merged_at"].is_string());
    assert_eq!(body["head"]["sha"].as_str().map(str::len), Some(40));
    let issue = caller.get("/repos/acme/api/issues/1").await.json();
    assert!(issue["pull_request"]["merged_at"].is_string());
    let body = caller.get("/repos/acme/api/pulls/2").await.json();
    assert_eq!(body["mergeable_state"], "dirty");
    assert_eq!((&body["mergeable"], &body["draft"]), (&json!(false), &json!(true)));
    assert_eq!(body["head"]["ref"], "two");

    let numbers = async |query: &str| {
        let path = format!("/repos/acme/api/pulls?{query}");
        caller.get(&path).await.numbers()
    };
    assert_eq!(numbers("").await, [2]);
    assert_eq!(numbers("state=closed").await, [1]);
    assert_eq!(numbers("state=all").await, [2, 1]);
    assert_eq!(numbers("state=all&sort=updated&direction=asc&per_page=1").await.len(), 1);
    assert_eq!(numbers("state=all&head=acme:one").await, [1]);
    assert_eq!(repo.pulls().len(), 2);
}
