//! Many agents, one read: who shares which read of a repository, and what each of them is told.

mod support;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use support::{App, AppBuilder, TestDb, answers::strings, table, world};
use tokio::sync::Notify;

const API: &str = "acme/api";
const WEB: &str = "acme/web";

fn touched(beat: &Value) -> Vec<String> {
    strings(&beat["touchedIssueUrls"])
}

fn url(repo: &str, number: u64) -> String {
    format!("https://github.com/{repo}/issues/{number}")
}

/// Probes of each repository since the counters were reset.
fn probes(app: &App) -> BTreeMap<String, usize> {
    let mut probes = BTreeMap::new();
    for request in app.sim.requests() {
        if request.path_and_query.contains("sort=updated&direction=desc") {
            *probes.entry(request.repo.expect("a repository")).or_default() += 1;
        }
    }
    probes
}

async fn ten_repositories(db: TestDb, manual_clock: bool) -> App {
    let repos = (0..10).map(|n| format!("acme/r{n}")).collect();
    let mut builder = AppBuilder { repos, manual_clock, ..AppBuilder::default() };
    builder.sim.latency = Duration::from_millis(50);
    let app = builder.start(db).await;
    for n in 0..10 {
        app.sim.repo(&format!("acme/r{n}")).seed(20, |index| format!("Issue {index}"));
    }
    app
}

/// A thousand heartbeats of fifty agents, all sent at once.
#[expect(clippy::print_stdout, reason = "figures for whoever reads the log")]
async fn a_thousand(app: &App) -> Vec<Value> {
    let began = Instant::now();
    let beats = join_all((0..1_000).map(|n| {
        let beat = app.beat(&format!("agent-{:02}", n % 50));
        async move {
            let beat = beat.await;
            (beat, began.elapsed())
        }
    }));
    let beats = beats.await;
    let slowest = beats.iter().map(|(_, took)| *took).max().expect("a thousand");
    assert!(slowest < Duration::from_secs(25), "answered after {slowest:?}");
    println!("1000 heartbeats, the slowest after {slowest:?}");
    beats.into_iter().map(|(beat, _)| beat).collect()
}

async fn assert_complete(app: &App, beats: &[Value], runs: i64) {
    for beat in beats {
        table::expect(beat, &[]);
        assert!(beat["summary"].as_str().expect("a line").starts_with("10 repositories: "), "{beat}");
    }
    let complete =
        "SELECT count(*) FROM runs WHERE status = 'ok' AND finished_at IS NOT NULL AND summary IS NOT NULL";
    assert_eq!(app.db.count(complete).await, runs);
    assert_eq!(app.db.count("SELECT count(*) FROM runs").await, runs);
    assert_eq!(app.db.count("SELECT count(DISTINCT agent_key) FROM runs").await, 50);
    assert_eq!(app.db.count("SELECT count(*) FROM agents").await, 50);
}

/// Starts what the closure makes once a request for `on` has reached GitHub, which answers late.
fn while_reading(app: &App, on: Match, delay: Duration) -> Arc<Notify> {
    let notify = Arc::new(Notify::new());
    let told = Arc::clone(&notify);
    app.sim.hook(on.clone(), move |_| told.notify_one()).times(1);
    app.sim.fault(Fault::new(FaultKind::Delay(delay)).on(on).times(1));
    notify
}

