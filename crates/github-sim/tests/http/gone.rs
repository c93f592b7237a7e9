//! Renames, transfers, deletions and other ways to be elsewhere.

use github_sim::Sim;
use serde_json::json;

use crate::support::Caller;

#[tokio::test]
async fn names_have_no_case() {
    let sim = Sim::start().await;
    sim.create_repo("Acme/Api").open_issue("One");
    let caller = Caller::of(&sim);
    assert_eq!(caller.get("/repos/acme/API").await.json()["full_name"], "Acme/Api");
    let issue = caller.get("/repos/ACME/api/issues/1").await.json();
    assert_eq!(issue["html_url"], "https://github.com/Acme/Api/issues/1");
    assert_eq!(issue["repository_url"], format!("{}/repos/Acme/Api", sim.url()));
    assert_eq!(sim.repo("aCME/aPI").full_name(), "Acme/Api");
}

#[tokio::test]
async fn a_renamed_repository_redirects_to_its_id() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue("One");
    repo.rename("acme/core");
    let caller = Caller::of(&sim);

    let moved = caller.get("/repos/acme/api/issues?state=all").await;
    assert_eq!(moved.status, 301);
    assert_eq!(moved.message(), "Moved Permanently");
    let target = format!("{}/repositories/{}/issues?state=all", sim.url(), repo.id());
    assert_eq!(moved.header("location"), target);
    assert_eq!(moved.json()["url"], target.as_str());
    assert_eq!(caller.get(&target).await.numbers(), [1]);

    // A write keeps its method, so it is a 307.
    let write = caller.post("/repos/acme/api/issues", &json!({"title": "Two"})).await;
    assert_eq!(write.status, 307);
    let written = caller.post(write.header("location"), &json!({"title": "Two"})).await;
    assert_eq!(written.status, 201);
    assert_eq!(written.json()["url"], format!("{}/repos/acme/core/issues/2", sim.url()));

    sim.create_repo("acme/api").open_issue("Another repository");
    assert_eq!(caller.get("/repos/acme/api/issues").await.status, 200);

    repo.transfer_owner("globex");
    assert_eq!(caller.get("/repos/acme/core").await.status, 301);
    assert_eq!(caller.get("/repos/globex/core").await.status, 200);
}

#[tokio::test]
async fn deleted_and_unknown_repositories_are_not_found() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let by_id = format!("/repositories/{}", repo.id());
    let caller = Caller::of(&sim);
    assert_eq!(caller.get(&by_id).await.status, 200);
    repo.delete();
    for path in ["/repos/acme/api", "/repos/acme/api/issues", "/repos/acme/none", &by_id] {
        let answer = caller.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.message(), "Not Found");
        assert_eq!(answer.json()["status"], "404");
    }
}

#[tokio::test]
async fn issues_are_unknown_deleted_or_transferred() {
    let sim = Sim::start().await;
    let api = sim.create_repo("acme/api");
    let web = sim.create_repo("acme/web");
    web.open_issue("Makes the bug label known");
    web.add_label(1, "Bug");
    let deleted = api.open_issue("Deleted");
    let moved = api.open_issue(github_sim::NewIssue::new("Moved").label("bug").label("local"));
    api.comment(moved, "mona", "Wrong place");
    api.delete_issue(deleted);
    assert_eq!(api.transfer_issue(moved, "ACME/web"), 2);
    let caller = Caller::of(&sim);

    assert_eq!(caller.get("/repos/acme/api/issues/99").await.status, 404);
    let gone = caller.get("/repos/acme/api/issues/1").await;
    assert_eq!(gone.status, 410);
    assert_eq!(gone.message(), "This issue was deleted");
    let redirect = caller.get("/repos/acme/api/issues/2").await;
    assert_eq!(redirect.status, 301);
    let target = format!("{}/repositories/{}/issues/2", sim.url(), web.id());
    assert_eq!(redirect.header("location"), target);
    let there = caller.get(&target).await.json();
    assert_eq!(there["title"], "Moved");
    assert_eq!(there["comments"], 1);
    assert_eq!(web.comments(2)[0].body, "Wrong place");
    assert_eq!(there["labels"].as_array().map(Vec::len), Some(1));
    assert_eq!(there["labels"][0]["name"], "Bug");

    let labels = caller.post("/repos/acme/api/issues/2/labels", &json!({"labels": ["x"]})).await;
    assert_eq!(labels.status, 307);
    assert_eq!(labels.header("location"), format!("{target}/labels"));
    assert_eq!(caller.get("/repos/acme/api/issues?state=all").await.numbers(), [0; 0]);
    // Numbers are never used twice.
    assert_eq!(api.open_issue("Next"), 3);
}

#[tokio::test]
async fn disabled_issues_are_gone_and_archived_repositories_read_only() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    repo.open_issue("One");
    let caller = Caller::of(&sim);
    repo.disable_issues();
    for path in ["/repos/acme/api/issues", "/repos/acme/api/issues/1"] {
        let answer = caller.get(path).await;
        assert_eq!(answer.status, 410);
        assert_eq!(answer.message(), "Issues has been disabled in this repository.");
    }
    assert_eq!(caller.get("/repos/acme/api").await.json()["has_issues"], false);
    repo.enable_issues();
    repo.archive();
    assert_eq!(caller.get("/repos/acme/api/issues").await.status, 200);
    let write = caller.patch("/repos/acme/api/issues/1", &json!({"title": "Two"})).await;
    assert_eq!(write.status, 403);
    assert_eq!(write.message(), "Repository was archived so is read-only.");
}

#[tokio::test]
async fn a_stopped_simulator_comes_back_with_its_state() {
    let sim = Sim::start().await;
    sim.create_repo("acme/api").open_issue("One");
    let caller = Caller::of(&sim);
    assert_eq!(caller.get("/repos/acme/api/issues").await.numbers(), [1]);
    sim.stop().await;
    let refused = caller.request(reqwest::Method::GET, "/user").send().await;
    assert!(refused.is_err());
    sim.restart().await;
    assert_eq!(caller.get("/repos/acme/api/issues").await.numbers(), [1]);
}
