//! What is told of each change, and how it comes.

use std::collections::BTreeSet;
use std::time::Duration;

use github_sim::{Conclusion, NewIssue, Permission, ReviewState, Sim, State, WebhookFaults};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::receiver::Receiver;
use crate::support::{Caller, at_new_year};

const SECRET: &str = "a secret of the test";

async fn listening() -> (Sim, github_sim::Repo, Receiver) {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let receiver = Receiver::start().await;
    repo.add_webhook(&receiver.url, SECRET);
    sim.webhooks_idle().await;
    assert_eq!(receiver.names(), ["ping"]);
    receiver.take();
    (sim, repo, receiver)
}

#[tokio::test]
async fn a_delivery_is_signed_and_names_itself() {
    let (sim, repo, receiver) = listening().await;
    repo.open_issue("Search is slow");
    sim.webhooks_idle().await;
    let heard = receiver.take();
    assert_eq!(heard.len(), 1);
    let one = &heard[0];
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(&one.body);
    let hex: Vec<String> = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(one.header("x-hub-signature-256"), format!("sha256={}", hex.concat()));
    assert_eq!(one.header("content-type"), "application/json");
    assert_eq!(one.header("x-github-event"), "issues");
    assert!(one.header("user-agent").starts_with("GitHub-Hookshot/"));
    assert_eq!(one.header("x-github-hook-id"), repo.webhooks()[0].to_string());
    assert_eq!(one.header("x-github-hook-installation-target-type"), "repository");
    assert_eq!(one.header("x-github-hook-installation-target-id"), repo.id().to_string());
    assert_eq!(one.header("x-github-delivery").len(), 36);
    let payload = one.json();
    assert_eq!(payload["action"], "opened");
    assert_eq!(payload["repository"]["full_name"], "acme/api");
    assert_eq!(payload["sender"]["login"], "octocat");
    let issue = Caller::of(&sim).get("/repos/acme/api/issues/1").await.json();
    assert_eq!(payload["issue"], issue, "the same as the REST API shows");
}

#[tokio::test]
async fn each_change_of_an_issue_is_told() {
    let (sim, repo, receiver) = listening().await;
    let web = sim.create_repo("acme/web");
    let number = repo.open_issue(NewIssue::new("One").label("bug").assignee("mona"));
    repo.set_title(number, "Two");
    repo.add_label(number, "later");
    repo.remove_label(number, "bug");
    repo.assign(number, "hubot");
    repo.unassign(number, "mona");
    repo.comment(number, "mona", "Hello");
    repo.close_issue(number);
    repo.reopen_issue(number);
    repo.edit_issue(number, |issue| issue.locked = true);
    repo.touch(number);
    repo.rename_label("later", "soon");
    repo.delete_label("soon");
    repo.delete_issue(number);
    let moved = repo.open_issue("Three");
    let there = repo.transfer_issue(moved, "acme/web");
    repo.archive();
    repo.unarchive();
    repo.rename("core");
    sim.webhooks_idle().await;
    let names = receiver.names();
    assert_eq!(
        names,
        [
            "label.created",
            "issues.opened",
            "issues.labeled",
            "issues.assigned",
            "issues.edited",
            "label.created",
            "issues.labeled",
            "issues.unlabeled",
            "issues.assigned",
            "issues.unassigned",
            "issue_comment.created",
            "issues.closed",
            "issues.reopened",
            "issues.locked",
            "label.edited",
            "label.deleted",
            "issues.deleted",
            "issues.opened",
            "issues.transferred",
            "repository.archived",
            "repository.unarchived",
            "repository.renamed",
        ]
    );
    let heard = receiver.heard();
    let of = |name: &str| heard.iter().find(|it| it.name() == name).expect("told").json();
    assert_eq!(of("issues.edited")["changes"], json!({ "title": { "from": "One" } }));
    assert_eq!(of("issues.unlabeled")["label"]["name"], "bug");
    assert_eq!(of("issues.unassigned")["assignee"]["login"], "mona");
    assert_eq!(of("issue_comment.created")["comment"]["body"], "Hello");
    assert_eq!(of("issue_comment.created")["issue"]["comments"], 1);
    assert_eq!(of("label.edited")["changes"]["name"]["from"], "later");
    assert_eq!(of("issues.deleted")["issue"]["number"], number);
    let transferred = of("issues.transferred");
    assert_eq!(transferred["issue"]["number"], moved);
    assert_eq!(transferred["changes"]["new_issue"]["number"], there);
    assert_eq!(transferred["changes"]["new_repository"]["full_name"], "acme/web");
    assert_eq!(of("repository.renamed")["changes"]["repository"]["name"]["from"], "api");
    assert_eq!(of("repository.renamed")["repository"]["full_name"], "acme/core");
    let guids: BTreeSet<&str> = heard.iter().map(|it| it.header("x-github-delivery")).collect();
    assert_eq!(guids.len(), names.len(), "a GUID for each event");
    assert_eq!(web.issues().len(), 1);
    // Whoever deletes a repository is heard a last time.
    receiver.take();
    repo.delete();
    sim.webhooks_idle().await;
    assert_eq!(receiver.names(), ["repository.deleted"]);
}

