//! `kill -9` while deliveries come in: what was answered is applied, each once, without asking GitHub.

use std::time::{Duration, Instant};

use github_sim::{Sim, SimConfig, WebhookDelivery};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

use crate::{
    API, SECRET, each_db,
    scene::{PATH, signature},
    support::{
        TestDb,
        app::{send, try_send},
        child::{Server, dispatch},
        world,
    },
};

/// Where the process is killed, and how often it may pass there before.
const POINTS: [(&str, usize); 5] = [
    ("webhook.received", 0),
    ("webhook.stored", 0),
    ("webhook.applied", 0),
    ("webhook.applied", 3),
    ("webhook.committed", 2),
];

struct Scene {
    db: TestDb,
    home: TempDir,
    sim: Sim,
}

impl Scene {
    #[expect(clippy::disallowed_types, reason = "the tests start the program")]
    fn command(&self) -> std::process::Command {
        let mut command = dispatch(self.home.path());
        command.env("DATABASE_URL", self.db.url()).env("GITHUB_API_URL", self.sim.url());
        command.env("GITHUB_TOKEN", self.sim.token()).env("GITHUB_REPOSITORIES", API);
        command.env("WEBHOOK_SECRET", SECRET).env("DISPATCH_SCHEDULER_ENABLED", "false");
        command
    }

    fn start(&self, failpoints: &str) -> Server {
        let mut command = self.command();
        command.env("FAILPOINTS", failpoints);
        block_in_place(|| Server::start(command))
    }

    /// People edit every issue; what GitHub tells of it.
    async fn edits(&self, round: usize) -> Vec<WebhookDelivery> {
        let known = self.sim.webhook_deliveries().len();
        for number in 1..=12 {
            self.sim.repo(API).set_body(number, &format!("Round {round}"));
        }
        self.sim.webhooks_idle().await;
        self.sim.webhook_deliveries().split_off(known)
    }
}

fn request(server: &Server, it: &WebhookDelivery) -> reqwest::RequestBuilder {
    let request = server.request("POST", PATH).header("x-github-event", &it.event);
    let request = request.header("x-github-delivery", &it.guid);
    request.header("x-hub-signature-256", signature(SECRET, &it.payload)).body(it.payload.to_vec())
}

async fn list(server: &Server) -> Vec<Value> {
    let rows = send(server.request("GET", "/api/deliveries")).await.expect(200);
    rows.as_array().expect("an array").clone()
}

each_db! {
    async fn what_was_stored_is_applied_by_the_next_process(db) {
        let mut config = SimConfig::default().without_limits();
        let clock = github_sim::ManualClock::new(crate::support::START_MS);
        config.clock = github_sim::Clock::Manual(clock.clone());
        let sim = Sim::start_with(config).await;
        let repo = sim.create_repo(API);
        repo.seed(12, |n| format!("Issue {n}"));
        repo.add_webhook("http://127.0.0.1:9/", SECRET);
        let scene = Scene { db, home: TempDir::new().expect("a folder"), sim };
        let server = scene.start("");
        server.beat("coder").await.expect("an answer").expect(200);
        drop(server);
        for (round, (point, passes)) in POINTS.into_iter().enumerate() {
            clock.advance(Duration::from_secs(10));
            let edits = scene.edits(round).await;
            assert_eq!(edits.len(), 12);
            scene.sim.reset_counters();
            let action = if passes == 0 { "pause".to_owned() } else { format!("{passes}*off->pause") };
            let mut server = scene.start(&format!("{point}={action}"));
            let mut posts = JoinSet::new();
            for it in &edits {
                let (request, guid) = (request(&server, it), it.guid.clone());
                posts.spawn(async move { (guid, try_send(request).await.map(|answer| answer.status).ok()) });
            }
            block_in_place(|| {
                let line = format!("\"failpoint\":\"{point}\"");
                (0..=passes).for_each(|_| _ = server.wait_for_line(&line));
            });
            server.kill();
            let answers = posts.join_all().await;
            let server = scene.start("");
            let began = Instant::now();
            loop {
                let rows = list(&server).await;
                let of_round = |guid: &str| rows.iter().find(|row| row["deliveryId"] == guid);
                let stored: Vec<&Value> = edits.iter().filter_map(|it| of_round(&it.guid)).collect();
                for (guid, status) in &answers {
                    assert!(*status != Some(202) || of_round(guid).is_some(), "{point}: {guid} was lost");
                }
                if stored.iter().all(|row| row["state"] == "applied") {
                    break;
                }
                assert!(began.elapsed() < Duration::from_secs(30), "{point}: {stored:#?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // GitHub sends again what was not answered; here everything.
            for it in &edits {
                let receipt = send(request(&server, it)).await.expect(202);
                assert!(["duplicate", "pending"].contains(&receipt["state"].as_str().expect("a state")), "{receipt}");
            }
            let began = Instant::now();
            while list(&server).await.iter().any(|row| row["state"] == "pending") {
                assert!(began.elapsed() < Duration::from_secs(30), "{point}: something stays pending");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let rows = list(&server).await;
            assert!(rows.iter().all(|row| row["state"] == "applied"), "{point}: {rows:#?}");
            let cached = send(server.request("GET", "/api/issues?repo=acme/api")).await.expect(200);
            assert_eq!(world::views(&cached), world::expected_of(&scene.sim.repo(API), &[]), "{point}");
            assert_eq!(scene.sim.counters().requests, 0, "{point}: {:?}", scene.sim.counters().by_kind);
        }
    }
}
