//! The record: a run's row equals its answer, is kept as long as it must be, and never stays open.

mod support;

use std::{sync::Arc, time::Duration};

use dispatch::engine::lifecycle;
use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use support::{
    App, AppBuilder, MAINTAINER, START_MS, TestDb,
    answers::strings,
    app::send,
    child::{Server, dispatch},
    table,
};

const API: &str = "acme/api";
const WEB: &str = "acme/web";
const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);
/// Runs of other processes.
const LOST: &str = "019b76da-a800-7c3f-8000-3b1c5ad0e001";
const THEIRS: &str = "019b76da-a800-7c3f-8000-3b1c5ad0e002";

async fn run_of(app: &App, id: &Value) -> Option<Value> {
    let runs = app.get("/api/agent-runs?limit=1000").await.expect(200);
    runs.as_array().expect("an array").iter().find(|run| run["id"] == *id).cloned()
}

async fn assert_recorded(app: &App, beat: &Value) {
    let run = run_of(app, &beat["runId"]).await.unwrap_or_else(|| panic!("no run for {beat}"));
    for field in [
        "agentName",
        "status",
        "startedAt",
        "finishedAt",
        "summary",
        "warnings",
        "errors",
        "touchedIssueUrls",
        "nextHeartbeatAt",
    ] {
        assert_eq!(run[field], beat[field], "{field}: {run}");
    }
    assert_eq!((&run["runType"], &run["createdAt"]), (&json!("heartbeat"), &beat["startedAt"]));
    assert_eq!(run["errorMessage"], beat["errors"].get(0).cloned().unwrap_or(Value::Null), "{run}");
    assert_eq!((&run["issueId"], &run["outcome"], &run["notes"]), (&Value::Null, &Value::Null, &Value::Null));
}

/// A run that was left open by a process that is gone.
fn left_open(id: &str, instance: &str, at: i64) -> String {
    format!(
        "INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads, \
         instance_id, created_at) VALUES ('{id}', 'Coder', 'coder', 'heartbeat', 'running', {at}, '[]', '[]', '[]', \
         '[]', '{instance}', {at})"
    )
}

async fn assert_interrupted(app: &App, id: &str) {
    let run = run_of(app, &json!(id)).await.expect("the run is kept");
    let message = run["errorMessage"].as_str().expect("why");
    assert_eq!(table::code_of(message).name(), "interrupted");
    assert_eq!((&run["status"], &run["errors"]), (&json!("error"), &json!([message])), "{run}");
    assert!(
        run["finishedAt"].is_string() && run["finishedAt"].as_str() >= run["startedAt"].as_str(),
        "{run}"
    );
}

