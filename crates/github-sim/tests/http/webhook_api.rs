//! Webhooks and their deliveries by the REST API.

use std::time::Duration;

use github_sim::{Permission, Sim};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::support::{Caller, at_new_year};

const HOOKS: &str = "/repos/acme/api/hooks";

fn new(url: &str) -> Value {
    let config = json!({ "url": url, "content_type": "json", "secret": "quiet", "insecure_ssl": "0" });
    json!({ "name": "web", "active": true, "events": ["issues", "label"], "config": config })
}

#[tokio::test]
async fn a_hook_is_made_once_and_never_shows_its_secret() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let receiver = Receiver::start().await;
    let caller = Caller::of(&sim);
    let made = caller.post(HOOKS, &new(&receiver.url)).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["config"]["secret"], "********");
    assert!(!made.text.contains("quiet"));
    let hook = made.json()["id"].as_u64().expect("an id");
    assert_eq!(made.header("location"), made.json()["url"]);
    let again = caller.post(HOOKS, &new(&receiver.url)).await;
    assert_eq!(again.status, 422);
    assert!(again.text.contains("Hook already exists"), "{}", again.text);
    assert_eq!(caller.post(HOOKS, &json!({ "config": {} })).await.status, 422);
    // Only what it asked for is told, and the ping.
    repo.comment(repo.open_issue("One"), "mona", "Hello");
    sim.webhooks_idle().await;
    assert_eq!(receiver.names(), ["ping", "issues.opened"]);
    receiver.take();
    let one = format!("{HOOKS}/{hook}");
    let changed = caller.patch(&one, &json!({ "add_events": ["issue_comment"], "active": true })).await;
    assert_eq!(changed.json()["events"], json!(["issues", "label", "issue_comment"]));
    repo.comment(1, "mona", "Again");
    sim.webhooks_idle().await;
    assert_eq!(receiver.names(), ["issue_comment.created"]);
    assert_eq!(caller.post(&format!("{one}/pings"), &json!({})).await.status, 204);
    sim.webhooks_idle().await;
    assert_eq!(receiver.names(), ["issue_comment.created", "ping"]);
    let shown = caller.get(&one).await.json();
    assert_eq!(shown["last_response"], json!({ "code": 202, "status": "active", "message": "OK" }));
    assert_eq!(caller.get(HOOKS).await.json().as_array().map(Vec::len), Some(1));
    assert_eq!(caller.delete(&one).await.status, 204);
    assert_eq!(caller.get(&one).await.status, 404);
    repo.open_issue("Two");
    sim.webhooks_idle().await;
    assert_eq!(receiver.names().len(), 2);
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_and_sent_again() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    let receiver = Receiver::start().await;
    let hook = repo.add_webhook(&receiver.url, "quiet");
    sim.webhooks_idle().await;
    receiver.answer(500);
    for number in 0..5 {
        repo.open_issue(format!("Issue {number}"));
    }
    sim.webhooks_idle().await;
    receiver.answer(202);
    repo.open_issue("Heard");
    sim.webhooks_idle().await;
    let caller = Caller::of(&sim);
    let deliveries = format!("{HOOKS}/{hook}/deliveries");
    let (mut next, mut all) = (Some(format!("{deliveries}?per_page=3")), Vec::new());
    while let Some(page) = next {
        let answer = caller.get(&page).await;
        all.extend(answer.json().as_array().expect("a list").clone());
        next = answer.link("next");
    }
    let ids: Vec<u64> = all.iter().filter_map(|it| it["id"].as_u64()).collect();
    assert_eq!(ids.len(), 7, "six issues and a ping");
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!((&all[0]["status_code"], &all[0]["status"]), (&json!(202), &json!("OK")));
    assert_eq!(all[1]["status"], "Invalid HTTP Response: 500");
    let failed = caller.get(&format!("{deliveries}?status=failure")).await.json();
    assert_eq!(failed.as_array().map(Vec::len), Some(5));
    assert_eq!(caller.get(&format!("{deliveries}?cursor=none")).await.status, 400);
    // Unchanged lists are 304.
    let first = caller.get(&deliveries).await;
    assert_eq!(caller.get_if_none_match(&deliveries, &first.etag()).await.status, 304);
    let one = format!("{deliveries}/{}", ids[1]);
    let whole = caller.get(&one).await.json();
    assert_eq!(whole["request"]["payload"]["issue"]["title"], "Issue 4");
    assert_eq!(whole["response"]["payload"], "heard");
    let before = receiver.heard().len();
    assert_eq!(caller.post(&format!("{one}/attempts"), &json!({})).await.status, 202);
    sim.webhooks_idle().await;
    let heard = receiver.heard();
    assert_eq!(heard.len(), before + 1);
    assert_eq!(heard[before].header("x-github-delivery"), whole["guid"]);
    let newest = caller.get(&format!("{deliveries}?per_page=1")).await.json();
    assert_eq!(
        (&newest[0]["redelivery"], &newest[0]["guid"], &newest[0]["status_code"]),
        (&json!(true), &whole["guid"], &json!(202))
    );
    // GitHub forgets after three days.
    clock.advance(Duration::from_hours(73));
    assert_eq!(caller.get(&deliveries).await.json(), json!([]));
    assert_eq!(caller.post(&format!("{one}/attempts"), &json!({})).await.status, 404);
}

