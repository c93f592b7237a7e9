//! What a pass costs: requests, quota, statements and written rows follow what changed, not what there is.

mod support;

use std::{sync::Arc, time::Duration};

use github_sim::{Counters, NewIssue, Sim};
use serde_json::Value;
use support::{App, AppBuilder, TestDb, answers::strings, table, world};

const API: &str = "acme/api";

fn touched(beat: &Value) -> Vec<String> {
    strings(&beat["touchedIssueUrls"])
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("acme/r{n:03}")).collect()
}

/// A server whose repositories are loaded, with this many issues in each.
async fn loaded(db: TestDb, repos: usize, issues: usize) -> App {
    let mut builder = AppBuilder { repos: names(repos), points_per_minute: 0, ..AppBuilder::default() };
    builder.sim = builder.sim.without_limits();
    let (sim, clock) = builder.simulator().await;
    for repo in &builder.repos {
        sim.create_repo(repo).seed(issues, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
    }
    let app = builder.start_with(Arc::new(db), sim, clock).await;
    table::expect(&app.beat("coder").await, &[]);
    app
}

/// What one heartbeat cost: GitHub's counters, and statements with those of the run record.
async fn priced_beat(app: &App) -> (Value, Counters, u64) {
    app.tick();
    app.sim.reset_counters();
    let before = app.engine.db().statements();
    let beat = app.beat("coder").await;
    (beat, app.sim.counters(), app.engine.db().statements() - before)
}

/// Statements that open and close the record of a run.
const RECORD: u64 = 2;
/// Statements that ask whether there is anything to renew, to take back, to send.
const CLAIMS: u64 = 3;

#[track_caller]
fn assert_free(counters: &Counters, requests: u64) {
    assert_eq!(
        (counters.requests, counters.not_modified, counters.paid),
        (requests, requests, 0),
        "{counters:?}"
    );
    assert_eq!((counters.quota_spent, counters.body_bytes, counters.writes), (0, 0, 0), "{counters:?}");
}

/// The server again over what is there, as after a restart; `change` sets what differs.
async fn restarted(app: App, repos: usize, change: impl FnOnce(&mut AppBuilder)) -> App {
    let (db, sim, clock) = app.stop().await;
    again(db, sim, clock, repos, change).await
}

async fn again(
    db: Arc<TestDb>,
    sim: Sim,
    clock: dispatch::clock::ManualClock,
    repos: usize,
    change: impl FnOnce(&mut AppBuilder),
) -> App {
    let mut builder =
        AppBuilder { repos: names(repos), points_per_minute: 0, seed: 8, ..AppBuilder::default() };
    change(&mut builder);
    builder.start_with(db, sim, clock).await
}

each_db! {
    async fn an_unchanged_pass_over_ten_repositories(db) {
        let app = loaded(db, 10, 100).await;
        for _ in 0..3 {
            let (beat, counters, statements) = priced_beat(&app).await;
            table::expect(&beat, &[]);
            assert_free(&counters, 10);
            println!("10 x 100 unchanged: {statements} statements, {RECORD} of them the record");
            assert_eq!(statements, RECORD + CLAIMS + 2);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM reads").await, 10, "unchanged reads leave no row");
    }

    async fn an_unchanged_pass_over_a_hundred_repositories_takes_as_many_statements(db) {
        let app = loaded(db, 100, 1).await;
        let (beat, counters, statements) = priced_beat(&app).await;
        table::expect(&beat, &[]);
        assert_free(&counters, 100);
        assert!(counters.max_in_flight <= 8, "{counters:?}");
        println!("100 x 1 unchanged: {statements} statements, {RECORD} of them the record");
        assert_eq!(statements, RECORD + CLAIMS + 2);
    }

    async fn one_changed_issue_is_one_paid_request_and_one_row(db) {
        let app = loaded(db, 10, 100).await;
        app.tick();
        let now = app.clock.now().0;
        app.sim.repo("acme/r004").set_title(42, "Changed");
        let (beat, counters, statements) = priced_beat(&app).await;
        table::expect(&beat, &[]);
        assert_eq!(touched(&beat), ["https://github.com/acme/r004/issues/42"]);
        assert_eq!((counters.requests, counters.paid, counters.quota_spent, counters.not_modified), (10, 1, 1, 9));
        let written = format!("SELECT count(*) FROM issues WHERE synced_at > {now}");
        assert_eq!(app.db.count(&written).await, 1);
        assert_eq!(app.db.count(&format!("{written} AND number = 42 AND title = 'Changed'")).await, 1);
        println!("10 x 100, one issue changed: {statements} statements, {RECORD} of them the record");
        // PostgreSQL reads the issues of a page again once they are locked.
        assert!(statements <= RECORD + CLAIMS + 13 + u64::from(app.db.is_postgres()), "{statements}");
        world::assert_same(&app, "acme/r004").await;
        let (beat, counters, _) = priced_beat(&app).await;
        table::expect(&beat, &[]);
        assert_free(&counters, 10);
    }

    async fn only_the_row_that_differs_is_written(db) {
        let app = loaded(db, 1, 100).await;
        // The database itself counts, so that a write of equal content would show.
        app.db.sql("CREATE TABLE written (number BIGINT)").await;
        let trigger = if app.db.is_postgres() {
            "CREATE FUNCTION note() RETURNS trigger AS 'BEGIN INSERT INTO written VALUES (NEW.number); RETURN NEW; END' \
             LANGUAGE plpgsql; CREATE TRIGGER noted AFTER INSERT OR UPDATE ON issues FOR EACH ROW EXECUTE FUNCTION note()"
        } else {
            "CREATE TRIGGER noted AFTER UPDATE ON issues BEGIN INSERT INTO written VALUES (NEW.number); END; \
             CREATE TRIGGER noted_too AFTER INSERT ON issues BEGIN INSERT INTO written VALUES (NEW.number); END"
        };
        app.db.sql(trigger).await;
        let repo = app.sim.repo("acme/r000");
        app.tick();
        repo.add_label(7, "bug");
        let (beat, ..) = priced_beat(&app).await;
        assert_eq!(touched(&beat), ["https://github.com/acme/r000/issues/7"]);
        assert_eq!(app.db.count("SELECT count(*) FROM written").await, 1);
        assert_eq!(app.db.count("SELECT min(number) FROM written").await, 7);
        repo.open_issue("New");
        repo.close_issue(9);
        priced_beat(&app).await;
        assert_eq!(app.db.count("SELECT count(*) FROM written").await, 3);
    }

    async fn etags_belong_to_the_token(db) {
        let app = loaded(db, 3, 5).await;
        let first = app.sim.token();
        app.sim.add_token("another-token");
        let app = restarted(app, 3, |builder| builder.token = Some("another-token".into())).await;
        let (beat, counters, _) = priced_beat(&app).await;
        table::expect(&beat, &[]);
        assert_eq!(touched(&beat), Vec::<String>::new(), "nothing changed but who asks");
        assert_eq!((counters.requests, counters.paid), (3, 3));
        assert!(app.sim.requests().iter().all(|request| !request.conditional), "a strange ETag was shown");
        let (_, counters, _) = priced_beat(&app).await;
        assert_free(&counters, 3);
        let app = restarted(app, 3, |builder| builder.token = Some(first)).await;
        let (_, counters, _) = priced_beat(&app).await;
        assert_eq!((counters.requests, counters.paid), (3, 3));
        let (_, counters, _) = priced_beat(&app).await;
        assert_free(&counters, 3);
    }

    async fn etags_survive_a_restart(db) {
        let app = loaded(db, 5, 20).await;
        let app = restarted(app, 5, |_| {}).await;
        let (beat, counters, statements) = priced_beat(&app).await;
        table::expect(&beat, &[]);
        assert_free(&counters, 5);
        // The agent's spelling is looked up once for each process; and it looks once for deliveries that were left.
        assert!((3..=4).contains(&(statements - RECORD - CLAIMS)), "{statements}");
    }

    async fn wrong_or_lost_etags_cost_one_read_each(db) {
        let mut app = loaded(db, 3, 20).await;
        for (value, conditional) in [("'W/\"nonsense\"'", true), ("NULL", false), ("''", true)] {
            let (db, sim, clock) = app.stop().await;
            db.sql(&format!("UPDATE sync_state SET etag = {value}")).await;
            app = again(db, sim, clock, 3, |_| {}).await;
            let (beat, counters, _) = priced_beat(&app).await;
            table::expect(&beat, &[]);
            assert_eq!(touched(&beat), Vec::<String>::new(), "{value}");
            assert_eq!((counters.requests, counters.paid), (3, 3), "{value}");
            assert!(app.sim.requests().iter().all(|request| request.conditional == conditional), "{value}");
            let (_, counters, _) = priced_beat(&app).await;
            assert_free(&counters, 3);
        }
    }

    async fn an_unchanged_pass_after_a_failed_one_is_free_again(db) {
        let app = loaded(db, 3, 20).await;
        let fault = github_sim::Fault::new(github_sim::FaultKind::Status(404)).on(github_sim::Match::repo("acme/r001"));
        let fault = app.sim.fault(fault);
        table::expect(&app.next_beat("coder").await, &["repo_not_found"]);
        app.sim.clear_fault(fault);
        let (beat, counters, _) = priced_beat(&app).await;
        table::expect(&beat, &[]);
        assert_free(&counters, 3);
    }

    async fn many_agents_cost_no_more_requests_than_one(db) {
        let app = loaded(db, 10, 10).await;
        app.tick();
        app.sim.reset_counters();
        let before = app.engine.db().statements();
        for n in 0..20 {
            table::expect(&app.beat(&format!("agent-{n}")).await, &[]);
            app.advance(Duration::from_millis(200));
        }
        assert_free(&app.sim.counters(), 10);
        let each = (app.engine.db().statements() - before) / 20;
        println!("20 agents within 5 s: {each} statements each");
        assert!(each <= RECORD + CLAIMS + 3, "{each}");
    }

    async fn a_first_load_writes_each_page_at_once(db) {
        let mut builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
        builder.sim.hourly_quota = None;
        let app = builder.start(db).await;
        for n in 0..500 {
            if n % 10 == 0 { app.advance(Duration::from_secs(1)); }
            app.sim.repo(API).open_issue(format!("Issue {n}"));
        }
        let (beat, counters, statements) = priced_beat(&app).await;
        assert_eq!(touched(&beat).len(), 500);
        println!("first load of 500 issues: {} requests, {statements} statements", counters.requests);
        // The repository, the probe, 6 pages of open issues that overlap by a second, the closed, the probe again.
        assert!(counters.requests <= 13, "{counters:?}");
        // Each page asks once whether a pull request is about what is new in it.
        assert!(statements <= 66, "{statements}");
        world::assert_same(&app, API).await;
    }
}