#[tokio::test]
async fn each_change_of_a_pull_request_is_told() {
    let (sim, repo, receiver) = listening().await;
    let number = repo.open_pull("Fix", "fix/1");
    repo.edit_pull(number, |pull| "f00d".repeat(10).clone_into(&mut pull.head_sha));
    repo.edit_pull(number, |pull| pull.draft = true);
    repo.edit_pull(number, |pull| pull.draft = false);
    repo.edit_pull(number, |pull| pull.base = "next".to_owned());
    repo.set_body(number, "Closes #1");
    repo.add_label(number, "later");
    repo.comment(number, "mona", "Why?");
    repo.close_pull(number);
    repo.edit_issue(number, |issue| issue.state = State::Open);
    let review = repo.review(number, "mona", ReviewState::ChangesRequested, "Not yet");
    repo.dismiss(review);
    let run = repo.check(number, "test", None);
    let other = repo.check(number, "lint", Some(Conclusion::Success));
    repo.conclude(run, Conclusion::Failure);
    repo.comment_on_line(number, "mona", ("src/main.rs", 7), "Use `x` here");
    repo.merge_pull(number);
    sim.webhooks_idle().await;
    assert_eq!(
        receiver.names(),
        [
            "pull_request.opened",
            "pull_request.synchronize",
            "pull_request.converted_to_draft",
            "pull_request.ready_for_review",
            "pull_request.edited",
            "pull_request.edited",
            "label.created",
            "pull_request.labeled",
            "issue_comment.created",
            "pull_request.closed",
            "pull_request.reopened",
            "pull_request_review.submitted",
            "pull_request_review.dismissed",
            "check_run.created",
            "check_run.completed",
            "check_run.completed",
            "check_suite.completed",
            "pull_request_review_comment.created",
            "pull_request.closed",
        ]
    );
    let heard = receiver.take();
    assert_eq!(heard[1].json()["after"], "f00d".repeat(10));
    assert_eq!(heard[8].json()["issue"]["pull_request"]["merged_at"], json!(null));
    assert_eq!(heard[9].json()["pull_request"]["merged"], false);
    assert_eq!(heard[11].json()["review"]["state"], "changes_requested");
    assert_eq!(heard[14].json()["check_run"]["id"], other, "one check of the suite still runs");
    assert_eq!(heard[15].json()["check_run"]["conclusion"], "failure");
    assert_eq!(heard[15].json()["check_run"]["pull_requests"][0]["number"], number);
    let suite = heard[16].json()["check_suite"].clone();
    assert_eq!((&suite["conclusion"], &suite["latest_check_runs_count"]), (&json!("failure"), &json!(2)));
    assert_eq!((&suite["id"], &suite["head_sha"]), (&json!(run), &json!("f00d".repeat(10))));
    assert_eq!(suite["pull_requests"][0]["number"], number);
    let beside = heard[17].json();
    let listed = Caller::of(&sim).get(&format!("/repos/acme/api/pulls/{number}/comments")).await.json();
    assert_eq!(beside["comment"], listed[0], "the same as the REST API shows");
    assert_eq!((&beside["comment"]["line"], &beside["pull_request"]["number"]), (&json!(7), &json!(number)));
    let last = heard[18].json();
    assert_eq!((&last["pull_request"]["merged"], &last["number"]), (&json!(true), &json!(number)));
    let now = Caller::of(&sim).get(&format!("/repos/acme/api/pulls/{number}")).await.json();
    assert_eq!(last["pull_request"], now, "the same as the REST API shows");
}

