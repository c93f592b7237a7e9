//! Limits of GitHub: no request goes out before the time allowed, and heartbeats meanwhile answer at once.

mod support;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
    time::{Duration, Instant},
};

use dispatch::domain::time::Timestamp;
use github_sim::{Fault, FaultKind};
use serde_json::Value;
use support::{App, AppBuilder, START_MS, answers::strings, table};

const API: &str = "acme/api";
const WEB: &str = "acme/web";

fn after(seconds: u64) -> String {
    Timestamp(START_MS).plus(Duration::from_secs(seconds)).to_string()
}

fn at(beat: &Value, field: &str) -> Timestamp {
    beat[field].as_str().expect("a time").parse().expect("RFC 3339")
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("acme/r{n:03}")).collect()
}

/// A heartbeat while no request may go out: answered at once, with one warning that names the time.
#[track_caller]
fn assert_patient(app: &App, beat: &Value, code: &str, until: &str) {
    table::expect(beat, &[code]);
    assert_eq!(beat["status"], "warning", "{beat}");
    let about = table::about(beat, "GitHub");
    assert_eq!(about.len(), 1, "{beat}");
    assert!(about[0].contains(until), "{until}: {}", about[0]);
    assert!(at(beat, "nextHeartbeatAt") >= until.parse().expect("a time"), "{beat}");
    assert!(at(beat, "finishedAt") <= app.clock.now());
}

/// Beats once a second of the manual clock from now until just before `until`: nothing goes out.
async fn nothing_goes_out_before(app: &App, code: &str, until: &str) {
    let end: Timestamp = until.parse().expect("a time");
    let before = app.sim.counters().requests;
    let span = end.since(app.clock.now()).checked_sub(Duration::from_millis(1)).expect("some time");
    let began = Instant::now();
    for _ in 0..4 {
        assert_patient(app, &app.beat("coder").await, code, until);
        app.advance(span / 4);
    }
    assert!(app.clock.now() < end);
    assert_patient(app, &app.beat("coder").await, code, until);
    assert!(began.elapsed() < Duration::from_secs(3), "heartbeats meanwhile answer at once");
    assert_eq!(app.sim.counters().requests, before, "a request went out before {until}");
    app.advance(end.since(app.clock.now()));
}

async fn loaded(db: support::TestDb, repos: &[&str]) -> App {
    let app = App::with_repos(db, repos).await;
    table::expect(&app.beat("coder").await, &[]);
    app
}

