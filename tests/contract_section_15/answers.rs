//! What every client goes by: the form of answers, what may be sent again, how long an answer takes.

use std::{sync::Arc, time::Duration};

use dispatch::engine;
use futures_util::future::join_all;
use github_sim::{Fault, FaultKind};
use serde_json::{Value, json};

use super::{API, and, at_github, built, client::Client, named, with_issues};
use crate::{
    each_db,
    support::{AppBuilder, BOUND, app::engine_settings},
};

/// Answers that clients of the API do not ask for: pages for people, and metrics for Prometheus, and a stream.
const PAGES: [&str; 4] = ["/api/docs", "/api/docs/{file}", "/metrics", "/api/events"];

#[test]
fn every_2xx_that_is_described_has_a_body_and_it_is_json() {
    let document = serde_json::to_value(dispatch::http::openapi()).expect("JSON");
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                if !status.starts_with('2') || PAGES.contains(&path.as_str()) {
                    continue;
                }
                assert!(
                    matches!(status.as_str(), "200" | "201" | "202"),
                    "{method} {path}: {status} has no body"
                );
                assert!(response["content"].get("application/json").is_some(), "{method} {path}: {response}");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} were found");
}

each_db! {
    async fn every_2xx_body_is_json_and_not_null(db) {
        let app = with_issues(db, 2).await;
        let client = Client::new(&app);
        let issue = named(&client, 1, "coder").await;
        let id = issue["issueId"].as_str().expect("an id").to_owned();
        let why = format!("/api/issues/{id}/why?agent=coder");
        let lane = format!("/api/issues/{id}/lane");
        let work = json!({ "agentName": "coder", "issueId": id });
        let steps: Vec<(&str, &str, Option<Value>)> = vec![
            ("GET", "/api/agents/coder/next-task", None),
            ("GET", "/api/agents/coder/queue", None),
            ("GET", "/api/agents/coder/work-summary", None),
            ("GET", "/api/agents/coder/active-work", None),
            ("POST", "/api/issues/claim", Some(issue.clone())),
            ("GET", "/api/agents/coder/active-work", None),
            ("POST", "/api/issues/status", Some(and(issue.clone(), json!({ "status": "in-review" })))),
            ("GET", "/api/issues/claimed?agentName=coder", None),
            ("POST", "/api/agent-work/start", Some(work)),
            ("POST", "/api/agent-work/checkpoint", Some(json!({ "agentName": "coder", "checkpoint": "PR_OPENED" }))),
            ("GET", "/api/agent-work", None),
            ("POST", "/api/agents/coder/heartbeat", Some(json!({}))),
            ("POST", "/api/agents/coder/tasks/report", Some(json!({ "taskType": "implement", "outcome": "pr_opened" }))),
            ("POST", "/api/agent-work/finish", Some(json!({ "agentName": "coder", "state": "RELEASED" }))),
            ("POST", "/api/issues/claim", Some(issue.clone())),
            ("POST", "/api/issues/unclaim", Some(issue)),
            ("POST", "/api/agent-work", Some(json!({ "action": "release", "agentName": "coder", "releaseAll": true }))),
            ("POST", "/api/agent-work/sweep", Some(json!({}))),
            ("GET", &lane, None),
            ("POST", &lane, Some(json!({}))),
            ("GET", &why, None),
            ("GET", "/api/issues/state?repo=acme/api&number=1", None),
            ("POST", "/api/issues/refresh", Some(json!({ "repoFullName": API, "issueNumber": 1 }))),
            ("POST", "/api/sync", Some(json!({}))),
            ("POST", "/api/sync/scheduled", Some(json!({}))),
            ("GET", "/api/health", None),
            ("DELETE", "/api/automation/repos/acme/api", None),
        ];
        for (method, path, body) in steps {
            let answer = client.call(method, path, body).await;
            assert!(matches!(answer.status, 200 | 201), "{method} {path}: {} {}", answer.status, answer.text);
            assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{method} {path}");
            assert!(!answer.json().is_null() && !answer.text.trim().is_empty(), "{method} {path}");
        }
    }

    async fn list_routes_answer_a_bare_array_empty_or_not(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        let lists = [
            "/api/issues", "/api/issues?repo=acme/api", "/api/issues?repo=acme/none", "/api/agents/coder/queue",
            "/api/agents/coder/queue?lane=backlog&includeClaimed=true", "/api/issues/claimed?agentName=coder",
            "/api/issues/claimed?agentName=coder&status=ready", "/api/agent-runs", "/api/audit", "/api/repos", "/api/automation/repos",
        ];
        for path in lists {
            assert!(client.get(path).await.expect(200).is_array(), "{path}");
        }
        client.post("/api/issues/claim", named(&client, 1, "coder").await).await.expect(200);
        assert_eq!(client.get("/api/issues/claimed?agentName=coder").await.expect(200).as_array().map(Vec::len), Some(1));
    }

    async fn a_409_means_lost_and_whoever_has_not_lost_never_gets_one(db) {
        let app = with_issues(db, 2).await;
        let client = Client::new(&app);
        let own = named(&client, 1, "batch").await;
        // As many at once as a client has threads: its retry may overtake what it retries.
        let at_once = async |path: &str, body: Value, want: u16| {
            for answer in join_all((0..6).map(|_| client.post(path, body.clone()))).await {
                assert_eq!(answer.status, want, "{path}: {}", answer.text);
            }
        };
        at_once("/api/issues/claim", own.clone(), 200).await;
        at_once("/api/issues/status", and(own.clone(), json!({ "status": "in-progress" })), 200).await;
        at_once("/api/agent-work/start", json!({ "agentName": "batch", "issueId": own["issueId"] }), 201).await;
        at_once("/api/agent-work/checkpoint", json!({ "agentName": "batch", "checkpoint": "PR_OPENED" }), 200).await;
        at_once("/api/agents/batch/heartbeat", json!({}), 200).await;
        at_once("/api/sync", json!({}), 200).await;
        at_once("/api/sync/scheduled", json!({}), 200).await;
        let told = json!({ "taskType": "implement", "outcome": "pr_opened", "idempotencyKey": "k" });
        at_once("/api/agents/batch/tasks/report", told, 200).await;
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 1);
        at_once("/api/issues/claim", and(own, json!({ "agentName": "loser" })), 409).await;
    }

    async fn what_is_sent_again_after_its_answer_was_lost_is_2xx_again(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        let own = named(&client, 1, "batch").await;
        let steps = [
            ("/api/issues/claim", own.clone(), 200),
            ("/api/issues/status", and(own.clone(), json!({ "status": "in-review" })), 200),
            ("/api/issues/status", and(own.clone(), json!({ "status": "ready" })), 200),
            ("/api/agent-work/start", json!({ "agentName": "batch", "issueId": own["issueId"] }), 201),
            ("/api/agent-work/checkpoint", json!({ "agentName": "batch", "checkpoint": "PR_OPENED" }), 200),
            ("/api/agents/batch/tasks/report", json!({ "taskType": "implement", "outcome": "failed", "idempotencyKey": "k" }), 200),
            ("/api/agents/batch/heartbeat", json!({}), 200),
        ];
        for (path, body, want) in steps {
            client.post_and_hang_up(path, body.clone()).await;
            client.post(path, body.clone()).await.expect(want);
            client.post(path, body).await.expect(want);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 1);
        assert_eq!(app.db.count("SELECT count(*) FROM reports").await, 1, "its key stands for one report");
    }

    async fn what_passes_is_said_by_codes_that_clients_retry(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        let own = named(&client, 1, "batch").await;
        let status = and(own.clone(), json!({ "status": "in-progress" }));
        for (path, body) in [("/api/issues/claim", own), ("/api/issues/status", status)] {
            for kind in [FaultKind::Status(500), FaultKind::Reset, FaultKind::SecondaryLimit { status: 403, retry_after: Some(1) }] {
                app.advance(Duration::from_secs(16));
                let fault = app.sim.fault(Fault::new(kind.clone()));
                client.post(path, body.clone()).await.expect(503);
                app.sim.clear_fault(fault);
                app.advance(Duration::from_mins(16));
                client.post(path, body.clone()).await.expect(200);
            }
        }
        assert_eq!(at_github(&app, 1), ["agent/batch", "status/in-progress"]);
    }

    async fn a_429_says_in_whole_seconds_when_to_come_again(db) {
        let app = built(AppBuilder { requests_per_second: 1, ..AppBuilder::default() }, db, 1).await;
        let worker = Client::with_token(&app, Some(BOUND));
        let mut refused = None;
        // The bucket starts full.
        for _ in 0..600 {
            let answer = worker.get("/api/agents/bound/queue").await;
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
        }
        let refused = refused.expect("the limit is reached");
        let wait: u64 = refused.header("retry-after").expect("a header").parse().expect("whole seconds");
        assert!((1..=16).contains(&wait), "{wait}: clients wait no longer than 16 s");
        app.advance(Duration::from_secs(wait));
        worker.get("/api/agents/bound/queue").await.expect(200);
        for _ in 0..20 {
            Client::new(&app).get("/api/agents/bound/queue").await.expect(200);
        }
    }

    async fn answers_come_before_clients_give_up_whatever_github_does(db) {
        let patience = Duration::from_millis(300);
        let settings = engine::Settings { heartbeat_deadline: patience, live_check_patience: patience, ..engine_settings() };
        let app = built(AppBuilder { engine: settings, ..AppBuilder::default() }, db, 2).await;
        let client = Client::new(&app);
        let (one, two) = (named(&client, 1, "batch").await, named(&client, 2, "batch").await);
        client.post("/api/issues/claim", one.clone()).await.expect(200);
        app.sim.fault(Fault::new(FaultKind::Hang));
        app.sim.reset_counters();
        // A GET waits 20 s, and asks GitHub for nothing.
        for path in ["next-task", "queue", "active-work", "work-summary"] {
            client.get(&format!("/api/agents/batch/{path}")).await.expect(200);
        }
        for path in ["/api/issues", "/api/issues/claimed?agentName=batch", "/api/issues/state?repo=acme/api&number=1", "/api/agent-work"] {
            client.get(path).await.expect(200);
        }
        assert_eq!(app.sim.counters().requests, 0);
        // A POST waits 30 s: what GitHub must say first is waited for that long, what it is told is not.
        client.post("/api/issues/unclaim", one).await.expect(200);
        app.advance(Duration::from_secs(16));
        client.post("/api/issues/claim", two.clone()).await.expect(503);
        client.post("/api/issues/status", and(two, json!({ "status": "ready" }))).await.expect(503);
        assert_eq!(client.post("/api/agents/batch/heartbeat", json!({})).await.expect(200)["status"], "warning");
        let usual = engine::Settings::default();
        assert!(usual.heartbeat_deadline + Duration::from_secs(2) < Duration::from_secs(30));
        assert!(usual.live_check_patience + Duration::from_secs(2) < Duration::from_secs(20));
    }

    async fn a_token_is_all_that_a_call_needs(db) {
        let app = Arc::new(with_issues(db, 1).await);
        let client = Client::new(&app);
        client.post("/api/issues/claim", named(&client, 1, "batch").await).await.expect(200);
        for _ in 0..2 {
            client.post("/api/agents/batch/heartbeat", json!({})).await.expect(200);
        }
        assert_eq!(client.get("/api/agent-runs?agent=batch").await.expect(200).as_array().map(Vec::len), Some(2), "no key: each counts");
        let rows = client.get("/api/audit").await.expect(200);
        assert_eq!((&rows[0]["action"], &rows[0]["actor"]), (&json!("claim_issue"), &json!("batch")), "whom the body names");
        for token in [None, Some("wrong")] {
            Client::with_token(&app, token).get("/api/agents/batch/queue").await.expect(401);
        }
    }
}