each_db! {
    async fn a_thousand_heartbeats_on_an_empty_cache_share_one_read(db) {
        let app = ten_repositories(db, true).await;
        let beats = a_thousand(&app).await;
        // The clock stands still, so every caller arrived when the one read began.
        assert_eq!(probes(&app).into_values().collect::<Vec<_>>(), [1; 10]);
        assert_complete(&app, &beats, 1_000).await;
        assert_eq!(app.db.count("SELECT count(*) FROM reads").await, 10);
        assert_eq!(app.db.count("SELECT count(*) FROM issues").await, 200);
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE CAST(touched AS TEXT) <> '[]'").await, 0);
        assert!(beats.iter().any(|beat| touched(beat).len() == 200));
    }

    async fn a_thousand_heartbeats_in_real_time_make_two_reads_at_most(db) {
        let app = ten_repositories(db, false).await;
        app.beat("agent-00").await;
        app.sim.reset_counters();
        app.sim.repo("acme/r3").open_issue("News");
        let beats = a_thousand(&app).await;
        let probes = probes(&app);
        assert!(probes.values().all(|&count| count <= 2), "{probes:?}");
        assert_complete(&app, &beats, 1_001).await;
    }

    async fn runs_that_shared_a_read_name_it_and_hold_no_copy(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        let arrived = while_reading(&app, Match::repo(API), Duration::from_millis(400));
        let (first, others) = tokio::join!(app.beat("first"), async {
            arrived.notified().await;
            join_all((0..8).map(|n| app.beat(&format!("other-{n}")))).await
        });
        let both = [url(API, 1), url(WEB, 1)];
        assert_eq!(touched(&first), both);
        // WEB may have been read before they came; API they waited for.
        for other in &others {
            assert!(touched(other).contains(&both[0]), "{other}");
        }
        assert_eq!(app.db.count("SELECT count(*) FROM reads").await, 2);
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE CAST(touched AS TEXT) <> '[]'").await, 0);
        let sharing = "SELECT count(*) FROM runs, reads
             WHERE CAST(reads.touched AS TEXT) LIKE '%acme/api/issues/1%'
               AND CAST(runs.reads AS TEXT) LIKE '%' || reads.id || '%'";
        assert_eq!(app.db.count(sharing).await, 9);
        let runs = app.get("/api/agent-runs").await.expect(200);
        for run in runs.as_array().unwrap() {
            assert!(strings(&run["touchedIssueUrls"]).contains(&both[0]), "{run}");
        }
    }

    async fn a_read_that_ended_before_arrival_serves_but_is_no_news(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        assert_eq!(touched(&app.beat("first").await), [url(API, 1)]);
        app.sim.reset_counters();
        // Within the staleness of 5 s nothing is asked, and what the read touched was the first one's news.
        for _ in 0..5 {
            let beat = app.beat("second").await;
            table::expect(&beat, &[]);
            assert_eq!(touched(&beat), Vec::<String>::new());
            assert!(beat["summary"].as_str().unwrap().starts_with("1 repository: 1 unchanged, 0 changed"), "{beat}");
            app.advance(Duration::from_secs(1));
        }
        assert_eq!(app.clock.now().0 - support::START_MS, 5_000);
        app.beat("second").await;
        assert_eq!(app.sim.counters().requests, 0);
        app.advance(Duration::from_millis(1));
        app.beat("second").await;
        assert_eq!(app.sim.counters().requests, 1, "older than 5 s is too old");
    }

    async fn a_read_that_began_too_early_is_followed_by_one_for_all_who_wait(db) {
        let app = App::with_repos(db, &[API]).await;
        app.beat("first").await;
        app.tick();
        app.sim.reset_counters();
        let arrived = while_reading(&app, Match::repo(API), Duration::from_millis(600));
        let (first, late) = tokio::join!(app.beat("first"), async {
            arrived.notified().await;
            while app.sim.counters().requests == 0 {
                // The answer is made, and only its delivery is late.
                tokio::task::yield_now().await;
            }
            // They come more than 5 s after that read began, and see what it cannot see.
            app.advance(Duration::from_secs(6));
            app.sim.repo(API).open_issue("After it began");
            join_all((0..20).map(|n| app.beat(&format!("late-{n}")))).await
        });
        assert_eq!(touched(&first), Vec::<String>::new());
        for beat in &late {
            table::expect(beat, &[]);
            assert_eq!(touched(beat), [url(API, 1)], "{beat}");
        }
        assert_eq!(probes(&app)[API], 2, "one ran, one waited");
    }

    async fn a_sweep_shares_only_reads_that_sweep(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).seed(3, |n| format!("Issue {n}"));
        app.beat("first").await;
        app.tick();
        app.sim.reset_counters();
        let sweeps = |app: &App| {
            let of_sweep = |path: &str| path.contains("sort=created") && path.contains("state=open");
            app.sim.requests().iter().filter(|request| of_sweep(&request.path_and_query)).count()
        };
        let arrived = while_reading(&app, Match::repo(API), Duration::from_millis(500));
        let (_, swept) = tokio::join!(app.beat("first"), async {
            arrived.notified().await;
            let sweep = || app.post("/api/sync", json!({ "sweep": true }));
            tokio::join!(sweep(), sweep(), app.beat("second"))
        });
        assert_eq!(swept.0.expect(200)["success"], true);
        assert_eq!(swept.1.expect(200)["success"], true);
        assert_eq!(probes(&app)[API], 2, "the plain read and one read that sweeps");
        assert_eq!(sweeps(&app), 1, "two wishes that wait are one sweep");
        // The other way about: a plain caller is served by a read that sweeps.
        app.tick();
        app.sim.reset_counters();
        let arrived = while_reading(&app, Match::repo(API), Duration::from_millis(400));
        let (swept, beat) = tokio::join!(app.post("/api/sync", json!({ "sweep": true })), async {
            arrived.notified().await;
            app.beat("second").await
        });
        swept.expect(200);
        table::expect(&beat, &[]);
        assert_eq!((probes(&app)[API], sweeps(&app)), (1, 1));
        app.post("/api/sync", json!({ "sweep": true })).await.expect(200);
        assert_eq!(sweeps(&app), 2, "a sweep that ended is not fresh enough for another");
    }

    async fn a_sync_joins_the_read_that_runs(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).seed(3, |n| format!("Issue {n}"));
        app.beat("first").await;
        app.tick();
        app.sim.reset_counters();
        let number = app.sim.repo(API).open_issue("News");
        let arrived = while_reading(&app, Match::repo(API), Duration::from_millis(500));
        let (beat, synced) = tokio::join!(app.beat("first"), async {
            arrived.notified().await;
            let one = app.post("/api/sync", json!({ "repoFullName": "ACME/api" }));
            let all = app.post("/api/sync/scheduled", json!({ "source": "cron" }));
            tokio::join!(one, all)
        });
        assert_eq!(touched(&beat), [url(API, number)]);
        let one = synced.0.expect(200);
        assert_eq!(one["success"], true);
        assert_eq!(one["results"], json!([{ "repo": API, "synced": 4, "error": null }]));
        assert_eq!(synced.1.expect(200)["issues"]["syncedCount"], 4);
        assert_eq!(app.sim.counters().requests, 2, "one read of each repository");
    }

    async fn a_sync_that_is_not_done_at_the_deadline_says_so(db) {
        let mut builder = AppBuilder { repos: vec![API.into(), WEB.into()], ..AppBuilder::default() };
        builder.engine.heartbeat_deadline = Duration::from_millis(400);
        let app = builder.start(db).await;
        while app.post("/api/sync", json!({})).await.expect(200)["success"] != true {}
        app.tick();
        app.sim.reset_counters();
        app.sim.repo(API).open_issue("Slow");
        let _ = while_reading(&app, Match::repo(API), Duration::from_millis(1_500));
        let began = Instant::now();
        let synced = app.post("/api/sync", json!({})).await.expect(200);
        assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());
        assert_eq!(synced["success"], false);
        let results = synced["results"].as_array().unwrap();
        assert_eq!(results[0], json!({ "repo": API, "synced": 0, "error": "still running" }));
        assert_eq!(results[1], json!({ "repo": WEB, "synced": 0, "error": null }));
        let mut done = Value::Null;
        for _ in 0..20 {
            done = app.post("/api/sync", json!({})).await.expect(200);
            if done["success"] == true {
                break;
            }
        }
        assert_eq!(done["syncedCount"], 1, "{done}");
        assert_eq!(app.sim.counters().requests, 2, "the read went on and served the next");
        world::assert_same(&app, API).await;
    }
}
