//! The board in a real browser: moving cards by hand, by key and by menu, and what others change meanwhile.

use std::time::Duration;

use serde_json::json;

use crate::{
    API,
    chromium::{Chromium, Window},
    support::{App, TestDb},
};

/// A board with three ready issues, and the ids of their cards.
async fn board() -> (App, Vec<String>) {
    let app = App::with_repos(TestDb::sqlite().await, &[API]).await;
    for n in 1..=3 {
        app.sim.repo(API).open_issue(format!("Issue {n}").as_str());
        app.sim.repo(API).add_label(n, "status/ready");
    }
    app.beat("coder").await;
    let mut ids = Vec::new();
    for n in 1..=3 {
        let state = app.get(&format!("/api/issues/state?repo={API}&number={n}")).await.expect(200);
        ids.push(state["issueId"].as_str().expect("an id").to_owned());
    }
    (app, ids)
}

/// Where a card is, as a script asks for it.
fn is_in(id: &str, column: &str) -> String {
    format!("document.getElementById('card-{id}')?.closest('[data-column]').dataset.column === '{column}'")
}

fn labels(app: &App, number: u64) -> Vec<String> {
    app.sim.repo(API).issue(number).expect("the issue").labels
}

async fn is_live(window: &Window) {
    window.until("document.getElementById('live').dataset.state === 'on'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_signs_in_and_out() {
    let (app, _) = board().await;
    let chromium = Chromium::start().await;
    let window = chromium.open(&app, "/board").await;
    window
        .until("location.pathname === '/login' && document.querySelector('h1')?.innerText === 'Sign in'")
        .await;
    let window = chromium.sign_in(&app, "/board").await;
    window.until("document.querySelectorAll('.card').length === 3").await;
    window.click("form[action='/api/auth/logout'] button").await;
    window.until("location.pathname === '/login'").await;
    window.go(&app, "/board").await;
    window.until("location.pathname === '/login'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_is_dragged_changes_its_label_on_github_and_another_window_follows() {
    let (app, ids) = board().await;
    let chromium = Chromium::start().await;
    let (here, there) = (chromium.sign_in(&app, "/board").await, chromium.open(&app, "/board").await);
    is_live(&here).await;
    is_live(&there).await;
    here.drag(&format!("#card-{}", ids[1]), "[data-column='in-review']").await;
    here.until(&is_in(&ids[1], "in-review")).await;
    here.until("document.getElementById('flash').innerText.includes('acme/api#2 is in In Review now')").await;
    there.until(&is_in(&ids[1], "in-review")).await;
    there.until("document.querySelector('[data-count=\"ready\"]').textContent === '2'").await;
    assert_eq!(labels(&app, 2), ["status/in-review"]);
    // And what an agent does is seen in both.
    let claim = json!({ "issueId": ids[0], "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
    app.post("/api/issues/claim", claim).await.expect(200);
    for window in [&here, &there] {
        window.until(&is_in(&ids[0], "in-progress")).await;
        window
            .until(&format!("document.getElementById('card-{}').innerText.includes('coder')", ids[0]))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_moves_by_key_and_by_its_menu() {
    let (app, ids) = board().await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&app, "/board").await;
    let link = format!("#card-{} h3 a", ids[0]);
    window.focus(&link).await;
    window.press_with_shift("ArrowRight").await;
    window.until(&is_in(&ids[0], "in-progress")).await;
    window.until("document.getElementById('flash').innerText.includes('In Progress')").await;
    // The card keeps the focus, so that the next key moves it on.
    window
        .until(&format!("document.getElementById('card-{}').contains(document.activeElement)", ids[0]))
        .await;
    window.press_with_shift("ArrowRight").await;
    window.until("document.getElementById('flash').innerText.includes('In Review')").await;
    assert_eq!(labels(&app, 1), ["status/in-review"]);
    window.click(&format!("#card-{} summary", ids[2])).await;
    window.click(&format!("#card-{} button[value^='blocked ']", ids[2])).await;
    window.until(&is_in(&ids[2], "blocked")).await;
    window.until("document.getElementById('flash').innerText.includes('Blocked')").await;
    assert_eq!(labels(&app, 3), ["status/blocked"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_move_goes_back_and_says_why() {
    let (app, ids) = board().await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&app, "/board").await;
    is_live(&window).await;
    // Nobody has told Dispatch yet.
    app.sim.repo(API).close_issue(2);
    app.tick();
    window.drag(&format!("#card-{}", ids[1]), "[data-column='blocked']").await;
    window.until("document.getElementById('flash').innerText.includes('Cannot move a closed issue')").await;
    // What it is in truth it shows as soon as that is known.
    window.until(&is_in(&ids[1], "done")).await;
    window.until("document.querySelector('[data-count=\"blocked\"]').textContent === '0'").await;
    assert!(!labels(&app, 2).contains(&"status/blocked".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_stay_in_the_address_and_hold_for_what_comes() {
    let (app, ids) = board().await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&app, "/board").await;
    window.write("input[name='q']", "issue 2").await;
    window.click(".filters button").await;
    window
        .until("location.search.includes('q=issue+2') && document.querySelectorAll('.card').length === 1")
        .await;
    window.reload().await;
    is_live(&window).await;
    window.until("document.querySelectorAll('.card').length === 1").await;
    // Of two that change only the one is shown that the filter lets through.
    for (n, to) in [(1, "blocked"), (2, "blocked")] {
        let old = json!(["status/ready"]);
        let body = json!({ "issueId": ids[n - 1], "repoFullName": API, "issueNumber": n, "oldLabels": old, "newLabels": [format!("status/{to}")] });
        app.post("/api/issues/move", body).await.expect(200);
    }
    window.until(&is_in(&ids[1], "blocked")).await;
    window.until("document.querySelectorAll('.card').length === 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_takes_the_place_of_the_last_one_is_not_lost() {
    let app = App::with_repos(TestDb::sqlite().await, &[API]).await;
    for n in 1..=4 {
        app.sim.repo(API).open_issue(format!("Issue {n}").as_str());
        app.sim.repo(API).add_label(n, if n == 2 { "status/backlog" } else { "status/ready" });
        app.advance(Duration::from_secs(5));
    }
    app.beat("coder").await;
    let id = async |n: u64| {
        let state = app.get(&format!("/api/issues/state?repo={API}&number={n}")).await.expect(200);
        state["issueId"].as_str().expect("an id").to_owned()
    };
    let (second, third) = (id(2).await, id(3).await);
    let move_to = async |issue: &str, number: u64, from: &str, to: &str| {
        let moved = json!({ "issueId": issue, "repoFullName": API, "issueNumber": number,
            "oldLabels": [format!("status/{from}")], "newLabels": [format!("status/{to}")] });
        app.post("/api/issues/move", moved).await.expect(200);
    };
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&app, "/board?show=2").await;
    is_live(&window).await;
    // The page shows 1 and 3, and goes on behind 3; then 3 leaves, and 2 comes to stand before where it was.
    move_to(&third, 3, "ready", "in-review").await;
    window.until(&is_in(&third, "in-review")).await;
    move_to(&second, 2, "backlog", "ready").await;
    window.until(&is_in(&second, "ready")).await;
    window.click("[data-column='ready'] [data-more]").await;
    window.until("document.querySelectorAll('[data-column=\"ready\"] .card').length === 3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_and_the_page_of_an_agent_follow() {
    let (app, _) = board().await;
    let chromium = Chromium::start().await;
    let (here, there) = (chromium.sign_in(&app, "/").await, chromium.open(&app, "/agents/coder").await);
    is_live(&here).await;
    is_live(&there).await;
    // What somebody opened to read stays open, and follows.
    here.value("document.getElementById('runs-table').open = true").await;
    let run = json!({ "agentName": "coder", "runType": "implement", "status": "failed", "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:02Z", "errorMessage": "No disk is left" });
    // The charts are read at most once a second.
    app.advance(Duration::from_secs(1));
    app.post("/api/agent-runs", run).await.expect(201);
    here.until("document.querySelector('.legend')?.innerText.includes('failed: 1')").await;
    here.until("document.getElementById('runs-table').open").await;
    there.until("document.getElementById('main').innerText.includes('No disk is left')").await;
}
