//! Heartbeats that a person must help: each error with its remedy, and the database gone before and during.

mod support;

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use dispatch::{domain::notice, engine::lifecycle};
use github_sim::{Fault, FaultKind, Match, Permission};
use serde_json::{Value, json};
use support::{Answer, App, AppBuilder, MAINTAINER, TestDb, app::send, table, world};
use tokio::sync::Notify;

const API: &str = "acme/api";
const WEB: &str = "acme/web";

async fn raw_beat(app: &App) -> Answer {
    send(app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER)).await
}

/// Asserts the answer of a pass that the database could not record.
#[track_caller]
fn assert_unrecorded(answer: &Answer) {
    let body = answer.expect(503);
    table::assert_shape(&answer.text);
    table::expect(&body, &["database_failed"]);
    assert_eq!((&body["status"], &body["runId"]), (&json!("error"), &Value::Null));
    assert_eq!(body["agentName"], "coder");
    assert!(table::about(&body, "database")[0].starts_with("record: database: "), "{body}");
}

/// Tells when a request reaches the simulator.
fn reached(app: &App) -> Arc<Notify> {
    let notify = Arc::new(Notify::new());
    let told = Arc::clone(&notify);
    app.sim.hook(Match::any(), move |_| told.notify_one());
    notify
}