#[tokio::test]
async fn writes_by_the_api_are_told_as_their_authors() {
    let (sim, repo, receiver) = listening().await;
    let number = repo.open_issue("One");
    let caller = Caller::of(&sim);
    let issue = format!("/repos/acme/api/issues/{number}");
    caller.post(&format!("{issue}/labels"), &json!({ "labels": ["status/ready"] })).await;
    caller.post(&format!("{issue}/comments"), &json!({ "body": "Hello" })).await;
    // Nothing changes, so nothing is told.
    caller.patch(&issue, &json!({ "title": "One" })).await;
    sim.webhooks_idle().await;
    let heard = receiver.take();
    let last: Vec<String> = heard.iter().skip(2).map(super::receiver::Heard::name).collect();
    assert_eq!(last, ["issues.labeled", "issue_comment.created"]);
    assert_eq!(heard[2].json()["sender"]["login"], "dispatch-bot");
}

#[tokio::test]
async fn an_app_hears_of_the_accounts_that_have_it() {
    let sim = Sim::start().await;
    let (acme, other) = (sim.create_repo("acme/api"), sim.create_repo("other/api"));
    let app = sim.create_app(7);
    let installation = app.install("acme", Permission::Write);
    let receiver = Receiver::start().await;
    app.set_webhook(&receiver.url, SECRET);
    acme.add_webhook(&receiver.url, SECRET);
    acme.open_issue("Heard twice");
    other.open_issue("Not heard");
    sim.webhooks_idle().await;
    let heard: Vec<_> = receiver.take().into_iter().filter(|it| it.name() == "issues.opened").collect();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].header("x-github-delivery"), heard[1].header("x-github-delivery"));
    let by_app = heard.iter().find(|it| it.header("x-github-hook-installation-target-type") == "integration");
    assert_eq!(by_app.expect("told to the App").json()["installation"]["id"], installation);
    app.suspend(installation);
    acme.open_issue("Heard once");
    sim.webhooks_idle().await;
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn faults_lose_double_and_reorder() {
    let (sim, repo, receiver) = listening().await;
    let number = repo.open_issue("One");
    sim.lose_webhooks(1);
    repo.set_title(number, "Lost");
    repo.set_title(number, "Heard");
    sim.webhooks_idle().await;
    assert_eq!(receiver.take().last().expect("told").json()["issue"]["title"], "Heard");
    assert_eq!(sim.webhook_counters().lost, 1);
    let lost = sim.webhook_deliveries().into_iter().find(|it| it.code == 502).expect("listed");
    sim.redeliver_webhook(lost.id);
    sim.webhooks_idle().await;
    let again = receiver.take();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].header("x-github-delivery"), lost.guid);
    assert_eq!(again[0].body, lost.payload);
    sim.webhook_faults(WebhookFaults {
        doubled: 1.0,
        patience: Duration::from_millis(1),
        ..WebhookFaults::default()
    });
    repo.set_title(number, "Twice");
    sim.webhooks_idle().await;
    let twice = receiver.take();
    assert_eq!(twice.len(), 2);
    assert_eq!(twice[0].header("x-github-delivery"), twice[1].header("x-github-delivery"));
    sim.webhook_faults(WebhookFaults { reordered: 0.3, ..WebhookFaults::default() });
    for step in 0..40 {
        repo.set_title(number, &format!("Step {step}"));
    }
    sim.webhooks_idle().await;
    let heard = receiver.take();
    assert_eq!(heard.len(), 40);
    let titles: Vec<String> = heard.iter().map(|it| it.json()["issue"]["title"].to_string()).collect();
    let in_order: Vec<String> = (0..40).map(|step| format!("\"Step {step}\"")).collect();
    assert_ne!(titles, in_order);
}

#[tokio::test]
async fn who_changes_something_does_not_wait_for_who_listens() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    // Nobody accepts there, ever.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    repo.add_webhook(&format!("http://{}/", deaf.local_addr().expect("an address")), SECRET);
    let caller = Caller::of(&sim);
    clock.advance(Duration::from_secs(1));
    assert_eq!(caller.post("/repos/acme/api/issues", &json!({ "title": "One" })).await.status, 201);
    assert!(sim.webhook_counters().waiting > 0);
    // What is under way when the simulator stops goes out when it is back.
    let waiting = sim.webhook_counters().waiting;
    sim.stop().await;
    assert_eq!(sim.webhook_counters().waiting, waiting);
}