each_db! {
    async fn the_quota_is_used_up(db) {
        let app = loaded(db, &[API, WEB]).await;
        let reset = after(3_600);
        let fault = app.sim.fault(Fault::new(FaultKind::PrimaryLimit));
        app.tick();
        app.sim.reset_counters();
        assert_patient(&app, &app.beat("coder").await, "quota_reserved", &reset);
        let limited = app.sim.counters();
        assert!(limited.requests <= 2 && limited.primary_limited == limited.requests, "{limited:?}");
        app.sim.clear_fault(fault);
        nothing_goes_out_before(&app, "quota_reserved", &reset).await;
        table::expect(&app.beat("coder").await, &[]);
        let first = app.sim.requests().into_iter().find(|request| request.status == 304).unwrap();
        assert_eq!(Timestamp(first.at_ms).to_string(), reset);
    }

    async fn a_tenth_of_the_quota_is_left_alone(db) {
        let mut builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
        builder.sim.hourly_quota = Some(20);
        let app = builder.start(db).await;
        let mut beat = app.beat("coder").await;
        let mut passes = 0;
        while table::check(&beat).is_empty() {
            passes += 1;
            assert!(passes < 30, "the reserve was never reached");
            app.tick();
            app.sim.repo(API).open_issue(format!("Issue {passes}"));
            beat = app.beat("coder").await;
        }
        assert_patient(&app, &beat, "quota_reserved", &after(3_600));
        let counters = app.sim.counters();
        assert_eq!((counters.quota_spent, counters.primary_limited), (18, 0), "2 of 20 stay for claims");
        nothing_goes_out_before(&app, "quota_reserved", &after(3_600)).await;
        table::expect(&app.beat("coder").await, &[]);
    }

    async fn a_secondary_limit_says_how_long(db) {
        for (n, (status, seconds)) in [(403, 30), (429, 90), (403, 10), (429, 600)].into_iter().enumerate() {
            let db = match (n, &db) {
                (_, support::TestDb::Sqlite { .. }) => support::TestDb::sqlite().await,
                (_, support::TestDb::Postgres { .. }) => support::TestDb::postgres().await,
            };
            let app = loaded(db, &[API, WEB]).await;
            let kind = FaultKind::SecondaryLimit { status, retry_after: Some(seconds) };
            let fault = app.sim.fault(Fault::new(kind));
            app.tick();
            app.sim.reset_counters();
            let until = after(10 + seconds);
            assert_patient(&app, &app.beat("coder").await, "secondary_limit", &until);
            assert!(app.sim.counters().requests <= 2);
            app.sim.clear_fault(fault);
            nothing_goes_out_before(&app, "secondary_limit", &until).await;
            table::expect(&app.beat("coder").await, &[]);
        }
    }

    async fn a_secondary_limit_that_says_nothing_is_waited_out_longer_each_time(db) {
        let app = loaded(db, &[API]).await;
        let fault = app.sim.fault(Fault::new(FaultKind::SecondaryLimit { status: 403, retry_after: None }));
        app.tick();
        for seconds in [60, 120, 240, 480, 900, 900] {
            app.sim.reset_counters();
            let until = app.clock.now().plus(Duration::from_secs(seconds)).to_string();
            assert_patient(&app, &app.beat("coder").await, "secondary_limit", &until);
            assert_eq!(app.sim.counters().requests, 1, "one request learns that it still holds");
            nothing_goes_out_before(&app, "secondary_limit", &until).await;
        }
        app.sim.clear_fault(fault);
        table::expect(&app.beat("coder").await, &[]);
        let kind = FaultKind::SecondaryLimit { status: 429, retry_after: None };
        app.sim.fault(Fault::new(kind));
        app.tick();
        let until = app.clock.now().plus(Duration::from_mins(1)).to_string();
        assert_patient(&app, &app.beat("coder").await, "secondary_limit", &until);
    }

    async fn a_limit_met_by_many_reads_at_once_is_one_warning(db) {
        let builder = AppBuilder { repos: names(30), manual_clock: false, ..AppBuilder::default() };
        let app = builder.start(db).await;
        app.sim.set_latency(Duration::from_millis(5));
        app.sim.fault(Fault::new(FaultKind::SecondaryLimit { status: 403, retry_after: Some(60) }));
        let beats = futures_util::future::join_all((0..8).map(|n| app.beat(&format!("agent-{n}")))).await;
        for beat in &beats {
            table::expect(beat, &["secondary_limit"]);
            assert_eq!(table::about(beat, "GitHub").len(), 1, "{beat}");
        }
        assert!(app.sim.counters().requests <= 8, "{:?}", app.sim.counters());
    }

    async fn after_twenty_failures_nothing_goes_out_for_a_while(db) {
        let app = AppBuilder { repos: names(25), ..AppBuilder::default() }.start(db).await;
        app.sim.fault(Fault::new(FaultKind::Status(500)));
        let beat = app.beat("coder").await;
        assert!(table::check(&beat).contains("github_failed"), "{beat}");
        for seconds in [60, 120, 240] {
            let until = app.clock.now().plus(Duration::from_secs(seconds)).to_string();
            app.tick();
            nothing_goes_out_before(&app, "breaker_open", &until).await;
            app.sim.reset_counters();
            // Half open: some are under way at once, and the first that fails shuts it again.
            let beat = app.beat("coder").await;
            assert!(table::check(&beat).contains("breaker_open"), "{beat}");
            assert_eq!(beat["status"], "warning", "back-off is never an error: {beat}");
            assert!(app.sim.counters().requests <= 16, "{:?}", app.sim.counters());
        }
        app.sim.clear_faults();
        app.advance(Duration::from_mins(8));
        table::expect(&app.beat("coder").await, &[]);
    }

    async fn points_go_to_what_waited_longest(db) {
        let mut builder = AppBuilder { repos: names(10), points_per_minute: 0, ..AppBuilder::default() };
        let (sim, clock) = builder.simulator().await;
        for repo in &builder.repos {
            sim.create_repo(repo);
        }
        let app = builder.start_with(Arc::new(db), sim, clock).await;
        table::expect(&app.beat("coder").await, &[]);
        let (db, sim, clock) = app.stop().await;
        let builder = AppBuilder { repos: names(10), points_per_minute: 4, seed: 8, ..AppBuilder::default() };
        let app = builder.start_with(db, sim, clock).await;
        let asked = |app: &App| {
            let mut repos: Vec<_> = app.sim.requests().into_iter().filter_map(|request| request.repo).collect();
            repos.sort();
            app.sim.reset_counters();
            repos
        };
        asked(&app);
        app.tick();
        let beat = app.beat("coder").await;
        table::expect(&beat, &[]);
        assert!(beat["summary"].as_str().unwrap().contains(", 6 left for the next pass;"), "{beat}");
        assert_eq!(asked(&app), names(10)[..4]);
        app.advance(Duration::from_secs(30));
        table::expect(&app.beat("coder").await, &[]);
        assert_eq!(asked(&app), Vec::<String>::new());
        app.advance(Duration::from_secs(31));
        let beat = app.beat("coder").await;
        table::expect(&beat, &["points_used_up"]);
        assert_eq!(beat["status"], "warning");
        // r000 to r003 were asked 61 s ago, r008 and r009 never since the start.
        assert!(table::about(&beat, "GitHub")[0].contains(", 6 not looked at for more than a minute;"), "{beat}");
        assert_eq!(asked(&app), names(10)[4..8]);
        app.advance(Duration::from_secs(61));
        app.beat("coder").await;
        let names = names(10);
        assert_eq!(asked(&app), [&names[..2], &names[8..]].concat());
    }

    async fn a_hundred_agents_and_repositories_trip_no_limit(db) {
        ten_minutes(db).await;
    }
}

