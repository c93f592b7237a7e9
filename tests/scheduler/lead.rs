//! The lead among processes on one PostgreSQL, under a clock that is moved by hand; and alone on SQLite.

use std::{sync::Arc, time::Duration};

use dispatch::{
    engine::{
        jobs::JobState,
        lead::{self, Campaign, LEASE_TTL, Office},
        retention,
    },
    scheduler::{self, Settings, jobs::JOBS},
};

use crate::{
    API,
    drive::until,
    support::{App, AppBuilder, TestDb},
};

/// Two servers over one database and one GitHub.
async fn two() -> (App, App) {
    let builder = |seed| AppBuilder { repos: vec![API.to_owned()], seed, ..AppBuilder::default() };
    let mut first = builder(1);
    let (sim, clock) = first.simulator().await;
    sim.create_repo(API);
    let db = Arc::new(TestDb::postgres().await);
    let first = first.start_with(Arc::clone(&db), sim.clone(), clock.clone()).await;
    let second = builder(2).start_with(db, sim, clock).await;
    (first, second)
}

async fn stand(app: &App) -> Campaign {
    lead::campaign(&app.engine, Office::Record).await.expect("the database")
}

async fn beaten(app: &App) -> bool {
    matches!(stand(app).await, Campaign::Lost { .. })
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn one_leads_until_it_falls_silent() {
    let (first, second) = two().await;
    let began = first.clock.now();
    let leader = first.leader().await;
    let Campaign::Lost { until } = stand(&second).await else { panic!("two lead") };
    assert_eq!(until, began.plus(LEASE_TTL));
    first.advance(5 * SECOND);
    assert!(lead::renew(&first.engine, &leader).await.expect("the database"));
    first.advance(14 * SECOND);
    assert!(!leader.leads(), "it gives up before another may begin: clocks differ");
    assert!(beaten(&second).await, "not before the lease has run out");
    first.advance(SECOND);
    let other = second.leader().await;
    assert!(other.leads());
    assert!(!lead::renew(&first.engine, &leader).await.expect("the database"));
    assert!(beaten(&first).await);
}

#[tokio::test]
async fn a_term_that_lapsed_is_not_taken_up_again() {
    let (first, _second) = two().await;
    let leader = first.leader().await;
    first.advance(13 * SECOND);
    assert!(!leader.leads());
    // Nobody took it, but jobs that saw it lapse have ended.
    assert!(!lead::renew(&first.engine, &leader).await.expect("the database"));
    assert!(!leader.leads() && leader.over().is_cancelled());
    assert!(first.leader().await.leads(), "a new term begins");
}

#[tokio::test]
async fn the_fence_of_an_older_term_opens_nothing() {
    let (first, second) = two().await;
    let old = first.leader().await;
    let numbers = "SELECT n FROM generate_series(1, 3) AS g(n)";
    first.db.sql(&format!(
        "INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads, \
         uneventful, created_at) SELECT 'old-' || n, 'x', 'x', 'heartbeat', 'ok', 0, '[]', '[]', '[]', '[]', TRUE, 0 \
         FROM ({numbers}) AS numbers"
    ))
    .await;
    first.advance(LEASE_TTL);
    let new = second.leader().await;
    // A process that slept through the end of its term goes on where it was.
    assert_eq!(retention::prune(&first.engine, &old).await.expect("the database"), 0);
    assert_eq!(first.db.count("SELECT count(*) FROM runs").await, 3);
    assert_eq!(retention::prune(&second.engine, &new).await.expect("the database"), 3);
    let again = second.leader().await;
    let mut tx = second.engine.db().write().await.expect("a transaction");
    assert!(!new.confirm(&mut tx).await.expect("the database"), "its own older term");
    assert!(again.confirm(&mut tx).await.expect("the database"));
    // The schema cannot be dropped while the row is locked.
    tx.rollback().await.expect("an end");
}

#[tokio::test]
async fn nobody_takes_over_while_a_transaction_relies_on_the_fence() {
    let (first, second) = two().await;
    let old = first.leader().await;
    let mut tx = first.engine.db().write().await.expect("a transaction");
    assert!(old.confirm(&mut tx).await.expect("the database"));
    first.advance(LEASE_TTL);
    let engine = second.engine.clone();
    let campaign = second.engine.tasks().spawn(async move { lead::campaign(&engine, Office::Record).await });
    // PostgreSQL itself says that somebody waits for a lock.
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO leases%'";
    while first.db.count(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!campaign.is_finished());
    tx.commit().await.expect("a commit");
    assert!(matches!(campaign.await.expect("no panic"), Ok(Campaign::Won(_))));
}

#[tokio::test]
async fn the_lead_is_free_at_once_when_it_is_given_back() {
    let (first, second) = two().await;
    let leader = first.leader().await;
    assert!(beaten(&second).await);
    lead::resign(&first.engine, &leader).await.expect("the database");
    assert!(!leader.leads());
    assert!(second.leader().await.leads());
    // Whoever has lost it cannot give it away again.
    lead::resign(&first.engine, &leader).await.expect("the database");
    assert!(beaten(&first).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_where_the_lead_is_and_nowhere_else() {
    let (first, second) = two().await;
    let settings = Settings { startup_delay: Duration::ZERO, ..Settings::default() };
    scheduler::start(&first.engine, &settings);
    until(&first, |jobs| jobs.iter().all(|job| job.next_run_at.is_some())).await;
    scheduler::start(&second.engine, &settings);
    let led = |app: &App| app.engine.jobs().list().iter().filter(|job| job.next_run_at.is_some()).count();
    until(&second, |jobs| jobs.iter().any(|job| job.next_run_at.is_some())).await;
    assert_eq!(led(&second), 1, "the renewal of its own row");
    let health = second.get("/api/health").await.expect(200)["scheduler"].clone();
    assert_eq!(
        (health["leader"].as_bool(), health["jobs"].as_array().map(Vec::len)),
        (Some(false), Some(JOBS.len()))
    );
    let (_, _, _) = first.stop().await;
    second.advance(LEASE_TTL);
    until(&second, |jobs| jobs.iter().all(|job| job.next_run_at.is_some())).await;
    assert!(second.engine.jobs().leads());
}

#[tokio::test]
async fn on_sqlite_the_lock_of_the_data_directory_has_settled_it() {
    let app = App::with_repos(TestDb::sqlite().await, &[API]).await;
    let leader = app.leader().await;
    app.advance(1_000 * LEASE_TTL);
    assert!(leader.leads() && lead::renew(&app.engine, &leader).await.expect("no statement"));
    assert_eq!(app.db.count("SELECT count(*) FROM leases").await, 0);
    app.engine.tasks().stopping().cancel();
    assert!(!leader.leads(), "the server stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_scheduler_is_off_leads_nothing_that_it_does_not_run() {
    let (off, on) = two().await;
    let settings = Settings { startup_delay: Duration::ZERO, ..Settings::default() };
    scheduler::start(&off.engine, &Settings { enabled: false, ..settings.clone() });
    until(&off, |jobs| jobs.iter().all(|job| job.next_run_at.is_some())).await;
    scheduler::start(&on.engine, &settings);
    let scheduled = |jobs: &[JobState]| {
        let runs = |name: &str| jobs.iter().any(|job| job.name == name && job.next_run_at.is_some());
        runs("sync") && runs("publish") && !runs("retention")
    };
    until(&on, scheduled).await;
    assert!(on.engine.jobs().leads() && !off.engine.jobs().leads());
}
