//! Many pages of one server in one browser, which has six connections for all of them.

use crate::{
    chromium::Chromium,
    world::{World, id_of, is_in, move_card},
};

const IS_LIVE: &str = "document.getElementById('live').dataset.state === 'on'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_pages_than_connections_are_open_and_each_is_right_when_it_is_seen() {
    let world = World::at_work().await;
    let id = id_of(&world.server, 1).await;
    let chromium = Chromium::start().await;
    let mut tabs = vec![chromium.sign_in(&world.server, "/board").await];
    for _ in 0..7 {
        tabs.last().expect("a tab").until(IS_LIVE).await;
        let tab = chromium.tab().await;
        tab.go(&world.server, "/board").await;
        tabs.push(tab);
    }
    tabs[7].until(IS_LIVE).await;
    assert_eq!(tabs[0].value("document.hidden").await, true, "tabs hide each other");
    move_card(&world.server, 1, "in-review").await;
    tabs[7].until(&is_in(&id, "in-review")).await;
    // What was hidden meanwhile reads it once somebody looks.
    tabs[0].come_to_front().await;
    tabs[0].until(&is_in(&id, "in-review")).await;
    move_card(&world.server, 1, "blocked").await;
    tabs[0].until(&is_in(&id, "blocked")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_between_a_page_and_its_first_event_is_shown() {
    let world = World::at_work().await;
    let id = id_of(&world.server, 1).await;
    let chromium = Chromium::start().await;
    // Where nobody listens, changes wait for whoever comes first.
    let other = chromium.sign_in(&world.server, "/board").await;
    other.until(IS_LIVE).await;
    let window = chromium.open(&world.server, "/agents").await;
    window.hold("*/api/events*").await;
    window.go(&world.server, "/board").await;
    window.until(&is_in(&id, "ready")).await;
    move_card(&world.server, 1, "in-review").await;
    other.until(&is_in(&id, "in-review")).await;
    window.value("window.stays = true").await;
    window.let_go().await;
    window.until(&is_in(&id, "in-review")).await;
    assert_eq!(window.value("window.stays").await, true, "nobody loaded the page again");
}
