//! What only the scheduler does: daily sweeps, and forgetting what closed long ago.

use std::time::Duration;

use dispatch::engine::{prune, sweeps};
use github_sim::NewIssue;
use serde_json::json;

use crate::{
    API, each_db,
    support::{App, AppBuilder, TestDb, answers::strings, world},
};

const DAY: Duration = Duration::from_hours(24);

/// Repositories of more than a page, so that a deletion shows in no probe.
async fn large(db: TestDb, repos: &[&str]) -> App {
    let repos: Vec<String> = repos.iter().map(|&name| name.to_owned()).collect();
    let mut builder = AppBuilder { repos: repos.clone(), ..AppBuilder::default() };
    builder.sim.hourly_quota = None;
    let app = builder.start(db).await;
    for repo in &repos {
        let began = app.sim.now_ms() / 1000 - 100_000;
        let at = |n: usize| began + i64::try_from(n).expect("a number");
        app.sim
            .repo(repo)
            .seed(150, |n| NewIssue::new(format!("Issue {n}")).created_at(at(n)).updated_at(at(n)));
    }
    app.next_beat("loader").await;
    app
}

async fn issues(app: &App, rest: &str) -> i64 {
    app.db.count(&format!("SELECT count(*) FROM issues WHERE {rest}")).await
}

each_db! {
    async fn each_repository_is_swept_once_a_day_in_turn(db) {
        let repos = ["acme/r1", "acme/r2", "acme/r3"];
        let app = large(db, &repos).await;
        for repo in repos {
            app.sim.repo(repo).delete_issue(1);
        }
        app.advance(20 * Duration::from_hours(1));
        app.next_beat("coder").await;
        app.sim.reset_counters();
        sweeps::sweep_next(&app.engine).await.expect("the database");
        assert_eq!(app.sim.counters().requests, 0, "nothing is due before 85 % of a day");
        assert_eq!(issues(&app, "removed_at IS NOT NULL").await, 0);
        app.advance(8 * Duration::from_hours(1));
        for swept in 1..=3 {
            let notices = sweeps::sweep_next(&app.engine).await.expect("the database");
            assert!(notices.is_empty(), "{notices:?}");
            assert_eq!(issues(&app, "removed_at IS NOT NULL").await, swept, "one repository at a time");
        }
        app.sim.reset_counters();
        sweeps::sweep_next(&app.engine).await.expect("the database");
        assert_eq!(app.sim.counters().requests, 0, "each had its turn");
        for repo in repos {
            world::assert_same(&app, repo).await;
        }
    }

    async fn a_repository_that_cannot_be_swept_does_not_hold_up_the_others(db) {
        use github_sim::{Fault, FaultKind, Match};

        let app = large(db, &["acme/r1", "acme/r2"]).await;
        for repo in ["acme/r1", "acme/r2"] {
            app.sim.repo(repo).delete_issue(1);
        }
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::repo("acme/r1")));
        app.advance(30 * Duration::from_hours(1));
        for _ in 0..3 {
            sweeps::sweep_next(&app.engine).await.expect("the database");
        }
        assert_eq!(issues(&app, "removed_at IS NOT NULL").await, 1);
        app.sim.clear_fault(fault);
        app.advance(Duration::from_hours(1));
        sweeps::sweep_next(&app.engine).await.expect("the database");
        assert_eq!(issues(&app, "removed_at IS NOT NULL").await, 2);
    }

    async fn what_closed_long_ago_is_forgotten_and_its_record_stays(db) {
        let app = App::with_repos(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.seed(6, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
        app.next_beat("coder").await;
        let state = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200);
        let body = json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": 1, "agentName": "coder", "lease": true });
        app.post("/api/issues/claim", body).await.expect(200);
        for number in 1..=4 {
            repo.close_issue(number);
        }
        repo.delete_issue(6);
        app.next_beat("coder").await;
        assert_eq!(issues(&app, "state = 'closed'").await, 4);
        assert_eq!(issues(&app, "removed_at IS NOT NULL").await, 1);
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NOT NULL AND issue_id IS NOT NULL").await, 1);
        // Somebody works on the third, and labels of the fourth are on their way.
        let insert = "INSERT INTO claims (id, fence, agent_name, agent_key, issue_id, terms, state, checkpoint, started, created_at, renewed_at, expires_at)";
        app.db.sql(&format!("{insert} SELECT 'live', 99, 'x', 'x', id, 'held', 'CLAIMED', 'issue_claimed', FALSE, 0, 0, 0 FROM issues WHERE number = 3")).await;
        app.db.sql("INSERT INTO label_edits (issue_id, label_key, label, wanted, version, state, next_try_at, created_at) \
            SELECT id, 'x', 'x', TRUE, 1, 'pending', 0, 0 FROM issues WHERE number = 4").await;
        app.advance(29 * DAY + Duration::from_mins(24 * 60 - 1));
        assert_eq!(prune::prune_closed(&app.engine).await.expect("the database").issues, 0);
        app.advance(Duration::from_mins(2));
        let pruned = prune::prune_closed(&app.engine).await.expect("the database");
        assert_eq!(pruned.issues, 3, "the first two, and the one that vanished");
        assert_eq!(pruned.cutoff, app.clock.now().minus(30 * DAY));
        assert_eq!(issues(&app, "number IN (3, 4, 5)").await, 3);
        assert_eq!(issues(&app, "TRUE").await, 3);
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NOT NULL AND issue_id IS NULL").await, 1, "the work stays");
        assert!(app.db.count("SELECT count(*) FROM audit_log WHERE issue_number = 1").await > 0);
        app.db.sql("UPDATE claims SET ended_at = 0 WHERE id = 'live'; DELETE FROM label_edits").await;
        assert_eq!(prune::prune_closed(&app.engine).await.expect("the database").issues, 2);
        let left = app.get(&format!("/api/issues?repo={API}&includeClosed=true")).await.expect(200);
        assert_eq!(left.as_array().expect("a list").iter().map(|issue| issue["number"].as_i64()).collect::<Vec<_>>(), [Some(5)]);
    }

    async fn an_issue_that_was_forgotten_comes_back_when_it_is_reopened(db) {
        let app = App::with_repos(db, &[API]).await;
        let repo = app.sim.repo(API);
        repo.open_issue("One");
        repo.close_issue(1);
        app.next_beat("coder").await;
        app.advance(31 * DAY);
        assert_eq!(prune::prune_closed(&app.engine).await.expect("the database").issues, 1);
        app.next_beat("coder").await;
        assert_eq!(issues(&app, "TRUE").await, 0, "no read brings it back as it was");
        repo.reopen_issue(1);
        let beat = app.next_beat("coder").await;
        assert_eq!(strings(&beat["touchedIssueUrls"]).len(), 1);
        world::assert_same(&app, API).await;
    }

    async fn decisions_are_kept_for_a_year(db) {
        let app = App::with_repos(db, &[API]).await;
        app.post("/api/repos", json!({ "fullName": "acme/web" })).await;
        let rows = app.db.count("SELECT count(*) FROM audit_log").await;
        assert!(rows > 0);
        app.advance(365 * DAY);
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log").await, rows);
        app.advance(Duration::from_secs(1));
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log").await, 0);
    }
}