each_db! {
    async fn the_row_equals_the_answer(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        let changed = app.beat("Coder").await;
        assert_eq!(strings(&changed["touchedIssueUrls"]).len(), 2);
        let unchanged = app.next_beat("coder").await;
        assert_eq!(unchanged["agentName"], "Coder", "shown as first seen");
        app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::repo(API)));
        app.sim.repo(WEB).set_title(1, "Changed");
        let warning = app.next_beat("coder").await;
        table::expect(&warning, &["repo_not_found"]);
        app.sim.fault(Fault::new(FaultKind::Status(410)).on(Match::repo(WEB)));
        let error = app.next_beat("coder").await;
        table::expect(&error, &["every_repo_failed", "issues_disabled", "repo_not_found"]);
        for beat in [&changed, &unchanged, &warning, &error] {
            assert_recorded(&app, beat).await;
        }
        let of_agent = app.get("/api/agent-runs?agent=CODER&runType=heartbeat").await.expect(200);
        let ids: Vec<_> = of_agent.as_array().unwrap().iter().map(|run| run["id"].clone()).collect();
        assert_eq!(ids, [&error, &warning, &unchanged, &changed].map(|beat| beat["runId"].clone()));
        for (status, beat) in [("error", &error), ("warning", &warning)] {
            let found = app.get(&format!("/api/agent-runs?status={status}")).await.expect(200);
            assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &beat["runId"]));
        }
    }

    async fn a_replayed_answer_is_the_recorded_one(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        let keyed = || app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER).header("idempotency-key", "k");
        let first = send(keyed()).await;
        app.tick();
        let second = send(keyed()).await;
        assert_eq!(second.header("idempotent-replay"), Some("true"));
        assert_eq!(first.text, second.text);
        assert_recorded(&app, &second.expect(200)).await;
    }

    async fn uneventful_runs_are_kept_for_a_day_and_others_for_thirty(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        let touched = app.beat("coder").await;
        let uneventful = app.next_beat("coder").await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)));
        let warned = app.next_beat("coder").await;
        app.sim.clear_fault(fault);
        let reported = json!({ "agentName": "coder", "runType": "implement", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
        let reported = app.post("/api/agent-runs", reported).await.expect(201);
        let keyed = app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER).header("idempotency-key", "k");
        send(keyed).await.expect(200);
        let keys = "SELECT count(*) FROM idempotency_keys";
        assert_eq!(app.db.count(keys).await, 1);

        let kept = |id: Value| { let app = &app; async move { run_of(app, &id).await.is_some() } };
        // The uneventful run began at 10 s.
        app.clock.set(dispatch::domain::time::Timestamp(START_MS + 10_000).plus(24 * HOUR));
        app.prune().await;
        assert!(kept(uneventful["runId"].clone()).await, "not before 24 h are over");
        app.advance(SECOND);
        assert!(app.prune().await > 0);
        assert!(!kept(uneventful["runId"].clone()).await);
        for run in [&touched["runId"], &warned["runId"], &reported["id"]] {
            assert!(kept(run.clone()).await, "{run}");
        }
        assert_eq!(app.db.count(keys).await, 1);
        app.advance(HOUR);
        app.prune().await;
        assert_eq!(app.db.count(keys).await, 0, "keys are kept for a day");
        assert_recorded(&app, &touched).await;

        app.clock.set(dispatch::domain::time::Timestamp(START_MS).plus(30 * 24 * HOUR));
        app.prune().await;
        assert_recorded(&app, &touched).await;
        app.advance(SECOND);
        app.prune().await;
        assert!(!kept(touched["runId"].clone()).await);
        assert!(kept(warned["runId"].clone()).await);
        assert_eq!(app.db.count("SELECT count(*) FROM reads").await, 0);
        app.advance(HOUR);
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM runs").await, 0);
        assert_eq!(app.prune().await, 0);
        assert_eq!(app.db.count("SELECT count(*) FROM issues").await, 1, "only records are forgotten");
    }

    async fn the_retention_of_runs_can_be_set_and_large_numbers_are_pruned(db) {
        let mut builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
        builder.engine.run_retention = 3 * 24 * HOUR;
        let app = builder.start(db).await;
        app.sim.repo(API).open_issue("One");
        let touched = app.beat("coder").await;
        let numbers = if app.db.is_postgres() {
            "SELECT n FROM generate_series(1, 2500) AS g(n)"
        } else {
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 2500) SELECT n FROM g"
        };
        app.db.sql(&format!(
            "INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, reads, \
             uneventful, created_at) SELECT 'old-' || n, 'x', 'x', 'heartbeat', 'ok', {START_MS}, '[]', '[]', '[]', '[]', \
             TRUE, {START_MS} + n FROM ({numbers}) AS numbers"
        )).await;
        app.advance(25 * HOUR);
        assert_eq!(app.prune().await, 2_500);
        assert!(run_of(&app, &touched["runId"]).await.is_some());
        app.advance(48 * HOUR);
        assert_eq!(app.prune().await, 2, "the run and its read");
        assert!(run_of(&app, &touched["runId"]).await.is_none());
    }

    async fn runs_of_an_ended_process_are_interrupted_at_the_next_start(db) {
        let app = App::with_repos(db, &[API]).await;
        let beat = app.beat("coder").await;
        let (db, sim, clock) = app.stop().await;
        db.sql(&left_open(LOST, "gone", START_MS)).await;
        let still_alive = db.is_postgres();
        if still_alive {
            // Another replica, which renewed its row just now.
            db.sql(&left_open(THEIRS, "replica", START_MS)).await;
            db.sql(&format!("INSERT INTO instances VALUES ('replica', {START_MS}, {START_MS} + 30000)")).await;
        }
        clock.advance(SECOND);
        let builder = AppBuilder { repos: vec![API.into()], seed: 8, ..AppBuilder::default() };
        let app = builder.start_with(db, sim, clock).await;
        assert_interrupted(&app, LOST).await;
        assert_recorded(&app, &beat).await;
        if still_alive {
            assert_eq!(run_of(&app, &json!(THEIRS)).await.unwrap()["status"], "running");
            app.advance(Duration::from_secs(28));
            lifecycle::renew(&app.engine).await.unwrap();
            assert_eq!(run_of(&app, &json!(THEIRS)).await.unwrap()["status"], "running");
            app.advance(SECOND);
            lifecycle::renew(&app.engine).await.unwrap();
            assert_interrupted(&app, THEIRS).await;
        }
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 0);
    }

    async fn a_running_pass_of_a_living_process_is_left_alone(db) {
        let app = App::with_repos(db, &[API]).await;
        app.beat("coder").await;
        app.tick();
        app.sim.fault(Fault::new(FaultKind::Delay(Duration::from_millis(400))).times(1));
        let arrived = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&arrived);
        app.sim.hook(Match::any(), move |_| told.notify_one());
        let (beat, ()) = tokio::join!(app.beat("coder"), async {
            arrived.notified().await;
            for _ in 0..10 {
                app.advance(Duration::from_secs(9));
                lifecycle::renew(&app.engine).await.unwrap();
            }
            assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 1);
        });
        table::expect(&beat, &[]);
        assert_recorded(&app, &beat).await;
    }

    async fn a_killed_process_leaves_a_run_that_is_marked(db) {
        let mut builder = AppBuilder { manual_clock: false, ..AppBuilder::default() };
        let (sim, _) = builder.simulator().await;
        sim.create_repo(API).open_issue("One");
        let home = tempfile::tempdir().unwrap();
        let command = |db: &TestDb| {
            let mut command = dispatch(home.path());
            command.env("DATABASE_URL", db.url()).env("GITHUB_API_URL", sim.url());
            command.env("GITHUB_TOKEN", sim.token()).env("GITHUB_REPOSITORIES", API);
            command
        };
        let mut server = Server::start(command(&db));
        sim.fault(Fault::new(FaultKind::Delay(Duration::from_secs(20))).times(1));
        let arrived = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&arrived);
        sim.hook(Match::any(), move |_| told.notify_one());
        {
            let beat = server.beat("coder");
            tokio::pin!(beat);
            tokio::select! {
                answer = &mut beat => panic!("answered before GitHub did: {answer:?}"),
                () = arrived.notified() => {}
            }
        }
        server.kill();
        assert_eq!(db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 1);
        // PostgreSQL may serve other replicas: there the dead one counts as alive for up to 30 s.
        db.sql("UPDATE instances SET expires_at = 0").await;
        let server = Server::start(command(&db));
        let runs = send(server.request("GET", "/api/agent-runs")).await.expect(200);
        assert_eq!(runs.as_array().unwrap().len(), 1);
        assert_eq!(runs[0]["status"], "error");
        assert_eq!(table::code_of(runs[0]["errorMessage"].as_str().unwrap()).name(), "interrupted");
        assert!(runs[0]["finishedAt"].is_string());
        let beat = server.beat("coder").await.unwrap().expect(200);
        table::expect(&beat, &[]);
        assert_eq!(strings(&beat["touchedIssueUrls"]), ["https://github.com/acme/api/issues/1"]);
    }
}