#[tokio::test]
async fn webhooks_want_a_permission_of_their_own() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let hook = repo.add_webhook("http://127.0.0.1:9/", "quiet");
    let one = format!("{HOOKS}/{hook}");
    for token in ["none", "read", "classic", "hooks"] {
        sim.add_token(token);
    }
    sim.token_hooks("none", Permission::None);
    sim.token_hooks("read", Permission::Read);
    sim.token_scopes("classic", "public_repo");
    sim.token_scopes("hooks", "read:repo_hook");
    let statuses = |token: &'static str| {
        let (caller, one) = (Caller::with(&sim, Some(token.to_owned())), one.clone());
        async move {
            let read = caller.get(&one).await;
            let ping = caller.post(&format!("{one}/pings"), &json!({})).await;
            (read.status, ping.status)
        }
    };
    assert_eq!(statuses("none").await, (403, 403));
    assert_eq!(statuses("read").await, (200, 403));
    assert_eq!(statuses("classic").await, (404, 404));
    assert_eq!(statuses("hooks").await, (200, 404));
    let refused = Caller::with(&sim, Some("none".to_owned())).get(&one).await;
    assert_eq!(refused.header("x-accepted-github-permissions"), "repository_hooks=read");
    assert_eq!(Caller::anonymous(&sim).get(HOOKS).await.status, 404);
}

#[tokio::test]
async fn another_process_sets_hooks_and_their_faults() {
    let sim = Sim::start().await;
    sim.create_repo("acme/api");
    let receiver = Receiver::start().await;
    let caller = Caller::of(&sim);
    let control = |body: Value| {
        let caller = caller.clone();
        async move { caller.post("/_sim/webhooks", &body).await }
    };
    let add = json!({ "op": "add", "repo": "acme/api", "url": receiver.url, "secret": "quiet" });
    let made = control(add).await;
    assert!(made.json()["id"].is_u64(), "{}", made.text);
    let faults = json!({ "op": "faults", "seed": 7, "doubled": 1.0, "at_once": 4, "patience_ms": 5 });
    assert_eq!(control(faults).await.status, 200);
    assert_eq!(control(json!({ "op": "faults", "dubled": 1.0 })).await.status, 400);
    sim.repo("acme/api").open_issue("One");
    sim.webhooks_idle().await;
    let counted = caller.get("/_sim/webhooks").await.json();
    assert_eq!(
        (&counted["events"], &counted["doubled"], &counted["sent"], &counted["waiting"]),
        (&json!(2), &json!(1), &json!(3), &json!(0))
    );
    let listed = caller.get("/_sim/webhooks/deliveries").await.json();
    assert_eq!(listed[1]["event"], "issues");
    let id = made.json()["id"].clone();
    assert_eq!(control(json!({ "op": "remove", "repo": "acme/api", "id": id })).await.status, 200);
    assert_eq!(sim.repo("acme/api").webhooks(), Vec::<u64>::new());
}