/// Something else than GitHub; returns its address.
async fn stranger(status: StatusCode, location: Option<String>) -> String {
    let answer = move || {
        let location = location.clone();
        async move {
            let mut response =
                (status, [(header::CONTENT_TYPE, "text/html")], "<html>Hello</html>").into_response();
            if let Some(to) = location {
                response.headers_mut().insert(header::LOCATION, to.parse().expect("a header"));
            }
            response
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its number");
    #[expect(clippy::disallowed_methods, reason = "the test owns this server")]
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    format!("http://{address}")
}

/// An address where nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("its number"))
}

async fn at_address(db: TestDb, api_url: String) -> App {
    let repos = vec![API.to_owned(), WEB.to_owned()];
    AppBuilder { repos, api_url: Some(api_url), ..AppBuilder::default() }.start(db).await
}

each_db! {
    async fn no_repository_is_tracked(db) {
        let app = App::with_repos(db, &[]).await;
        let beat = app.beat("coder").await;
        table::expect(&beat, &["no_repositories"]);
        assert!(beat["runId"].is_string(), "it is recorded");
        assert!(beat["summary"].as_str().unwrap().starts_with("0 repositories: "), "{beat}");
        app.sim.create_repo(API).open_issue("One");
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        table::expect(&app.next_beat("coder").await, &[]);
        app.delete(&format!("/api/automation/repos/{API}")).await.expect(200);
        table::expect(&app.next_beat("coder").await, &["no_repositories"]);
    }

    async fn every_repository_fails(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        table::expect(&app.beat("coder").await, &[]);
        app.sim.repo(API).open_issue("One");
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::repo(API)));
        app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::repo(WEB)));
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &["every_repo_failed", "github_failed", "repo_not_found"]);
        assert_eq!(table::about(&beat, "repositories"), ["sync: repositories: 2 of 2 failed; see the warnings for each"]);
        assert_eq!(beat["warnings"].as_array().unwrap().len(), 2);
        app.sim.clear_faults();
        let beat = app.next_beat("coder").await;
        table::expect(&beat, &[]);
        world::assert_same(&app, API).await;
    }

    async fn the_credentials_are_refused_and_valid_again(db) {
        let app = App::with_repos(db, &[API, WEB, "acme/ops"]).await;
        table::expect(&app.beat("coder").await, &[]);
        let token = app.sim.token();
        app.sim.revoke_token(&token);
        app.sim.repo(API).open_issue("One");
        app.tick();
        app.sim.reset_counters();
        let beat = app.beat("coder").await;
        let codes = table::check(&beat);
        assert!(codes.contains("credentials_refused") && beat["status"] == "error", "{beat}");
        assert_eq!(table::about(&beat, "GitHub").len(), 1, "{beat}");
        let asked = app.sim.counters().requests;
        assert!(asked <= 3, "{asked} requests with a refused token");
        for _ in 0..5 {
            app.tick();
            let began = Instant::now();
            let beat = app.beat("coder").await;
            table::expect(&beat, &["credentials_refused"]);
            assert!(began.elapsed() < Duration::from_secs(2));
            assert!(beat["nextHeartbeatAt"].as_str() >= Some("2026-01-01T00:01:10.000Z"), "{beat}");
        }
        assert_eq!(app.sim.counters().requests, asked, "it hammers");
        // A minute after the refusal it tries once more, in vain.
        app.tick();
        let beat = app.beat("coder").await;
        assert!(table::check(&beat).contains("credentials_refused"), "{beat}");
        let again = app.sim.counters().requests;
        assert!(again > asked && again <= asked + 3, "{again}");
        app.sim.add_token(&token);
        app.tick();
        table::expect(&app.beat("coder").await, &["credentials_refused"]);
        assert_eq!(app.sim.counters().requests, again, "not before the minute is over");
        app.advance(Duration::from_secs(50));
        let beat = app.beat("coder").await;
        table::expect(&beat, &[]);
        world::assert_same(&app, API).await;
    }

    async fn nobody_listens_at_the_address(db) {
        let app = at_address(db, closed_port()).await;
        let beat = app.beat("coder").await;
        table::expect(&beat, &["connection_lost", "every_repo_failed"]);
        assert_eq!(beat["status"], "error");
    }

    async fn something_else_answers_at_the_address(db) {
        for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
            let fresh = if db.is_postgres() { TestDb::postgres().await } else { TestDb::sqlite().await };
            let app = at_address(fresh, stranger(status, None).await).await;
            let beat = app.beat("coder").await;
            table::expect(&beat, &["every_repo_failed", "not_github"]);
            assert_eq!(table::about(&beat, "GitHub").len(), 1, "{beat}");
        }
    }

    async fn the_address_redirects_to_another_host(db) {
        let elsewhere = stranger(StatusCode::OK, None).await;
        let redirecting = stranger(StatusCode::MOVED_PERMANENTLY, Some(elsewhere)).await;
        let app = at_address(db, redirecting).await;
        let beat = app.beat("coder").await;
        table::expect(&beat, &["every_repo_failed", "redirect_refused"]);
        assert_eq!(beat["warnings"].as_array().unwrap().len(), 2);
    }

    async fn a_redirect_never_tells_the_token_to_another_host(db) {
        let (other, _) = AppBuilder::default().simulator().await;
        let app = App::with_repos(db, &[API]).await;
        app.sim.fault(Fault::new(FaultKind::RedirectElsewhere(format!("{}/repos/acme/api", other.url()))));
        table::expect(&app.beat("coder").await, &["every_repo_failed", "redirect_refused"]);
        assert_eq!(other.counters().requests, 0);
    }

    async fn the_database_is_gone_before_the_pass(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        table::expect(&app.beat("coder").await, &[]);
        app.db.sql("ALTER TABLE runs RENAME TO runs_gone").await;
        app.tick();
        app.sim.reset_counters();
        for _ in 0..3 {
            assert_unrecorded(&raw_beat(&app).await);
        }
        let keyed = || app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER).header("idempotency-key", "k");
        assert_unrecorded(&send(keyed()).await);
        assert_eq!(app.sim.counters().requests, 0, "no work without a record");
        assert_eq!(app.get("/healthz").await.status, 200);
        assert_eq!(app.get(&format!("/api/issues?repo={API}")).await.expect(200).as_array().unwrap().len(), 1);
        app.post("/api/sync", json!({})).await.expect(200);
        assert_eq!(app.get("/api/agent-runs").await.status, 503);
        app.db.sql("ALTER TABLE runs_gone RENAME TO runs").await;
        let answer = send(keyed()).await;
        table::expect(&answer.expect(200), &[]);
        assert_eq!(answer.header("idempotent-replay"), None, "a 503 is not stored");
        assert_eq!(send(keyed()).await.header("idempotent-replay"), Some("true"));
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 0);
        assert_eq!(app.db.count("SELECT count(*) FROM runs").await, 2);
    }

    async fn the_database_is_lost_during_the_pass(db) {
        let app = App::with_repos(db, &[API]).await;
        table::expect(&app.beat("coder").await, &[]);
        for by_heartbeat in [true, false] {
            let number = app.sim.repo(API).open_issue("While it is away");
            app.tick();
            let arrived = reached(&app);
            let late = app.sim.fault(Fault::new(FaultKind::Delay(Duration::from_millis(700))));
            let (answer, ()) = tokio::join!(raw_beat(&app), async {
                arrived.notified().await;
                app.db.sql("ALTER TABLE runs RENAME TO runs_gone").await;
            });
            assert_unrecorded(&answer);
            app.sim.clear_fault(late);
            app.sim.clear_hooks();
            app.db.sql("ALTER TABLE runs_gone RENAME TO runs").await;
            assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 1);
            if by_heartbeat {
                table::expect(&app.next_beat("coder").await, &[]);
            } else {
                lifecycle::renew(&app.engine).await.unwrap();
            }
            let runs = app.get("/api/agent-runs?status=error").await.expect(200);
            let run = &runs[0];
            assert_eq!(table::code_of(run["errorMessage"].as_str().unwrap()).name(), "interrupted");
            assert_eq!(run["errors"], json!([run["errorMessage"]]));
            assert_eq!(run["finishedAt"], dispatch::domain::time::Timestamp(app.clock.now().0).to_string());
            assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 0);
            // What was read meanwhile was kept.
            assert!(world::cached(&app, API).await.contains_key(&i64::try_from(number).unwrap()));
        }
    }

    async fn other_tables_lost_during_the_pass_are_an_error_of_the_recorded_pass(db) {
        let app = App::with_repos(db, &[API]).await;
        table::expect(&app.beat("coder").await, &[]);
        for name in ["issues", "sync_state"] {
            app.sim.repo(API).open_issue("While it is away");
            app.tick();
            let arrived = reached(&app);
            let late = app.sim.fault(Fault::new(FaultKind::Delay(Duration::from_millis(500))));
            let away = format!("ALTER TABLE {name} RENAME TO away");
            let (answer, ()) = tokio::join!(raw_beat(&app), async {
                arrived.notified().await;
                app.db.sql(&away).await;
            });
            let body = answer.expect(200);
            assert!(table::check(&body).contains("database_failed"), "{body}");
            assert_eq!(body["status"], "error", "{body}");
            app.sim.clear_fault(late);
            app.sim.clear_hooks();
            app.db.sql(&format!("ALTER TABLE away RENAME TO {name}")).await;
            table::expect(&app.next_beat("coder").await, &[]);
            world::assert_same(&app, API).await;
        }
        app.db.sql("ALTER TABLE sync_state RENAME TO away").await;
        let body = app.next_beat("coder").await;
        table::expect(&body, &["database_failed"]);
        assert!(body["runId"].is_string(), "it is recorded");
        app.db.sql("ALTER TABLE away RENAME TO sync_state").await;
        table::expect(&app.next_beat("coder").await, &[]);
    }

    async fn every_code_of_the_table_can_be_seen(db) {
        let mut seen = BTreeSet::new();
        let fresh = || async { if db.is_postgres() { TestDb::postgres().await } else { TestDb::sqlite().await } };
        for app in [
            App::with_repos(fresh().await, &[]).await,
            at_address(fresh().await, closed_port()).await,
            at_address(fresh().await, stranger(StatusCode::OK, None).await).await,
        ] {
            seen.extend(table::check(&app.beat("coder").await));
        }
        seen.extend(codes_of_single_answers(fresh().await).await);
        seen.extend(codes_of_names(fresh().await).await);
        seen.extend(codes_of_limits(fresh().await).await);
        seen.extend(codes_of_the_end(fresh().await).await);
        seen.extend(codes_of_an_app(fresh().await).await);
        let explained = [
            ("read_too_long", "a read that takes five minutes of real time"),
            #[cfg(not(feature = "failpoints"))]
            ("read_aborted", "a fault of Dispatch itself: shown by a failpoint"),
        ];
        let table: BTreeSet<_> = notice::table().iter().map(notice::Code::name).collect();
        let unseen: Vec<_> = table.difference(&seen).copied().collect();
        assert_eq!(unseen, explained.map(|(name, _)| name), "neither seen nor explained");
    }
}

