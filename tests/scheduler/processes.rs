//! Two real processes on one PostgreSQL: one leads, and when it is killed or stops answering the other does.

use std::time::{Duration, Instant};

use dispatch::engine::lead::LEASE_TTL;
use github_sim::{Sim, SimConfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::{
    API,
    support::{
        TestDb,
        app::send,
        child::{Server, dispatch},
    },
};

const LEADS: &str = "this process leads: ";
const LEADS_NO_MORE: &str = "this process leads no more";

struct Scene {
    db: TestDb,
    home: TempDir,
    sim: Sim,
}

impl Scene {
    async fn new() -> Self {
        let sim = Sim::start_with(SimConfig::default().without_limits()).await;
        sim.create_repo(API).open_issue("One");
        Self { db: TestDb::postgres().await, home: TempDir::new().expect("a folder"), sim }
    }

    /// A process whose jobs run many times a second.
    fn start(&self) -> Server {
        let mut command = dispatch(self.home.path());
        command.env("DATABASE_URL", self.db.url()).env("GITHUB_API_URL", self.sim.url());
        command.env("GITHUB_TOKEN", self.sim.token()).env("GITHUB_REPOSITORIES", API);
        command.env("DISPATCH_SCHEDULER_STARTUP_DELAY_MS", "0").env("DISPATCH_SYNC_INTERVAL_MS", "50");
        command.env("DISPATCH_STALE_WORK_INTERVAL_MS", "50").env("DISPATCH_PRUNE_CLOSED_INTERVAL_MS", "50");
        command.env("DISPATCH_LOG", "warn,dispatch=debug");
        block_in_place(|| Server::start(command))
    }

    async fn fence(&self) -> i64 {
        self.db.count("SELECT fence FROM leases").await
    }
}

async fn leads(server: &Server) -> bool {
    let health = send(server.request("GET", "/api/health")).await.expect(200);
    health["scheduler"]["leader"].as_bool().expect("a fact")
}

/// Runs of jobs that only the leader may run: begin and end by the log, an open end where the process was killed.
fn runs(server: &Server) -> Vec<(String, String, Option<String>)> {
    let mut runs: Vec<(String, String, Option<String>)> = Vec::new();
    for line in server.log() {
        let line: Value = serde_json::from_str(&line).expect("a JSON line");
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let job = text("job");
        if job == "renew" {
            continue;
        }
        match line["message"].as_str() {
            Some("a job begins") => runs.push((job, text("timestamp"), None)),
            Some("a job ended") => {
                let open = runs.iter_mut().rfind(|(name, _, end)| *name == job && end.is_none());
                open.expect("it began").2 = Some(text("timestamp"));
            }
            _ => {}
        }
    }
    runs
}

/// No job of one ran while the same job of the other did.
#[track_caller]
fn assert_apart(one: &Server, other: &Server, killed_at: &str) {
    let (one, other) = (runs(one), runs(other));
    assert!(one.len() > 20 && other.len() > 20, "{} and {} runs", one.len(), other.len());
    for (job, began, ended) in &one {
        let ended = ended.as_deref().unwrap_or(killed_at);
        let beside = other.iter().find(|(name, start, end)| {
            name == job && start.as_str() < ended && end.as_deref().is_none_or(|end| end > began.as_str())
        });
        assert!(beside.is_none(), "{job} ran twice at once: {began} to {ended}, and {beside:?}");
    }
}

#[expect(clippy::disallowed_types, reason = "the tests stop and resume the program")]
fn signal(server: &Server, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &server.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// As lines of the log have it.
fn now() -> String {
    dispatch::clock::Clock::System.now().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_is_killed_the_other_leads_within_the_ttl() {
    let scene = Scene::new().await;
    let mut first = scene.start();
    block_in_place(|| first.wait_for_line(LEADS));
    let second = scene.start();
    assert!(leads(&first).await && !leads(&second).await);
    // Both are at work for a while: the first renews its lease at least once.
    let expiry = "SELECT expires_at FROM leases";
    let before = scene.db.count(expiry).await;
    while scene.db.count(expiry).await == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(runs(&second).is_empty(), "the second only renews its own row: {:?}", runs(&second));
    let fence = scene.fence().await;
    first.kill();
    let (killed, killed_at) = (Instant::now(), now());
    block_in_place(|| second.wait_for_line(LEADS));
    let took = killed.elapsed();
    println!("the other led {took:?} after the kill; the ttl is {LEASE_TTL:?}");
    // It was killed right after it renewed, so the whole ttl had to pass; a busy machine needs a moment more to notice.
    assert!(took <= LEASE_TTL + Duration::from_secs(2), "{took:?}");
    assert_eq!(scene.fence().await, fence + 1);
    assert!(leads(&second).await);
    let many = |server: &Server| runs(server).len() > 40;
    while !many(&second) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_apart(&first, &second, &killed_at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_slept_starts_nothing_when_it_wakes() {
    let scene = Scene::new().await;
    let first = scene.start();
    block_in_place(|| first.wait_for_line(LEADS));
    let second = scene.start();
    signal(&first, "-STOP");
    block_in_place(|| second.wait_for_line(LEADS));
    let woken_at = now();
    signal(&first, "-CONT");
    block_in_place(|| first.wait_for_line(LEADS_NO_MORE));
    assert!(!leads(&first).await && leads(&second).await);
    let late: Vec<_> = runs(&first).into_iter().filter(|(_, began, _)| *began >= woken_at).collect();
    assert!(late.is_empty(), "its term had ended: {late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_ends_gives_the_lead_back() {
    let scene = Scene::new().await;
    let mut first = scene.start();
    block_in_place(|| first.wait_for_line(LEADS));
    let second = scene.start();
    assert_eq!(block_in_place(|| first.terminate()), Some(0));
    let ended = Instant::now();
    block_in_place(|| second.wait_for_line(LEADS));
    assert!(
        ended.elapsed() < LEASE_TTL / 2,
        "it did not wait for the lease to run out: {:?}",
        ended.elapsed()
    );
    assert!(leads(&second).await);
}
