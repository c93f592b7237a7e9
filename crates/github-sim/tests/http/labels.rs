//! Label rules.

use github_sim::{NewIssue, Repo, Sim};
use serde_json::json;

use crate::support::{Answer, Caller};

const LABELS: &str = "/repos/acme/api/issues/1/labels";

async fn scene() -> (Sim, Repo, Caller) {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue(NewIssue::new("One").label("Bug"));
    let caller = Caller::of(&sim);
    (sim, repo, caller)
}

fn names(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let labels = json.as_array().expect("a list");
    let name = |label: &serde_json::Value| label["name"].as_str().map(str::to_owned);
    labels.iter().filter_map(name).collect()
}

#[tokio::test]
async fn adding_makes_missing_labels_and_keeps_the_first_spelling() {
    let (_sim, repo, caller) = scene().await;
    let added = caller.post(LABELS, &json!({"labels": ["BUG", "Agent/Coder"]})).await;
    assert_eq!(added.status, 200);
    assert_eq!(names(&added), ["Bug", "Agent/Coder"]);
    let again = caller.post(LABELS, &json!(["agent/coder", "p1"])).await;
    assert_eq!(names(&again), ["Bug", "Agent/Coder", "p1"]);
    assert_eq!(names(&caller.get(LABELS).await), ["Bug", "Agent/Coder", "p1"]);
    assert_eq!(repo.labels(), ["Agent/Coder", "Bug", "p1"]);
}

#[tokio::test]
async fn setting_replaces_and_clearing_empties() {
    let (_sim, repo, caller) = scene().await;
    let set = caller.put(LABELS, &json!({"labels": ["p2", "P2", "p3"]})).await;
    assert_eq!(names(&set), ["p2", "p3"]);
    assert_eq!(caller.delete(LABELS).await.status, 204);
    assert_eq!(repo.issue(1).map(|issue| issue.labels), Some(Vec::new()));
    assert_eq!(repo.labels(), ["Bug", "p2", "p3"]);
}

#[tokio::test]
async fn removing_ignores_case_and_an_absent_label_is_404() {
    let (_sim, repo, caller) = scene().await;
    repo.add_label(1, "agent/the coder");
    let removed = caller.delete(&format!("{LABELS}/AGENT%2Fthe%20coder")).await;
    assert_eq!(removed.status, 200);
    assert_eq!(names(&removed), ["Bug"]);
    let absent = caller.delete(&format!("{LABELS}/agent%2Fthe%20coder")).await;
    assert_eq!(absent.status, 404);
    assert_eq!(absent.message(), "Label does not exist");
}

#[tokio::test]
async fn names_have_fifty_characters_at_most() {
    let (_sim, repo, caller) = scene().await;
    let long = "é".repeat(50);
    assert_eq!(caller.post(LABELS, &json!({"labels": [long]})).await.status, 200);
    for name in ["x".repeat(51), String::new()] {
        let refused = caller.post(LABELS, &json!({"labels": ["ok", name]})).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.message(), "Validation Failed");
        assert_eq!(refused.json()["errors"][0]["resource"], "Label");
    }
    let labels = repo.issue(1).expect("the issue").labels;
    assert_eq!(labels.len(), 2, "a refused request adds nothing: {labels:?}");
}
