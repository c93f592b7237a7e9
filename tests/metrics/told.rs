//! What is told: by whom it may be read, what it costs, and that the numbers are right.

use std::time::Duration;

use dispatch::{
    domain::labels::Rules,
    engine::Writes,
    scheduler::{self, Settings},
};
use github_sim::NewIssue;
use serde_json::json;

use crate::{
    API, each_db,
    exposition::{Exposition, read},
    support::{Answer, App, AppBuilder, BOUND, MAINTAINER, TestDb, UNBOUND, app, app::send, spec},
};

/// A server with five ready issues, nothing of which is written to GitHub.
async fn quiet(db: TestDb) -> App {
    let mut builder = AppBuilder { repos: vec![API.to_owned()], ..AppBuilder::default() };
    builder.engine.writes = Writes { enabled: false, interval: Duration::ZERO };
    let app = builder.start(db).await;
    app.sim.repo(API).seed(5, |n| NewIssue::new(format!("Secret plan {n}")).label("status/ready"));
    app.next_beat("coder").await;
    app
}

async fn scrape(app: &App) -> Exposition {
    let answer = app.get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    read(&answer.text)
}

async fn claim(app: &App, number: i64) {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    let body = json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": number,
        "agentName": "coder", "lease": true });
    app.post("/api/issues/claim", body).await.expect(200);
}

