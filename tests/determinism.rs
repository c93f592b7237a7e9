//! The same history gives the same answers, byte for byte, whenever it runs and on whichever database.

mod support;

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match, NewIssue};
use reqwest::header::HeaderMap;
use serde_json::json;
use support::{Answer, App, AppBuilder, BOUND, TestDb, app::send};

const API: &str = "acme/api";
const WEB: &str = "acme/web";

/// What is written down of one answer.
fn entry(what: &str, answer: &Answer) -> String {
    let header = |headers: &HeaderMap, name: &str| headers.get(name).map(|value| format!("{value:?}"));
    let names = ["content-type", "x-request-id", "idempotent-replay", "x-next-cursor", "link"];
    let headers: Vec<_> = names.iter().filter_map(|name| header(&answer.headers, name)).collect();
    format!("{what}: {} {}\n{}", answer.status, headers.join(" "), answer.text)
}

/// A server with its diary.
struct Chronicle {
    app: App,
    entries: Vec<String>,
}

impl Chronicle {
    async fn get(&mut self, path: &str) {
        let answer = self.app.get(path).await;
        self.entries.push(entry(path, &answer));
    }

    async fn post(&mut self, path: &str, body: serde_json::Value) {
        let answer = self.app.post(path, body).await;
        self.entries.push(entry(path, &answer));
    }

    async fn beat(&mut self, agent: &str) {
        self.app.tick();
        self.post(&format!("/api/agents/{agent}/heartbeat"), json!({})).await;
    }

    /// Everything that can be read.
    async fn look_around(&mut self) {
        for path in [
            "/api/issues",
            "/api/issues?repo=acme/api&includeClosed=true",
            "/api/issues?limit=7",
            "/api/issues?priority=priority/p1",
            "/api/issues/state?repo=acme/api&number=1",
            "/api/automation/repos",
            "/api/repos",
            "/api/agent-runs?limit=20",
            "/api/audit",
            "/api/health",
        ] {
            self.get(path).await;
        }
    }
}

async fn start(db: TestDb, seed: u64) -> Chronicle {
    let builder =
        AppBuilder { repos: vec![API.into(), WEB.into()], seed, retries: 0, ..AppBuilder::default() };
    Chronicle { app: builder.start(db).await, entries: Vec::new() }
}

/// A few days of two repositories and three agents; the whole of what was answered.
async fn history(db: TestDb, seed: u64) -> Vec<String> {
    let mut log = start(db, seed).await;
    let (api, web) = (log.app.sim.repo(API), log.app.sim.repo(WEB));
    log.beat("coder").await;
    api.seed(12, |n| NewIssue::new(format!("Issue {n}")).labels(["status/ready", "priority/p1"]));
    log.beat("coder").await;
    web.seed(120, |n| NewIssue::new(format!("Page {n}")).label("Priority/P2"));
    log.beat("scribe").await;
    log.look_around().await;
    api.set_title(3, "Another title");
    api.close_issue(4);
    log.beat("coder").await;
    log.app.tick();
    api.delete_issue(5);
    api.add_label(6, "bug");
    log.beat("Coder").await;
    log.beat("reviewer").await;
    log.look_around().await;
    let fault = log.app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::repo(WEB)));
    log.beat("coder").await;
    log.post("/api/sync", json!({})).await;
    log.app.sim.clear_fault(fault);
    let fault =
        log.app.sim.fault(Fault::new(FaultKind::SecondaryLimit { status: 429, retry_after: Some(90) }));
    log.beat("coder").await;
    log.beat("scribe").await;
    log.app.sim.clear_fault(fault);
    log.app.advance(Duration::from_mins(10));
    log.post("/api/sync", json!({ "sweep": true })).await;
    log.post("/api/sync/scheduled", json!({ "automation": true })).await;
    log.post("/api/issues/refresh", json!({ "repoFullName": API, "issueNumber": 1 })).await;
    log.post("/api/issues/refresh", json!({ "repoFullName": API, "issueNumber": 99 })).await;
    log.post("/api/automation/repos", json!({ "fullName": "acme/none" })).await;
    log.beat("coder").await;
    let denied = send(log.app.request("GET", "/api/audit", BOUND)).await;
    log.entries.push(entry("denied", &denied));
    let run =
        json!({ "agentName": "coder", "runType": "x", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
    log.post("/api/agent-runs", run).await;
    let (db, sim, clock) = log.app.stop().await;
    let again = AppBuilder { seed: seed + 1, retries: 0, ..AppBuilder::default() };
    log.app = again.start_with(db, sim, clock).await;
    log.beat("coder").await;
    log.app.advance(Duration::from_hours(24 * 8));
    log.beat("coder").await;
    log.look_around().await;
    log.entries
}

/// Asserts that two diaries say the same, and shows the first entry that does not.
#[track_caller]
fn assert_same(one: &[String], other: &[String]) {
    for (n, (one, other)) in one.iter().zip(other).enumerate() {
        assert!(one == other, "entry {n} differs:\n{one}\n\n{other}");
    }
    assert_eq!(one.len(), other.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_history_gives_one_diary_on_both_databases() {
    let first = history(TestDb::sqlite().await, 7).await;
    assert!(first.len() > 45, "{} entries", first.len());
    for db in [TestDb::sqlite().await, TestDb::postgres().await, TestDb::postgres().await] {
        assert_same(&history(db, 7).await, &first);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_seed_changes_identifiers_and_nothing_else() {
    let (one, other) = (history(TestDb::sqlite().await, 7).await, history(TestDb::sqlite().await, 70).await);
    assert_ne!(one, other);
    let summaries = |entries: &[String]| -> Vec<String> {
        let beats = entries.iter().filter(|entry| entry.contains("/heartbeat"));
        let without_id = |text: &str| {
            let (_, body) = text.split_once('\n').expect("a body");
            let mut body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            body["runId"].take();
            body.to_string()
        };
        beats.map(|entry| without_id(entry)).collect()
    };
    assert_same(&summaries(&one), &summaries(&other));
}

/// Both repositories change in one pass, so that two reads race for identifiers.
async fn race(db: TestDb) -> Vec<String> {
    let mut log = start(db, 7).await;
    for n in 0..6 {
        for name in [API, WEB] {
            log.app.sim.repo(name).open_issue(format!("Issue {n}"));
        }
        log.beat("coder").await;
    }
    log.look_around().await;
    log.entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_race_give_one_diary_as_well() {
    let first = race(TestDb::sqlite().await).await;
    for _ in 0..8 {
        assert_same(&race(TestDb::sqlite().await).await, &first);
        assert_same(&race(TestDb::postgres().await).await, &first);
    }
}
