//! The board of the real program: signing in and out, moving cards by mouse, key and menu, another window, a refusal, filters.

use serde_json::json;

use crate::{
    API,
    chromium::{Chromium, Window},
    world::{World, id_of, is_in},
};

const IS_LIVE: &str = "document.getElementById('live').dataset.state === 'on'";

async fn says(window: &Window, words: &str) {
    window.until(&format!("document.getElementById('flash').innerText.includes('{words}')")).await;
}

/// The titles in a column, from above.
async fn stand(window: &Window, column: &str, titles: &str) {
    let all = format!("[...document.querySelectorAll('[data-column=\"{column}\"] h3')]");
    window.until(&format!("{all}.map((one) => one.innerText).join() === '{titles}'")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_signs_in_and_out() {
    let world = World::at_work().await;
    let chromium = Chromium::start().await;
    let window = chromium.open(&world.server, "/board").await;
    window.until("location.pathname === '/login'").await;
    let window = chromium.sign_in(&world.server, "/board").await;
    window.until("document.querySelectorAll('.card').length === 3").await;
    window.click("form[action='/api/auth/logout'] button").await;
    window.until("location.pathname === '/login'").await;
    window.go(&world.server, "/board").await;
    window.until("location.pathname === '/login'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_move_by_mouse_key_and_menu_and_another_window_follows() {
    let world = World::at_work().await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        ids.push(id_of(&world.server, number).await);
    }
    let chromium = Chromium::start().await;
    let here = chromium.sign_in(&world.server, "/board").await;
    let there = chromium.open(&world.server, "/board").await;
    here.until(IS_LIVE).await;
    there.until(IS_LIVE).await;

    here.drag(&format!("#card-{}", ids[1]), "[data-column='in-review']").await;
    says(&here, "acme/api#2 is in In Review now").await;
    assert_eq!(world.labels(2), ["status/in-review"], "GitHub has it when the page says so");
    there.until(&is_in(&ids[1], "in-review")).await;
    there.until("document.querySelector('[data-count=\"ready\"]').textContent === '2'").await;

    here.focus(&format!("#card-{} h3 a", ids[0])).await;
    here.press_with_shift("ArrowRight").await;
    says(&here, "acme/api#1 is in In Progress now").await;
    assert_eq!(world.labels(1), ["status/in-progress"]);
    there.until(&is_in(&ids[0], "in-progress")).await;

    here.click(&format!("#card-{} summary", ids[2])).await;
    here.click(&format!("#card-{} button[value^='blocked ']", ids[2])).await;
    says(&here, "acme/api#3 is in Blocked now").await;
    assert_eq!(world.labels(3), ["status/blocked"]);
    there.until(&is_in(&ids[2], "blocked")).await;

    // And what an agent does is seen in both.
    let claim = json!({ "issueId": ids[1], "repoFullName": API, "issueNumber": 2, "agentName": "coder" });
    world.post("/api/issues/claim", claim).await.expect(200);
    for window in [&here, &there] {
        window
            .until(&format!("document.getElementById('card-{}').innerText.includes('coder')", ids[1]))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_move_goes_back_and_says_why() {
    let world = World::at_work().await;
    let id = id_of(&world.server, 2).await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&world.server, "/board").await;
    window.until(IS_LIVE).await;
    // Nobody has told Dispatch; once it knows, the card stands where it belongs.
    world.sim.repo(API).close_issue(2);
    window.drag(&format!("#card-{id}"), "[data-column='blocked']").await;
    says(&window, "Cannot move a closed issue").await;
    window.until(&is_in(&id, "done")).await;
    assert!(!world.labels(2).contains(&"status/blocked".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_stay_in_the_address_and_hold_for_what_comes() {
    let world = World::at_work().await;
    let chromium = Chromium::start().await;
    let window = chromium.sign_in(&world.server, "/board").await;
    window.write("input[name='q']", "issue 2").await;
    window.follow(".filters button").await;
    window.until("location.search.includes('q=issue+2')").await;
    stand(&window, "ready", "Issue 2").await;
    window.reload().await;
    window.until(IS_LIVE).await;
    stand(&window, "ready", "Issue 2").await;
    // The second of them is the one that the filter lets through.
    for number in [2, 3] {
        crate::world::move_card(&world.server, number, "blocked").await;
    }
    stand(&window, "blocked", "Issue 2").await;
    stand(&window, "ready", "").await;
}