/// Three installations of an App, each with its trouble, and an owner without any.
async fn codes_of_an_app(db: TestDb) -> BTreeSet<&'static str> {
    let repos = [API, "beta/web", "gamma/x", "delta/y"].map(str::to_owned).to_vec();
    let mut builder = AppBuilder { repos, ..AppBuilder::default() };
    let (sim, clock) = builder.simulator().await;
    builder.repos.iter().for_each(|name| _ = sim.create_repo(name));
    let app = sim.create_app(7);
    let (acme, beta) = (app.install("acme", Permission::Read), app.install("beta", Permission::Read));
    app.suspend(beta);
    builder.app = Some((app.private_key_pem(), format!("acme:{acme},beta:{beta},gamma:404")));
    let server = builder.start_with(Arc::new(db), sim, clock).await;
    let mut seen = table::check(&server.beat("coder").await);
    // Another key takes the place of the one that the server has.
    server.sim.create_app_with_key(7, &server.sim.create_app(8).public_key_pem());
    server.advance(Duration::from_hours(2));
    seen.extend(table::check(&server.beat("coder").await));
    seen
}

async fn codes_of_single_answers(db: TestDb) -> BTreeSet<&'static str> {
    let repos = vec![API.to_owned(), WEB.to_owned()];
    let timeout = Duration::from_millis(500);
    let app = AppBuilder { repos, request_timeout: timeout, ..AppBuilder::default() }.start(db).await;
    let mut seen = table::check(&app.beat("coder").await);
    let kinds = [404, 403, 410, 451, 422, 500].map(FaultKind::Status).into_iter().chain([
        FaultKind::Hang,
        FaultKind::Reset,
        FaultKind::Truncate,
        FaultKind::WrongJson,
        FaultKind::RedirectElsewhere("http://127.0.0.1:1/".into()),
    ]);
    for kind in kinds {
        let fault = app.sim.fault(Fault::new(kind).on(Match::repo(API)));
        seen.extend(table::check(&app.next_beat("coder").await));
        app.sim.clear_fault(fault);
    }
    app.db.sql("ALTER TABLE sync_state RENAME TO away").await;
    seen.extend(table::check(&app.next_beat("coder").await));
    app.db.sql("ALTER TABLE away RENAME TO sync_state").await;
    #[cfg(feature = "failpoints")]
    {
        fail::cfg("sync.read", "1*return").expect("a failpoint");
        seen.extend(table::check(&app.next_beat("coder").await));
        fail::remove("sync.read");
    }
    app.sim.revoke_token(&app.sim.token());
    seen.extend(table::check(&app.next_beat("coder").await));
    seen
}