/// What a day of a large installation looks like: 100 agents, 100 repositories, ten minutes.
#[expect(clippy::print_stdout, reason = "figures for whoever reads the log")]
async fn ten_minutes(db: support::TestDb) {
    let app = AppBuilder { repos: names(100), ..AppBuilder::default() }.start(db).await;
    let agents: Vec<_> = (0..100).map(|n| format!("agent-{n:02}")).collect();
    let end = START_MS + 600_000;
    let mut due: BinaryHeap<_> = (0..100_u16).map(|n| Reverse((START_MS + i64::from(n) * 600, n))).collect();
    let (mut beats, mut last, mut longest_pause) = (0, START_MS, 0);
    while let Some(Reverse((time, agent))) = due.pop() {
        if time > end {
            break;
        }
        let pause = time - app.clock.now().0;
        app.advance(Duration::from_millis(u64::try_from(pause.max(0)).expect("not negative")));
        longest_pause = longest_pause.max(time - last);
        last = time;
        if beats % 10 == 0 {
            app.sim.repo(&format!("acme/r{:03}", beats % 97)).open_issue(format!("Issue {beats}"));
        }
        let beat = app.beat(&agents[usize::from(agent)]).await;
        table::expect(&beat, &[]);
        assert!(strings(&beat["touchedIssueUrls"]).len() <= 100);
        due.push(Reverse((at(&beat, "nextHeartbeatAt").0, agent)));
        beats += 1;
    }
    let counters = app.sim.counters();
    assert_eq!((counters.primary_limited, counters.secondary_limited), (0, 0));
    let requests = app.sim.requests();
    let times: Vec<i64> = requests.iter().map(|request| request.at_ms).collect();
    let mut start = 0;
    let mut most = 0;
    for (n, time) in times.iter().enumerate() {
        while time - times[start] > 60_000 {
            start += 1;
        }
        most = most.max(n + 1 - start);
    }
    assert!(most <= 600, "{most} requests within 60 s");
    let mut checked: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for request in requests {
        checked.entry(request.repo.expect("a repository")).or_default().push(request.at_ms);
    }
    assert_eq!(checked.len(), 100);
    let gap = |times: &Vec<i64>| {
        let ends = times.iter().skip(1).copied().chain([last]);
        times.iter().zip(ends).map(|(from, to)| to - from).max().unwrap_or(0)
    };
    let longest = checked.values().map(gap).max().unwrap_or(0);
    assert!(longest <= 60_000 + longest_pause, "a repository was left for {longest} ms");
    println!(
        "{beats} beats, {} requests ({} paid), at most {most} within 60 s, a repository waits at most {longest} ms",
        counters.requests, counters.paid
    );
}
