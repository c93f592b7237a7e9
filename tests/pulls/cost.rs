//! What pull requests cost at GitHub: it follows what changes.

use std::time::Duration;

use github_sim::{Conclusion, NewIssue, ReviewState};
use serde_json::json;

use super::field::{API, look};
use crate::{each_db, support::AppBuilder};

const REPOS: u64 = 20;

each_db! {
    async fn an_hour_in_which_nothing_changes_is_free(db) {
        let repos: Vec<String> = (0..REPOS).map(|n| format!("acme/r{n:02}")).collect();
        let app = AppBuilder { repos: repos.clone(), ..AppBuilder::default() }.start(db).await;
        for name in &repos {
            let repo = app.sim.repo(name);
            repo.seed(2, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
            for number in 1..=2 {
                let pull = repo.open_pull("Mends it", &format!("issue-{number}"));
                repo.check(pull, "test", (number == 1).then_some(Conclusion::Success));
            }
        }
        app.next_beat("loader").await;
        look(&app).await;
        let counters = app.sim.counters();
        println!("first: {counters:?}");
        app.sim.reset_counters();
        for _ in 0..12 {
            app.advance(Duration::from_mins(5));
            look(&app).await;
        }
        let counters = app.sim.counters();
        println!("an hour: {counters:?}");
        assert_eq!((counters.quota_spent, counters.paid), (0, 0), "{counters:?}");
        let of = |kind: &str| counters.by_kind.get(kind).copied().unwrap_or_default();
        assert_eq!(of("pulls.list"), 12 * REPOS);
        // Those of which nothing is awaited once, those with a running check ever later.
        assert!((2 * REPOS..=8 * REPOS).contains(&of("check_runs.list")), "{counters:?}");
        assert_eq!((of("pulls.get"), of("reviews.list")), (of("check_runs.list"), of("check_runs.list")));
        // One that changes costs what it is about: its list, itself, its reviews or checks.
        app.sim.reset_counters();
        app.tick();
        app.sim.repo(&repos[3]).push(3);
        app.next_beat("loader").await;
        look(&app).await;
        let counters = app.sim.counters();
        assert!(counters.paid <= 4, "{counters:?}");
    }

    async fn more_of_them_than_a_page_cost_nothing_while_none_changes(db) {
        let mut builder = AppBuilder { repos: vec![API.to_owned()], points_per_minute: 0, ..AppBuilder::default() };
        builder.sim.hourly_quota = None;
        builder.sim.points_per_minute = None;
        let app = builder.start(db).await;
        let repo = app.sim.repo(API);
        for n in 1..=130 {
            repo.open_pull("Mends it", &format!("topic-{n}"));
        }
        app.next_beat("loader").await;
        look(&app).await;
        let open = "SELECT count(*) FROM pulls WHERE state = 'open' AND head_ref IS NOT NULL";
        assert_eq!(app.db.count(open).await, 130, "both pages were read");
        app.sim.reset_counters();
        app.tick();
        look(&app).await;
        assert_eq!(app.sim.counters().quota_spent, 0, "{:?}", app.sim.counters());
        // Of the second page one is closed, which the first does not show, and one changes.
        repo.close_pull(2);
        app.next_beat("loader").await;
        look(&app).await;
        assert_eq!(app.db.count(open).await, 129);
        repo.edit_pull(1, |pull| pull.branch = "other".to_owned());
        repo.touch(1);
        app.next_beat("loader").await;
        look(&app).await;
        assert_eq!(app.db.count("SELECT count(*) FROM pulls WHERE head_ref = 'other'").await, 1);
    }

    async fn more_reviews_and_checks_than_a_page_cost_nothing_while_none_changes(db) {
        let mut builder = AppBuilder { repos: vec![API.to_owned()], points_per_minute: 0, ..AppBuilder::default() };
        builder.sim.points_per_minute = None;
        let app = builder.start(db).await;
        let repo = app.sim.repo(API);
        repo.open_issue(NewIssue::new("One").label("status/ready"));
        let pull = repo.open_pull("Mends it", "issue-1");
        // Pages of checks say how many there are; of reviews two full ones say nothing of what comes behind them.
        for n in 0..230 {
            repo.check(pull, &format!("check-{n}"), Some(Conclusion::Success));
        }
        for n in 0..200 {
            repo.review(pull, &format!("reviewer-{n}"), ReviewState::Approved, "");
        }
        app.next_beat("loader").await;
        look(&app).await;
        let of = |kind: &str| app.sim.counters().by_kind.get(kind).copied().unwrap_or_default();
        assert_eq!((of("check_runs.list"), of("reviews.list")), (3, 3));
        app.sim.reset_counters();
        app.advance(Duration::from_hours(1));
        look(&app).await;
        assert_eq!((of("check_runs.list"), of("reviews.list")), (3, 3), "it was due");
        assert_eq!((app.sim.counters().paid, app.sim.counters().quota_spent), (0, 0), "{:?}", app.sim.counters());
        // What changes at the end of a list is seen, and so is what comes behind its last page.
        repo.check(pull, "check-0", Some(Conclusion::Failure));
        repo.review(pull, "critic", ReviewState::ChangesRequested, "No");
        app.next_beat("loader").await;
        look(&app).await;
        let issues = app.get(&format!("/api/issues?repo={API}")).await.expect(200);
        let reasons = json!(["Changes requested by critic", "Check check-0 failed"]);
        assert_eq!(issues[0]["linkedPrFollowupReasons"], reasons, "{issues}");
        app.sim.reset_counters();
        app.advance(Duration::from_hours(1));
        look(&app).await;
        assert_eq!(app.sim.counters().quota_spent, 0, "{:?}", app.sim.counters());
    }
}
