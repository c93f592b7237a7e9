//! Clients that hang up at any moment: the work they began ends well, and nobody else notices.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use github_sim::NewIssue;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use support::{App, AppBuilder, BOUND, MAINTAINER, app::send, world};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

const API: &str = "acme/api";
const WEB: &str = "acme/web";
const CLIENTS: usize = 200;
/// As long as one answer of GitHub takes.
const LATENCY: Duration = Duration::from_millis(40);

/// When a client hangs up.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After so many bytes of its request.
    Writing(usize),
    /// So long after the whole of it.
    Waiting(Duration),
    /// After so many bytes of the answer.
    Reading(usize),
}

/// What a client asks before it hangs up.
#[derive(Clone, Debug)]
struct Hasty {
    request: String,
    moment: Moment,
    /// With a reset instead of a goodbye.
    reset: bool,
}

fn request(method: &str, path: &str, more: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: dispatch\r\nauthorization: Bearer {MAINTAINER}\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A client by chance, the same for the same seed.
fn hasty(n: usize, random: &mut StdRng) -> Hasty {
    let beat = format!("/api/agents/agent-{}/heartbeat", n % 40);
    let key = format!("idempotency-key: key-{}\r\n", n % 15);
    let body = json!({ "filler": "x".repeat(random.random_range(0..3_000)) }).to_string();
    let request = match random.random_range(0..10) {
        0..4 => request("POST", &beat, "", &body),
        4..6 => request("POST", "/api/agents/keyed/heartbeat", &key, "{}"),
        6 => request("POST", "/api/sync", "", &json!({ "sweep": n.is_multiple_of(2) }).to_string()),
        7 => request(
            "POST",
            "/api/issues/refresh",
            "",
            &json!({ "repoFullName": API, "issueNumber": 1 }).to_string(),
        ),
        8 => {
            let run = json!({ "agentName": "x", "runType": "hasty", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
            request("POST", "/api/agent-runs", "", &run.to_string())
        }
        _ => request("GET", "/api/issues", "", ""),
    };
    let moment = match random.random_range(0..4) {
        0 => Moment::Writing(random.random_range(0..request.len())),
        1 | 2 => Moment::Waiting(Duration::from_micros(random.random_range(0..4 * 40_000))),
        _ => Moment::Reading(random.random_range(1..600)),
    };
    Hasty { request, moment, reset: random.random_bool(0.5) }
}

impl Hasty {
    async fn live(&self, app: &App) {
        let mut stream = TcpStream::connect(app.address).await.expect("a connection");
        let bytes = self.request.as_bytes();
        match self.moment {
            Moment::Writing(most) => stream.write_all(&bytes[..most]).await.expect("written"),
            Moment::Waiting(span) => {
                stream.write_all(bytes).await.expect("written");
                sleep(span).await;
            }
            Moment::Reading(most) => {
                stream.write_all(bytes).await.expect("written");
                let mut answer = vec![0; most];
                let _ = timeout(Duration::from_secs(20), stream.read_exact(&mut answer)).await;
            }
        }
        if self.reset {
            let _ = stream.set_zero_linger();
        }
    }
}

async fn running(app: &App) -> i64 {
    app.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await
}

/// Waits until every pass has ended.
async fn settle(app: &App) {
    let settled = async {
        while running(app).await > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(Duration::from_secs(20), settled).await.is_ok(), "{} runs never end", running(app).await);
}

/// More requests of every kind than the pool has connections, all answered.
async fn assert_serves(app: &App) {
    let beats = join_all((0..50).map(|n| app.beat(if n % 2 == 0 { "even" } else { "odd" })));
    let reads = join_all((0..50).map(|_| app.get("/api/issues")));
    let (beats, reads) =
        timeout(Duration::from_secs(20), async { (beats.await, reads.await) }).await.expect("answers");
    assert!(beats.iter().all(|beat| beat["status"] == "ok"), "{beats:?}");
    assert!(reads.iter().all(|read| read.status == 200));
}

each_db! {
    async fn two_hundred_hang_up_and_nobody_else_notices(db) {
        let mut builder = AppBuilder { repos: vec![API.into(), WEB.into()], points_per_minute: 0, ..AppBuilder::default() };
        builder.sim = builder.sim.without_limits();
        builder.sim.latency = LATENCY;
        let app = builder.start(db).await;
        app.sim.repo(API).seed(30, |n| NewIssue::new(format!("Issue {n}")));
        app.sim.repo(WEB).seed(30, |n| NewIssue::new(format!("Issue {n}")));
        app.beat("first").await;
        let mut random = StdRng::seed_from_u64(2_026);
        let clients: Vec<_> = (0..CLIENTS).map(|n| hasty(n, &mut random)).collect();
        let hasty = join_all(clients.iter().enumerate().map(|(n, client)| {
            let app = &app;
            async move {
                sleep(Duration::from_millis(5 * n as u64)).await;
                if n % 5 == 0 {
                    // The world moves on, so that there is always something to read and to write.
                    app.sim.repo(API).set_title(n as u64 % 30 + 1, &format!("Title {n}"));
                    app.advance(Duration::from_secs(6));
                }
                client.live(app).await;
            }
        }));
        // Those who stay join the reads, and the keys, of those who go.
        let patient = join_all((0..40).map(|n| {
            let app = &app;
            async move {
                sleep(Duration::from_millis(25 * n)).await;
                let path = if n % 2 == 0 { format!("/api/agents/patient-{n}/heartbeat") } else { "/api/agents/keyed/heartbeat".into() };
                let request = app.request("POST", &path, MAINTAINER);
                let request = if n % 2 == 0 { request } else { request.header("idempotency-key", format!("key-{}", n % 15)) };
                send(request.body("{}")).await
            }
        }));
        let ((), answers) = tokio::join!(async { drop(hasty.await) }, patient);
        for answer in &answers {
            let beat = answer.expect(200);
            assert_eq!(beat["status"], "ok", "{beat}");
        }
        settle(&app).await;
        assert_serves(&app).await;
        settle(&app).await;
        let whole = "SELECT count(*) FROM runs WHERE run_type = 'heartbeat' AND status = 'ok' AND finished_at IS NOT NULL";
        let all = app.db.count("SELECT count(*) FROM runs WHERE run_type = 'heartbeat'").await;
        assert_eq!(app.db.count(whole).await, all);
        let keyed = app.db.count("SELECT count(*) FROM runs WHERE agent_key = 'keyed'").await;
        assert!(keyed <= 15, "{keyed} passes for 15 keys");
        app.tick();
        app.post("/api/sync", json!({ "sweep": true })).await.expect(200);
        world::assert_same(&app, API).await;
        world::assert_same(&app, WEB).await;
        let (db, ..) = app.stop().await;
        assert_eq!(db.count("SELECT count(*) FROM runs WHERE status IN ('running', 'error')").await, 0);
    }

    async fn a_pass_that_was_begun_ends_without_its_client(db) {
        let mut builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
        builder.sim.latency = Duration::from_millis(300);
        let app = builder.start(db).await;
        app.sim.repo(API).open_issue("One");
        let mut stream = TcpStream::connect(app.address).await.expect("a connection");
        let key = "idempotency-key: key\r\n";
        stream.write_all(request("POST", "/api/agents/coder/heartbeat", key, "{}").as_bytes()).await.expect("written");
        while running(&app).await == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        drop(stream);
        // Somebody who comes later with the same key gets what the one who left would have got.
        let again = app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER).header("idempotency-key", "key");
        let answer = send(again).await;
        let beat = answer.expect(200);
        assert_eq!(answer.header("idempotent-replay"), Some("true"));
        assert_eq!(beat["touchedIssueUrls"], json!(["https://github.com/acme/api/issues/1"]));
        assert_eq!(app.db.count("SELECT count(*) FROM runs").await, 1);
        world::assert_same(&app, API).await;
    }

    async fn a_hang_up_in_the_middle_of_a_body_begins_nothing(db) {
        let app = App::with_repos(db, &[API]).await;
        let whole = [
            request("POST", "/api/agents/coder/heartbeat", "", &json!({ "filler": "x".repeat(10_000) }).to_string()),
            request("POST", "/api/automation/repos", "", &json!({ "fullName": WEB, "filler": "x".repeat(100) }).to_string()),
            request("POST", "/api/sync", "", &json!({ "filler": "x".repeat(100) }).to_string()),
        ];
        for request in &whole {
            let head = request.find("\r\n\r\n").expect("the end of the head") + 4;
            for most in [1, head / 2, head, head + 1, head + 50, request.len() - 1] {
                for reset in [false, true] {
                    let client = Hasty { request: request.clone(), moment: Moment::Writing(most), reset };
                    client.live(&app).await;
                }
            }
        }
        // Half a body, and then silence: others are served meanwhile.
        let mut silent = Vec::new();
        for request in whole.iter().cycle().take(30) {
            let mut stream = TcpStream::connect(app.address).await.expect("a connection");
            stream.write_all(&request.as_bytes()[..request.len() - 1]).await.expect("written");
            silent.push(stream);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM runs").await, 0);
        assert_eq!(app.get("/api/repos").await.expect(200).as_array().expect("an array").len(), 1);
        assert_eq!(app.sim.counters().requests, 0);
        assert_serves(&app).await;
        // Whoever goes on is answered after all.
        let mut stream = silent.swap_remove(0);
        stream.write_all(b"}").await.expect("written");
        let mut status = [0; 15];
        timeout(Duration::from_secs(20), stream.read_exact(&mut status)).await.expect("in time").expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        drop(silent);
        settle(&app).await;
    }

    async fn a_refused_client_that_hangs_up_leaves_nothing(db) {
        let app = App::with_repos(db, &[API]).await;
        let refused = request("POST", "/api/agents/other/heartbeat", "", "{}").replace(MAINTAINER, BOUND);
        for span in 0..40 {
            let moment = Moment::Waiting(Duration::from_micros(50 * span));
            Hasty { request: refused.clone(), moment, reset: span % 2 == 0 }.live(&app).await;
        }
        assert_serves(&app).await;
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE agent_key = 'other'").await, 0);
        assert!(app.db.count("SELECT count(*) FROM audit_log").await <= 10);
    }
}