async fn codes_of_names(db: TestDb) -> BTreeSet<&'static str> {
    let app = App::with_repos(db, &[API, WEB]).await;
    let mut seen = table::check(&app.beat("coder").await);
    app.post("/api/automation/repos", json!({ "fullName": "acme/core" })).await.expect(201);
    app.sim.repo(API).rename("acme/core");
    app.sim.repo(WEB).delete();
    app.sim.create_repo(WEB).rename("acme/stranger");
    seen.extend(table::check(&app.next_beat("coder").await));
    seen
}

async fn codes_of_limits(db: TestDb) -> BTreeSet<&'static str> {
    let fresh = if db.is_postgres() { TestDb::postgres().await } else { TestDb::sqlite().await };
    let repos: Vec<_> = (0..22).map(|n| format!("acme/r{n}")).collect();
    let mut tight = AppBuilder {
        repos: repos[..6].to_vec(),
        anonymous: true,
        points_per_minute: 4,
        ..AppBuilder::default()
    };
    tight.engine.heartbeat_deadline = Duration::from_millis(300);
    let mut seen = table::check(&tight.start(fresh).await.beat("coder").await);
    let wide = AppBuilder { repos, points_per_minute: 0, ..AppBuilder::default() };
    let app = wide.start(db).await;
    app.sim.fault(Fault::new(FaultKind::Status(503)));
    seen.extend(table::check(&app.beat("coder").await));
    app.tick();
    seen.extend(table::check(&app.beat("coder").await));
    for kind in [FaultKind::SecondaryLimit { status: 429, retry_after: Some(30) }, FaultKind::PrimaryLimit] {
        app.sim.clear_faults();
        app.sim.fault(Fault::new(kind));
        app.advance(Duration::from_mins(2));
        seen.extend(table::check(&app.beat("coder").await));
    }
    seen
}

async fn codes_of_the_end(db: TestDb) -> BTreeSet<&'static str> {
    let mut builder = AppBuilder { repos: vec![API.to_owned()], ..AppBuilder::default() };
    builder.engine.heartbeat_deadline = Duration::from_millis(300);
    let app = builder.start(db).await;
    app.sim.set_latency(Duration::from_millis(600));
    let mut seen = table::check(&app.beat("coder").await);
    let stamp = app.clock.now().0;
    app.db
        .sql(&format!(
            "INSERT INTO runs (id, agent_name, agent_key, run_type, status, started_at, warnings, errors, touched, \
             reads, instance_id, created_at) VALUES ('019b76da-a800-7c3f-8000-3b1c5ad0e001', 'coder', 'coder', \
             'heartbeat', 'running', {stamp}, '[]', '[]', '[]', '[]', 'nobody', {stamp})"
        ))
        .await;
    lifecycle::renew(&app.engine).await.expect("renewed");
    let lost = app.get("/api/agent-runs?status=error").await.expect(200);
    seen.insert(table::code_of(lost[0]["errorMessage"].as_str().expect("why")).name());
    let (db, sim, clock) = app.stop().await;
    let builder = AppBuilder { repos: vec![API.to_owned()], seed: 8, ..AppBuilder::default() };
    let app = builder.start_with(db, sim, clock).await;
    let arrived = reached(&app);
    let beat = app.beat("coder");
    let (beat, _) = tokio::join!(beat, async {
        arrived.notified().await;
        app.stop().await
    });
    seen.extend(table::check(&beat));
    seen
}
