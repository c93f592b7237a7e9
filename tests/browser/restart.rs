//! A server that is killed and started again while a page is open.

use crate::{
    API,
    chromium::Chromium,
    world::{World, id_of, is_in, move_card},
};

const IS_LIVE: &str = "document.getElementById('live').dataset.state === 'on'";
const IS_AWAY: &str = "document.getElementById('live').dataset.state === 'off'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_outlives_its_server_and_shows_what_changed_meanwhile() {
    let mut world = World::at_work().await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        ids.push(id_of(&world.server, number).await);
    }
    let chromium = Chromium::start().await;
    let board = chromium.sign_in(&world.server, "/board").await;
    let repositories = chromium.open(&world.server, "/repositories").await;
    for window in [&board, &repositories] {
        window.until(IS_LIVE).await;
        window.value("window.stays = true").await;
    }
    let address = world.server.url.strip_prefix("http://").expect("an address").to_owned();
    world.server.kill();
    board.until(IS_AWAY).await;
    repositories.until(IS_AWAY).await;
    // What is tried now goes back, and says why.
    board.focus(&format!("#card-{} h3 a", ids[2])).await;
    board.press_with_shift("ArrowRight").await;
    board.until("document.getElementById('flash').innerText.includes('the server cannot be reached')").await;
    board.until(&is_in(&ids[2], "ready")).await;

    // A process elsewhere changes the database: nobody who listens here hears of that.
    let mut elsewhere = world.start_at("127.0.0.1:0");
    move_card(&elsewhere, 1, "in-review").await;
    world.sim.repo(API).set_title(2, "Another title");
    world.sim.repo(API).open_issue("New");
    elsewhere.beat("coder").await.expect("an answer").expect(200);
    assert_eq!(elsewhere.terminate(), Some(0));

    world.server = world.start_at(&address);
    board.until(IS_LIVE).await;
    board.until(&is_in(&ids[0], "in-review")).await;
    board
        .until(&format!("document.getElementById('card-{}').innerText.includes('Another title')", ids[1]))
        .await;
    board.until("document.querySelector('[data-count=\"backlog\"]').textContent === '1'").await;
    board.until(&is_in(&ids[2], "ready")).await;
    repositories.until(IS_LIVE).await;
    repositories.until("document.querySelector('main td.number').innerText === '4'").await;
    // And it goes on: what others do is seen, and what is done here is done.
    move_card(&world.server, 2, "blocked").await;
    board.until(&is_in(&ids[1], "blocked")).await;
    board.focus(&format!("#card-{} h3 a", ids[2])).await;
    board.press_with_shift("ArrowRight").await;
    board
        .until("document.getElementById('flash').innerText.includes('acme/api#3 is in In Progress now')")
        .await;
    assert_eq!(world.labels(3), ["status/in-progress"]);
    for window in [&board, &repositories] {
        assert_eq!(window.value("window.stays").await, true, "nobody loaded the page again");
    }
}
