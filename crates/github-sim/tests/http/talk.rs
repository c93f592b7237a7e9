//! Comments.

use std::time::Duration;

use serde_json::json;

use crate::support::{Caller, NEW_YEAR, at_new_year};

#[tokio::test]
async fn comments_are_written_read_and_edited() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue("One");
    repo.comment(1, "mona", "First");
    clock.advance(Duration::from_secs(5));
    let caller = Caller::of(&sim);
    let path = "/repos/acme/api/issues/1/comments";
    let created = caller.post(path, &json!({"body": "Second"})).await;
    assert_eq!(created.status, 201);
    let comment = created.json();
    let id = comment["id"].as_u64().expect("an id");
    assert_eq!(comment["html_url"], format!("https://github.com/acme/api/issues/1#issuecomment-{id}"));
    let issue = repo.issue(1).expect("the issue");
    assert_eq!((issue.comments, issue.updated_at), (2, NEW_YEAR + 5));

    let list = caller.get(path).await.json();
    assert_eq!(list[0]["body"], "First");
    assert_eq!(list[1]["user"]["login"], "dispatch-bot");
    let recent = caller.get(&format!("{path}?since=2026-01-01T00:00:05Z")).await.json();
    assert_eq!(recent.as_array().map(Vec::len), Some(1));

    let one = format!("/repos/acme/api/issues/comments/{id}");
    let edited = caller.patch(&one, &json!({"body": "Better"})).await;
    assert_eq!((edited.status, &edited.json()["body"]), (200, &json!("Better")));
    assert_eq!(caller.get(&one).await.json()["body"], "Better");
    assert_eq!(repo.comments(1)[1].body, "Better");
    assert_eq!(caller.post(path, &json!({"body": ""})).await.status, 422);
    assert_eq!(caller.get("/repos/acme/api/issues/comments/1").await.status, 404);
}

#[tokio::test]
async fn comments_come_in_pages() {
    let (sim, _clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue("One");
    for text in ["a", "b", "c"] {
        repo.comment(1, "mona", text);
    }
    let caller = Caller::of(&sim);
    let first = caller.get("/repos/acme/api/issues/1/comments?per_page=2").await;
    assert_eq!(first.json().as_array().map(Vec::len), Some(2));
    let next = first.link("next").expect("a next page");
    assert_eq!(caller.get(&next).await.json()[0]["body"], "c");
}
