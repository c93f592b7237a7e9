//! The scheduler under a clock that is moved by hand: from one firing to the next, each run to its end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use dispatch::{
    domain::{ids::InstanceId, time::Timestamp},
    engine::jobs::JobState,
    scheduler::{self, Settings},
    store::leases,
};
use github_sim::Counters;

use crate::support::App;

/// What the runs of a job came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub runs: u64,
    pub requests: u64,
    pub statements: u64,
}

/// Starts the periodic jobs of this server, which leads.
pub async fn start(app: &App, settings: &Settings) {
    scheduler::start(&app.engine, settings);
    until(app, |jobs| jobs.iter().all(|job| job.next_run_at.is_some())).await;
    assert_eq!(app.engine.jobs().leads(), settings.enabled);
}

/// Waits until the jobs are as wanted; the time of the clock does not pass meanwhile.
pub async fn until(app: &App, wanted: impl Fn(&[JobState]) -> bool) {
    let waiting = async {
        while !wanted(&app.engine.jobs().list()) {
            tokio::task::yield_now().await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(came.is_ok(), "it did not come to that: {:?}", app.engine.jobs().list());
}

/// Everything that is due has run, and what this server leads is renewed.
async fn settled(app: &App) {
    let (now, began) = (app.clock.now(), Instant::now());
    until(app, |jobs| jobs.iter().all(|job| job.next_run_at.is_some_and(|next| next > now))).await;
    let led: &[&str] = if app.engine.jobs().leads() { &["record", "scheduler"] } else { &["record"] };
    while app.db.is_postgres() {
        let mut tx = app.engine.db().read_once().await.expect("a connection");
        let nobody = InstanceId(String::new());
        let mut is_renewed = true;
        for lease in led {
            let until = leases::find_held(&mut tx, lease, &nobody, now).await.expect("a row");
            is_renewed &= until.expect("a leader").since(now) > Duration::from_secs(10);
        }
        if is_renewed {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the lead is not renewed");
        tokio::task::yield_now().await;
    }
}

fn next(app: &App) -> (Timestamp, Vec<&'static str>) {
    let jobs = app.engine.jobs().list();
    let at = jobs.iter().filter_map(|job| job.next_run_at).min().expect("a job");
    let due = jobs.iter().filter(|job| job.next_run_at == Some(at)).map(|job| job.name).collect();
    (at, due)
}

/// Lets time pass until the job has run once more.
pub async fn until_ran(app: &App, name: &str) {
    let last = || app.engine.jobs().list().into_iter().find(|job| job.name == name).expect("it").last_run_at;
    let before = last();
    while last() == before {
        let (at, _) = next(app);
        app.advance(at.since(app.clock.now()));
        settled(app).await;
    }
}

/// Lets `span` pass; what the runs of each job cost, and all together at GitHub.
pub async fn pass(app: &App, span: Duration) -> (BTreeMap<String, Cost>, Counters) {
    let end = app.clock.now().plus(span);
    let mut costs: BTreeMap<String, Cost> = BTreeMap::new();
    app.sim.reset_counters();
    loop {
        let (at, due) = next(app);
        if at > end {
            app.advance(end.since(app.clock.now()));
            settled(app).await;
            return (costs, app.sim.counters());
        }
        let (requests, statements) = (app.sim.counters().requests, app.engine.db().statements());
        app.advance(at.since(app.clock.now()));
        until(app, |jobs| jobs.iter().all(|job| job.next_run_at.is_some_and(|next| next > at))).await;
        let cost = costs.entry(due.join("+")).or_default();
        cost.runs += 1;
        cost.requests += app.sim.counters().requests - requests;
        cost.statements += app.engine.db().statements() - statements;
        settled(app).await;
    }
}
