//! `kill -9` between a claim and its labels: after one heartbeat GitHub and the cache agree, and nothing is forgotten.

use github_sim::{NewIssue, Sim, SimConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

use super::field::API;
use crate::{
    each_db,
    support::{
        TestDb,
        answers::strings,
        app::{send, try_send},
        child::{Server, dispatch},
    },
};

/// Where a process is killed, and what it was doing then.
const POINTS: [(&str, &str); 6] = [
    ("claim.committed", "claim"),
    ("outbox.taken", "claim"),
    ("outbox.sent", "claim"),
    ("outbox.settled", "claim"),
    ("unclaim.committed", "unclaim"),
    ("outbox.taken", "unclaim"),
];

struct Scene {
    db: TestDb,
    home: TempDir,
    sim: Sim,
}

impl Scene {
    fn start(&self, failpoints: &str) -> Server {
        let mut command = dispatch(self.home.path());
        command.env("DATABASE_URL", self.db.url()).env("GITHUB_API_URL", self.sim.url());
        command.env("GITHUB_TOKEN", self.sim.token()).env("GITHUB_REPOSITORIES", API);
        // Nothing sends or reads but what the test asks for.
        command.env("DISPATCH_SCHEDULER_ENABLED", "false").env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
        command.env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0").env("FAILPOINTS", failpoints);
        block_in_place(|| Server::start(command))
    }

    async fn body(&self, server: &Server, number: u64) -> Value {
        let state = server.request("GET", &format!("/api/issues/state?repo={API}&number={number}"));
        let state = send(state).await.expect(200);
        json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": number, "agentName": "coder" })
    }

    /// Kills the process where it stands at the failpoint while it does `verb`.
    async fn kill_at(&self, point: &str, verb: &str, number: u64) {
        let server = self.start("");
        server.beat("coder").await.expect("an answer").expect(200);
        let body = self.body(&server, number).await;
        if verb == "unclaim" {
            send(server.request("POST", "/api/issues/claim").body(body.to_string())).await.expect(200);
        }
        drop(server);
        self.bury().await;
        let mut server = self.start(&format!("{point}=pause"));
        let request = server.request("POST", &format!("/api/issues/{verb}")).body(body.to_string());
        let mut asked = JoinSet::from_iter([async move { drop(try_send(request).await) }]);
        block_in_place(|| server.wait_for_line(&format!("\"failpoint\":\"{point}\"")));
        server.kill();
        // The client may have had its answer: it waits for GitHub for two seconds only.
        asked.join_next().await.expect("one").expect("no panic");
        self.bury().await;
    }

    /// On SQLite the next process knows that all others are dead; here their rows would expire in 30 s.
    async fn bury(&self) {
        if self.db.is_postgres() {
            self.db.sql("UPDATE instances SET expires_at = 0").await;
        }
    }
}

each_db! {
    async fn killed_between_a_claim_and_its_labels(db) {
        let sim = Sim::start_with(SimConfig::default().without_limits()).await;
        sim.create_repo(API).seed(POINTS.len(), |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
        let scene = Scene { db, home: TempDir::new().expect("a folder"), sim };
        for (number, (point, verb)) in (1..).zip(POINTS) {
            let what = format!("{verb} killed at {point}");
            scene.kill_at(point, verb, number).await;
            let server = scene.start("");
            let beat = server.beat("coder").await.expect("an answer").expect(200);
            assert_eq!(beat["status"], "ok", "{what}: {beat}");
            let want: &[&str] = if verb == "claim" { &["agent/coder", "status/in-progress"] } else { &["status/ready"] };
            let state = server.request("GET", &format!("/api/issues/state?repo={API}&number={number}"));
            let state = send(state).await.expect(200);
            let (mut cached, mut there) = (strings(&state["labels"]), scene.sim.repo(API).issue(number).expect("it").labels);
            cached.sort();
            there.sort();
            assert_eq!(cached, want, "{what}: the cache");
            assert_eq!(there, want, "{what}: GitHub");
            let live = format!("SELECT count(*) FROM claims c JOIN issues i ON i.id = c.issue_id
                WHERE c.ended_at IS NULL AND i.number = {number}");
            assert_eq!(scene.db.count(&live).await, i64::from(verb == "claim"), "{what}");
            let audited = format!("SELECT count(*) FROM audit_log WHERE issue_number = {number} AND success");
            assert_eq!(scene.db.count(&audited).await, if verb == "claim" { 1 } else { 2 }, "{what}: an audit row per change");
            assert_eq!(scene.db.count("SELECT count(*) FROM label_edits WHERE state = 'pending'").await, 0, "{what}");
            drop(server);
            scene.bury().await;
        }
    }
}
