//! Pages, order and `since` of the issue list.

use std::time::Duration;

use github_sim::{Sim, SimConfig};

use crate::support::{Caller, at_new_year, at_new_year_with};

#[tokio::test]
async fn following_next_yields_every_issue_once_and_in_order() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("Acme/API");
    for number in 0..25 {
        repo.open_issue(format!("Issue {number}"));
        if number % 3 == 0 {
            clock.advance(Duration::from_secs(1));
        }
    }
    let caller = Caller::of(&sim);
    let start = "/repos/acme/api/issues?state=all&sort=updated&direction=asc&per_page=4";
    let (numbers, pages) = caller.numbers_of_all_pages(start).await;
    assert_eq!(numbers, (1..=25).collect::<Vec<u64>>());
    assert_eq!(pages, 7);

    let first = caller.get(start).await;
    let next = first.link("next").expect("a next page");
    let prefix = format!("{}/repositories/{}/issues?", sim.url(), repo.id());
    assert!(next.starts_with(&prefix), "{next}");
    assert!(next.contains("sort=updated") && next.contains("page=2"));
    assert!(first.link("last").is_some_and(|url| url.ends_with("page=7")));
    assert_eq!((first.link("prev"), first.link("first")), (None, None));
    let last = caller.get(&first.link("last").expect("a last page")).await;
    assert_eq!(last.numbers(), [25]);
    assert!(last.link("prev").is_some() && last.link("next").is_none());
}

#[tokio::test]
async fn equal_times_are_ordered_by_id_in_the_direction() {
    let (sim, _clock) = at_new_year().await;
    sim.create_repo("acme/api").seed(5, |i| format!("Issue {i}"));
    let caller = Caller::of(&sim);
    let list = "/repos/acme/api/issues?sort=updated&direction=";
    assert_eq!(caller.get(&format!("{list}asc")).await.numbers(), [1, 2, 3, 4, 5]);
    assert_eq!(caller.get(&format!("{list}desc")).await.numbers(), [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn links_can_spell_the_repository_by_name() {
    let sim = Sim::start_with(SimConfig { repository_urls_in_links: false, ..SimConfig::default() }).await;
    sim.create_repo("Acme/API").seed(3, |i| format!("Issue {i}"));
    let caller = Caller::of(&sim);
    let start = "/repos/acme/api/issues?per_page=2";
    let next = caller.get(start).await.link("next").expect("a next page");
    assert!(next.starts_with(&format!("{}/repos/Acme/API/issues?", sim.url())));
    assert_eq!(caller.get(&next).await.numbers(), [1]);
}

#[tokio::test]
async fn large_sets_page_by_cursor() {
    let sim = Sim::start_with(SimConfig { cursor_links_over: 10, ..SimConfig::default() }).await;
    let repo = sim.create_repo("acme/api");
    repo.seed(23, |i| format!("Issue {i}"));
    let caller = Caller::of(&sim);
    let start = "/repos/acme/api/issues?sort=updated&direction=desc&per_page=5";
    let first = caller.get(start).await;
    let next = first.link("next").expect("a next page");
    assert!(next.contains("after=") && !next.contains("page=2"), "{next}");
    assert_eq!(first.link("last"), None);
    let second = caller.get(&next).await;
    let back = second.link("prev").expect("a previous page");
    assert_eq!(caller.get(&back).await.numbers(), first.numbers());

    let (numbers, pages) = caller.numbers_of_all_pages(start).await;
    assert_eq!(numbers, (1..=23).rev().collect::<Vec<u64>>());
    assert_eq!(pages, 5);

    let far = caller.get(&format!("{start}&page=2")).await;
    assert_eq!(far.status, 422);
    assert!(far.message().contains("cursor based pagination"));
}

#[tokio::test]
async fn since_is_in_whole_seconds_and_inclusive_by_switch() {
    for (since_inclusive, expected) in [(true, vec![3, 2]), (false, vec![3])] {
        let (sim, clock) = at_new_year_with(SimConfig { since_inclusive, ..SimConfig::default() }).await;
        let repo = sim.create_repo("acme/api");
        for title in ["One", "Two", "Three"] {
            repo.open_issue(title);
            clock.advance(Duration::from_millis(1_700));
        }
        // Opened at 0 s, 1.7 s and 3.4 s, which GitHub stamps as 0, 1 and 3.
        let caller = Caller::of(&sim);
        let list = "/repos/acme/api/issues?since=2026-01-01T00:00:01Z";
        assert_eq!(caller.get(list).await.numbers(), expected);
    }
}

#[tokio::test]
async fn filters_join() {
    let (sim, clock) = at_new_year().await;
    let repo = sim.create_repo("acme/api");
    let one = repo.open_issue("One");
    let two = repo.open_issue("Two");
    let three = repo.open_issue("Three");
    repo.add_label(one, "Bug");
    repo.add_label(two, "bug");
    repo.add_label(two, "p1");
    clock.advance(Duration::from_secs(5));
    repo.comment(one, "mona", "First");
    repo.assign(three, "mona");
    repo.close_issue(three);
    let caller = Caller::of(&sim);
    let cases: [(&str, &[u64]); 12] = [
        ("", &[two, one]),
        ("state=closed", &[three]),
        ("state=all", &[three, two, one]),
        ("labels=BUG", &[two, one]),
        ("labels=bug,P1", &[two]),
        ("state=all&assignee=MONA", &[three]),
        ("state=all&assignee=none", &[two, one]),
        ("state=all&assignee=*", &[three]),
        ("sort=comments", &[one, two]),
        ("sort=updated", &[one, two]),
        ("state=all&creator=octocat&per_page=1&page=2", &[two]),
        ("per_page=2&page=9", &[]),
    ];
    for (query, expected) in cases {
        let answer = caller.get(&format!("/repos/acme/api/issues?{query}")).await;
        assert_eq!(answer.numbers(), expected, "{query}");
    }
    for query in ["state=open,closed", "sort=name", "direction=up", "since=soon"] {
        let answer = caller.get(&format!("/repos/acme/api/issues?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(answer.message(), "Validation Failed");
        assert_eq!(answer.json()["errors"][0]["code"], "invalid");
    }
}

#[tokio::test]
async fn per_page_is_thirty_by_default_and_a_hundred_at_most() {
    let sim = Sim::start().await;
    sim.create_repo("acme/api").seed(120, |i| format!("Issue {i}"));
    let caller = Caller::of(&sim);
    let length = async |query: &str| {
        let answer = caller.get(&format!("/repos/acme/api/issues?{query}")).await;
        answer.numbers().len()
    };
    assert_eq!(length("").await, 30);
    assert_eq!(length("per_page=100").await, 100);
    assert_eq!(length("per_page=1000").await, 100);
}
