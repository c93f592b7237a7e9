//! The list changes while it is being read.

use std::time::Duration;

use github_sim::{Match, Sim};

use crate::support::{Caller, at_new_year};

#[tokio::test]
async fn a_hook_runs_before_its_request_is_served() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    for number in 1..=6 {
        repo.open_issue(format!("Issue {number}"));
        clock.advance(Duration::from_secs(1));
    }
    let moved = repo.clone();
    let hook = sim.hook(Match::kind("issues.list"), move |_| moved.touch(1)).after(1).times(1);
    let caller = Caller::of(&sim);
    let list = "/repos/acme/api/issues?sort=updated&direction=asc&per_page=2";
    let (numbers, _) = caller.numbers_of_all_pages(list).await;
    // The first issue moved to the end: it comes twice, and the third is never seen.
    assert_eq!(numbers, [1, 2, 4, 5, 6, 1]);
    assert_eq!(hook.runs(), 1);
}

#[tokio::test]
async fn a_hook_can_set_faults_and_hooks() {
    use github_sim::{Fault, FaultKind};
    let sim = Sim::start().await;
    sim.create_repo("acme/api");
    sim.hook(Match::any(), |sim| {
        sim.fault(Fault::new(FaultKind::Status(500)).times(1));
        sim.clear_hooks();
    });
    let caller = Caller::of(&sim);
    assert_eq!(caller.get("/repos/acme/api").await.status, 500);
    assert_eq!(caller.get("/repos/acme/api").await.status, 200);
}