/// A server that has done something of everything, and what it tells.
pub async fn busy(db: TestDb) -> (App, Exposition) {
    let app = quiet(db).await;
    claim(&app, 1).await;
    scheduler::start(&app.engine, &Settings { startup_delay: Duration::ZERO, ..Settings::default() });
    let ran = || app.engine.jobs().list().iter().any(|job| job.last_run_at.is_some());
    while !ran() {
        app.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    app.next_beat("coder").await;
    app.post("/api/github/webhook", json!({})).await.expect(400);
    let told = scrape(&app).await;
    (app, told)
}

/// Numbers that are counted.
#[track_caller]
fn assert_is(told: &Exposition, name: &str, labels: &[(&str, &str)], want: u32) {
    let is = told.value(name, labels);
    assert!((is - f64::from(want)).abs() < 1e-9, "{name} {labels:?} is {is}, not {want}");
}

each_db! {
    async fn maintainers_read_them_and_nobody_else(db) {
        let app = App::with_repos(db, &[API]).await;
        for (token, status) in [(MAINTAINER, 200), (BOUND, 403), (UNBOUND, 403), ("wrong", 401)] {
            assert_eq!(send(app.request("GET", "/metrics", token)).await.status, status, "{token}");
        }
        assert_eq!(send(app::client().get(app.url("/metrics"))).await.status, 401);
    }

    async fn anybody_reads_them_where_the_operator_says_so(db) {
        let builder = AppBuilder { repos: vec![API.into()], metrics_public: true, ..AppBuilder::default() };
        let app = builder.start(db).await;
        let answer = send(app::client().get(app.url("/metrics"))).await;
        assert_eq!(answer.status, 200);
        read(&answer.text);
        assert_eq!(send(app::client().get(app.url("/api/audit"))).await.status, 401, "that only");
    }

    async fn they_hold_no_secret_and_no_name_that_has_no_end(db) {
        let (app, _) = busy(db).await;
        app.beat("unheard-of-agent").await;
        app.get("/api/issues/no-such-path-93").await;
        send(app.request("BREW", "/api/health", MAINTAINER)).await;
        let text = app.get("/metrics").await.text;
        let token = app.sim.token();
        for word in [MAINTAINER, BOUND, UNBOUND, &token, "coder", "unheard-of-agent", "Secret plan", "no-such-path", "BREW"] {
            assert!(!text.contains(word), "{word} in:\n{text}");
        }
        assert!(text.contains("repository=\"acme/api\""));
        assert!(text.contains("method=\"other\",route=\"/api/health\",status=\"4xx\""), "{text}");
    }

    async fn what_is_parked_where_nobody_looks_any_more_raises_no_alarm(db) {
        let app = quiet(db).await;
        claim(&app, 1).await;
        app.db.sql("UPDATE label_edits SET state = 'parked'").await;
        assert_is(&scrape(&app).await, "dispatch_outbox_parked", &[("kind", "label")], 3);
        app.delete(&format!("/api/automation/repos/{API}")).await.expect(200);
        assert_is(&scrape(&app).await, "dispatch_outbox_parked", &[("kind", "label")], 0);
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        assert_is(&scrape(&app).await, "dispatch_outbox_parked", &[("kind", "label")], 3);
    }

    async fn the_numbers_are_right(db) {
        let app = quiet(db).await;
        let told = scrape(&app).await;
        assert_is(&told, "dispatch_heartbeats_total", &[("status", "ok")], 1);
        assert_is(&told, "dispatch_queue_issues", &[("lane", &Rules::default().lanes().default_lane().id)], 5);
        assert_is(&told, "dispatch_claims", &[("state", "live")], 0);
        assert_is(&told, "dispatch_outbox_pending", &[("kind", "label")], 0);
        let spent = app.sim.counters().quota_spent;
        app.sim.reset_counters();
        for _ in 0..3 {
            app.next_beat("coder").await;
        }
        claim(&app, 1).await;
        claim(&app, 2).await;
        app.advance(Duration::from_secs(7));
        let requests = app.sim.counters();
        let later = scrape(&app).await;
        let grew = |name: &str, labels: &[(&str, &str)]| later.value(name, labels) - told.value(name, labels);
        let is = |grown: f64, want: u64| (grown - f64::from(u32::try_from(want).expect("few"))).abs() < 1e-9;
        assert!(is(grew("dispatch_github_requests_total", &[]), requests.requests), "{requests:?}");
        assert!(is(grew("dispatch_github_requests_total", &[("kind", "issues"), ("result", "not_modified")]), requests.not_modified));
        assert!(is(grew("dispatch_github_request_seconds_count", &[]), requests.requests));
        for phase in ["renew", "sync", "recover", "publish"] {
            assert!(is(grew("dispatch_heartbeat_phase_seconds_count", &[("phase", phase)]), 3), "{phase}");
        }
        assert!(is(grew("dispatch_heartbeat_seconds_count", &[]), 3));
        let beats = [("route", "/api/agents/{agentName}/heartbeat"), ("method", "POST"), ("status", "2xx")];
        assert!(is(grew("dispatch_http_request_seconds_count", &beats), 3));
        assert_is(&later, "dispatch_claims", &[("state", "live")], 2);
        assert_is(&later, "dispatch_claims", &[("state", "stale")], 0);
        assert_is(&later, "dispatch_queue_issues", &[], 3);
        // Each claim adds two labels and removes one.
        assert_is(&later, "dispatch_outbox_pending", &[("kind", "label")], 6);
        assert_is(&later, "dispatch_outbox_oldest_seconds", &[("kind", "label")], 7);
        assert_is(&later, "dispatch_sync_lag_seconds", &[("repository", API)], 7);
        assert_is(&later, "dispatch_leader", &[], 0);
        let spent = u32::try_from(spent + requests.quota_spent).expect("few");
        assert_is(&later, "dispatch_github_quota_limit", &[("account", "default")], 5_000);
        assert_is(&later, "dispatch_github_quota_remaining", &[("account", "default")], 5_000 - spent);
        app.advance(Duration::from_hours(1));
        assert_is(&scrape(&app).await, "dispatch_claims", &[("state", "stale")], 2);
        app.next_beat("another").await;
        let last = scrape(&app).await;
        assert_is(&last, "dispatch_claims_recovered_total", &[], 2);
        assert_is(&last, "dispatch_claims", &[("state", "live")], 0);
    }

    async fn failures_of_reads_and_of_the_database_show(db) {
        use github_sim::{Fault, FaultKind};

        let app = quiet(db).await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)));
        app.next_beat("coder").await;
        app.next_beat("coder").await;
        app.sim.clear_fault(fault);
        let told = scrape(&app).await;
        assert_is(&told, "dispatch_sync_failures", &[("repository", API)], 2);
        assert_is(&told, "dispatch_heartbeats_total", &[("status", "error")], 2);
        assert!(told.value("dispatch_github_requests_total", &[("result", "not_found")]) > 1.0);
        assert_is(&told, "dispatch_database_up", &[], 1);
        app.engine.db().close().await;
        app.post("/api/agents/coder/heartbeat", json!({})).await.expect(503);
        let told = scrape(&app).await;
        assert_is(&told, "dispatch_database_up", &[], 0);
        assert_is(&told, "dispatch_heartbeats_total", &[("status", "unrecorded")], 1);
        assert!(!told.0.contains_key("dispatch_claims"), "what is not known is not told");
    }

    async fn a_scrape_is_five_statements_whatever_there_is(db) {
        let app = quiet(db).await;
        let cost = || async {
            let before = app.engine.db().statements();
            let told = scrape(&app).await;
            (app.engine.db().statements() - before, told.0.values().map(|metric| metric.samples.len()).sum::<usize>())
        };
        let (few, _) = cost().await;
        let (_, samples) = cost().await;
        app.sim.repo(API).seed(200, |n| NewIssue::new(format!("More {n}")).label("status/ready"));
        for agent in ["a", "b", "c"] {
            app.next_beat(agent).await;
        }
        let (many, more) = cost().await;
        assert_eq!((few, many), (5, 5));
        assert!(more <= samples + 60, "{samples} samples, then {more}: only kinds of requests may have come");
    }
}

#[tokio::test]
async fn an_answer_of_another_kind_would_not_pass() {
    // The description says OpenMetrics: the check that every answer goes through holds it to that.
    let document = serde_json::to_value(dispatch::http::openapi()).expect("JSON");
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("content-type", "text/plain".parse().expect("a value"));
    headers.insert("x-request-id", "0".repeat(36).parse().expect("a value"));
    let answer = Answer { status: 200, headers, text: String::new() };
    assert_eq!(spec::Spec::new(document).faults("GET", "/metrics", &answer).len(), 1);
}
