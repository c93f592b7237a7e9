//! Issues, one by one.

use std::time::Duration;

use github_sim::{NewIssue, Sim, State, StateReason};
use serde_json::{Value, json};

use crate::support::{Caller, NEW_YEAR, at_new_year};

#[tokio::test]
async fn an_issue_is_complete() {
    let (sim, _clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    let new = NewIssue::new("Search is slow")
        .body("Since Tuesday.")
        .labels(["type/bug", "p1"])
        .assignee("mona")
        .author("hubot");
    let number = repo.open_issue(new);
    let issue = Caller::of(&sim).get("/repos/acme/api/issues/1").await.json();
    let url = format!("{}/repos/acme/api/issues/1", sim.url());
    assert_eq!(issue["number"], number);
    assert_eq!(issue["url"], url.as_str());
    assert_eq!(issue["comments_url"], format!("{url}/comments"));
    assert_eq!(issue["title"], "Search is slow");
    assert_eq!(issue["body"], "Since Tuesday.");
    assert_eq!(issue["user"]["login"], "hubot");
    assert_eq!(issue["assignee"]["login"], "mona");
    assert_eq!(issue["assignees"][0]["login"], "mona");
    assert_eq!(issue["labels"][0]["name"], "type/bug");
    assert_eq!(issue["labels"][0]["color"], "ededed");
    assert_eq!(issue["created_at"], "2026-01-01T00:00:00Z");
    assert_eq!(issue["reactions"]["+1"], 0);
    assert_eq!(issue["sub_issues_summary"]["total"], 0);
    assert!(issue.get("pull_request").is_none());
    for field in ["closed_at", "closed_by", "milestone", "state_reason", "active_lock_reason"] {
        assert_eq!(issue.get(field), Some(&Value::Null), "{field}");
    }
}

#[tokio::test]
async fn the_machine_clock_is_cut_to_seconds() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let before = sim.now_ms() / 1_000;
    let number = repo.open_issue("One");
    let issue = repo.issue(number).expect("the issue");
    assert!((before..=sim.now_ms() / 1_000).contains(&issue.updated_at));
    assert_eq!(issue.body, None);
}

#[tokio::test]
async fn issues_are_opened_by_the_tokens_user() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let caller = Caller::of(&sim);
    let login = caller.get("/user").await.json()["login"].clone();
    let body = json!({"title": "One", "body": "Text", "labels": ["a", {"name": "b"}]});
    let created = caller.post("/repos/acme/api/issues", &body).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["user"]["login"], login);
    assert!(created.header("location").ends_with("/repos/acme/api/issues/1"));
    assert_eq!(repo.issue(1).map(|issue| issue.labels), Some(vec!["a".into(), "b".into()]));

    for bad in [json!({}), json!({"title": ""}), json!({"title": 7}), json!([1])] {
        let refused = caller.post("/repos/acme/api/issues", &bad).await;
        assert_eq!(refused.status, 422, "{bad}");
    }
    let request = caller.request(reqwest::Method::POST, "/repos/acme/api/issues");
    let broken = crate::support::send(request.body("{")).await;
    assert_eq!((broken.status, broken.message().as_str()), (400, "Problems parsing JSON"));
    assert_eq!(repo.issues().len(), 1);
}

#[tokio::test]
async fn closing_and_reopening_keep_the_books() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    let number = repo.open_issue("One");
    let caller = Caller::of(&sim);
    let path = "/repos/acme/api/issues/1";
    clock.advance(Duration::from_secs(10));
    let closed = caller.patch(path, &json!({"state": "closed"})).await.json();
    assert_eq!(closed["state_reason"], "completed");
    assert_eq!(closed["closed_by"]["login"], "dispatch-bot");
    assert_eq!(closed["closed_at"], "2026-01-01T00:00:10Z");
    clock.advance(Duration::from_secs(10));
    let open = caller.patch(path, &json!({"state": "open"})).await.json();
    assert_eq!(open["state_reason"], "reopened");
    assert_eq!(open["closed_at"], Value::Null);
    let body = json!({"state": "closed", "state_reason": "not_planned", "body": null});
    caller.patch(path, &body).await;
    let issue = repo.issue(number).expect("the issue");
    assert_eq!(issue.state, State::Closed);
    assert_eq!(issue.state_reason, Some(StateReason::NotPlanned));
    assert_eq!(issue.updated_at, NEW_YEAR + 20);
    assert_eq!(caller.patch(path, &json!({"state": "done"})).await.status, 422);
}

#[tokio::test]
async fn a_write_that_changes_nothing_leaves_updated_at_alone() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue(NewIssue::new("One").label("Bug"));
    let caller = Caller::of(&sim);
    clock.advance(Duration::from_secs(10));
    let path = "/repos/acme/api/issues/1";
    caller.patch(path, &json!({"title": "One", "state": "open"})).await;
    caller.post(&format!("{path}/labels"), &json!({"labels": ["bug"]})).await;
    assert_eq!(repo.issue(1).map(|issue| issue.updated_at), Some(NEW_YEAR));
    caller.patch(path, &json!({"title": "Two"})).await;
    assert_eq!(repo.issue(1).map(|issue| issue.updated_at), Some(NEW_YEAR + 10));
}

#[tokio::test]
async fn assignees_come_and_go() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue("One");
    let caller = Caller::of(&sim);
    let path = "/repos/acme/api/issues/1/assignees";
    let added = caller.post(path, &json!({"assignees": ["mona", "hubot"]})).await;
    assert_eq!(added.status, 201);
    assert_eq!(added.json()["assignee"]["login"], "mona");
    let request = caller.request(reqwest::Method::DELETE, path);
    let removed = crate::support::send(request.json(&json!({"assignees": ["mona"]}))).await;
    assert_eq!(removed.status, 200);
    assert_eq!(repo.issue(1).map(|issue| issue.assignees), Some(vec!["hubot".to_owned()]));
}

#[tokio::test]
async fn blockers_are_listed_across_repositories() {
    let sim = Sim::start().await;
    let api = sim.create_repo("acme/api");
    let web = sim.create_repo("acme/web");
    let blocked = api.open_issue("Blocked");
    let near = api.open_issue("Near");
    let far = web.open_issue("Far");
    api.block(blocked, "acme/api", near);
    api.block(blocked, "acme/web", far);
    let caller = Caller::of(&sim);
    let path = "/repos/acme/api/issues/1/dependencies/blocked_by?per_page=100";
    let blockers = caller.get(path).await.json();
    let urls: Vec<&str> =
        blockers.as_array().expect("a list").iter().filter_map(|issue| issue["html_url"].as_str()).collect();
    assert_eq!(urls, ["https://github.com/acme/api/issues/2", "https://github.com/acme/web/issues/1"]);
    let summary = caller.get("/repos/acme/api/issues/1").await.json();
    assert_eq!(summary["issue_dependencies_summary"]["blocked_by"], 2);
    let other = caller.get("/repos/acme/web/issues/1").await.json();
    assert_eq!(other["issue_dependencies_summary"]["blocking"], 1);
    api.unblock(blocked, "acme/web", far);
    assert_eq!(caller.get(path).await.numbers(), [near]);
}
