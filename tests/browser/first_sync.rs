//! A repository that is added: its first sync shows while it goes on, here and in the windows of others.

use github_sim::{Fault, FaultKind, Match};

use crate::{API, chromium::Chromium, world::World};

const ROW: &str = "document.querySelector('main tbody tr')?.innerText ?? ''";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_is_added_and_its_first_sync_shows_by_itself() {
    let world = World::start(&[]).await;
    world.sim.create_repo(API).seed(150, |n| format!("Issue {n}"));
    let chromium = Chromium::start().await;
    let there = chromium.sign_in(&world.server, "/repositories").await;
    there
        .until("document.querySelector('.empty') && document.getElementById('live').dataset.state === 'on'")
        .await;
    there.value("window.stays = true").await;
    // GitHub tells of the first hundred, and then takes its time.
    let held = world.sim.fault(Fault::new(FaultKind::Held).on(Match::kind("issues.list")).after(2));
    let here = chromium.open(&world.server, "/repositories").await;
    here.write("form[action='/repositories/add'] input[name='repo']", API).await;
    here.follow("form[action='/repositories/add'] button").await;
    let told = here.told().await;
    assert!(told.contains("acme/api is tracked; reading goes on"), "{told}");
    here.value("window.stays = true").await;
    for window in [&here, &there] {
        window.until(&format!("({ROW}).includes('reading open issues')")).await;
        window.until("document.querySelector('main .banner.warn')?.innerText.includes('first read')").await;
    }
    assert_eq!(world.sim.fault_hits(held), 1);
    world.sim.clear_fault(held);
    for window in [&here, &there] {
        window.until(&format!("({ROW}).includes('up to date')")).await;
        window.until("document.querySelector('main td.number').innerText === '150'").await;
        window.until("!document.querySelector('main .banner.warn')").await;
        assert_eq!(window.value("window.stays").await, true, "nobody loaded the page again");
        assert_eq!(window.complaints(), Vec::<String>::new());
    }
    here.go(&world.server, "/board").await;
    here.until("document.querySelector('[data-count=\"backlog\"]').textContent === '150'").await;
}
