//! `ETags`, 304s and what they cost.

use std::time::Duration;

use github_sim::Sim;
use reqwest::Method;

use crate::support::{Caller, at_new_year, send};

const PROBE: &str = "/repos/acme/api/issues?state=all&sort=updated&direction=desc&per_page=100";

#[tokio::test]
async fn an_unchanged_list_is_a_304_that_costs_nothing() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    repo.seed(3, |i| format!("Issue {i}"));
    let caller = Caller::of(&sim);

    let first = caller.get(PROBE).await;
    assert_eq!(first.status, 200);
    assert!(first.etag().starts_with("W/\""));
    assert_eq!(first.number("x-ratelimit-remaining"), 4_999);

    let second = caller.get_if_none_match(PROBE, &first.etag()).await;
    assert_eq!(second.status, 304);
    assert_eq!(second.text, "");
    assert_eq!(second.etag(), first.etag());
    assert_eq!(second.number("x-ratelimit-remaining"), 4_999);

    let counters = sim.counters();
    assert_eq!((counters.requests, counters.paid), (2, 1));
    assert_eq!((counters.not_modified, counters.quota_spent), (1, 1));
    assert_eq!(counters.by_kind["issues.list"], 2);
    assert_eq!(counters.by_status[&304], 1);
    assert!(sim.requests()[1].conditional);
    assert_eq!(sim.requests()[1].agent, "test");
}

#[tokio::test]
async fn any_change_makes_a_new_etag() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    let number = repo.open_issue("One");
    repo.open_issue("Two");
    let caller = Caller::of(&sim);
    let mut etag = caller.get(PROBE).await.etag();
    let changes: [fn(&github_sim::Repo, u64); 7] = [
        |repo, n| repo.set_title(n, "Uno"),
        |repo, n| repo.add_label(n, "bug"),
        |repo, n| repo.touch(n),
        |repo, n| {
            repo.comment(n, "mona", "Hello");
        },
        |repo, n| repo.close_issue(n),
        |repo, n| repo.delete_issue(n),
        |repo, _| repo.rename("web"),
    ];
    for change in changes {
        clock.advance(Duration::from_secs(1));
        change(&repo, number);
        let probe = format!("/repos/{}/issues?state=all&sort=updated", repo.full_name());
        let answer = caller.get_if_none_match(&probe, &etag).await;
        assert_eq!(answer.status, 200);
        assert_ne!(answer.etag(), etag);
        etag = answer.etag();
    }
}

#[tokio::test]
async fn a_second_change_within_the_same_second_changes_the_etag() {
    let (sim, _clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    let number = repo.open_issue("One");
    let caller = Caller::of(&sim);
    repo.set_title(number, "Two");
    let etag = caller.get(PROBE).await.etag();
    repo.set_title(number, "Three");
    assert_eq!(caller.get_if_none_match(PROBE, &etag).await.status, 200);
}

#[tokio::test]
async fn a_change_elsewhere_leaves_the_etag_alone() {
    let sim = Sim::start().await;
    let api = sim.create_repo("acme/api");
    let web = sim.create_repo("acme/web");
    api.open_issue("One");
    let closed = api.open_issue("Two");
    api.close_issue(closed);
    let caller = Caller::of(&sim);
    let open = "/repos/acme/api/issues?state=open";
    let etag = caller.get(open).await.etag();
    web.open_issue("Elsewhere");
    api.touch(closed);
    assert_eq!(caller.get_if_none_match(open, &etag).await.status, 304);
}

#[tokio::test]
async fn etags_belong_to_a_token() {
    let sim = Sim::start().await;
    sim.create_repo("acme/api").open_issue("One");
    sim.add_token("ghp_other");
    let caller = Caller::of(&sim);
    let other = Caller::with(&sim, Some("ghp_other".to_owned()));
    let etag = caller.get(PROBE).await.etag();
    let answer = other.get_if_none_match(PROBE, &etag).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.etag(), etag);
    assert_eq!(answer.number("x-ratelimit-remaining"), 4_999);
    let unsigned = Caller::anonymous(&sim).get_if_none_match(PROBE, &etag).await;
    assert_eq!(unsigned.status, 200);
}

#[tokio::test]
async fn single_resources_have_etags_too() {
    let sim = Sim::start().await;
    let repo = sim.create_repo("acme/api");
    let number = repo.open_issue("One");
    let blocker = repo.open_issue("Two");
    repo.block(number, "acme/api", blocker);
    let caller = Caller::of(&sim);
    for path in [
        "/repos/acme/api",
        "/repos/acme/api/issues/1",
        "/repos/acme/api/issues/1/comments",
        "/repos/acme/api/issues/1/dependencies/blocked_by",
        "/repos/acme/api/pulls",
        "/user",
    ] {
        let etag = caller.get(path).await.etag();
        let again = caller.get_if_none_match(path, &etag).await;
        assert_eq!(again.status, 304, "{path}");
    }
    // The blocker's state is part of what the blocked issue shows.
    let etag = caller.get("/repos/acme/api/issues/1").await.etag();
    repo.close_issue(blocker);
    let answer = caller.get_if_none_match("/repos/acme/api/issues/1", &etag).await;
    assert_eq!(answer.status, 200);
    let summary = &answer.json()["issue_dependencies_summary"];
    assert_eq!(summary["blocked_by"], 0);
    assert_eq!(summary["total_blocked_by"], 1);
}

#[tokio::test]
async fn a_head_request_has_the_headers_and_no_body() {
    let sim = Sim::start().await;
    sim.create_repo("acme/api").open_issue("One");
    let caller = Caller::of(&sim);
    let get = caller.get(PROBE).await;
    let head = send(caller.request(Method::HEAD, PROBE)).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.etag(), get.etag());
    assert_eq!(head.text, "");
}
