//! `kill -9` while an item is handed out or a report is settled: afterwards it is as if nothing had happened, or all of it.

use github_sim::{Sim, SimConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

use super::field::{API, evidence, report_of, sha};
use crate::{
    each_db,
    support::{
        TestDb,
        app::{send, try_send},
        child::{Server, dispatch},
    },
};

struct Scene {
    db: TestDb,
    home: TempDir,
    sim: Sim,
}

const NEXT: &str = "/api/agents/coder/next-task";
const BEAT: &str = "/api/agents/coder/heartbeat";
const REPORT: &str = "/api/agents/coder/tasks/report";

impl Scene {
    async fn new(db: TestDb) -> Self {
        let sim = Sim::start_with(SimConfig::default()).await;
        let repo = sim.create_repo(API);
        repo.seed(3, |n| format!("Issue {n}"));
        repo.open_pull("Mends something", "fix/4");
        repo.edit_pull(4, |pull| pull.head_sha = sha('a'));
        Self { db, home: TempDir::new().expect("a folder"), sim }
    }

    fn start(&self, failpoints: &str) -> Server {
        let mut command = dispatch(self.home.path());
        command.env("DATABASE_URL", self.db.url()).env("GITHUB_API_URL", self.sim.url());
        command.env("GITHUB_TOKEN", self.sim.token()).env("GITHUB_REPOSITORIES", API);
        command.env("DISPATCH_SCHEDULER_ENABLED", "false").env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0");
        command.env("FAILPOINTS", failpoints);
        block_in_place(|| Server::start(command))
    }

    /// Kills the process where it stands at the failpoint while it answers.
    async fn kill_at(&self, point: &str, method: &str, path: &str, body: &Value) {
        let mut server = self.start(&format!("{point}=pause"));
        let request = server.request(method, path).body(body.to_string());
        let mut asked = JoinSet::from_iter([async move { drop(try_send(request).await) }]);
        block_in_place(|| server.wait_for_line(&format!("\"failpoint\":\"{point}\"")));
        server.kill();
        asked.join_next().await.expect("one").expect("no panic");
        // On SQLite the next process knows that all others are dead.
        if self.db.is_postgres() {
            self.db.sql("UPDATE instances SET expires_at = 0").await;
        }
    }

    /// What went out is looked for after half a minute.
    async fn later(&self) {
        self.db.sql("UPDATE outbox SET tried_at = tried_at - 60000").await;
        if self.db.is_postgres() {
            self.db.sql("UPDATE instances SET expires_at = 0").await;
        }
    }

    async fn enqueue(&self) {
        let server = self.start("");
        let body = evidence(4, "k").to_string();
        send(server.request("POST", "/api/pr-fix-queue/enqueue").body(body)).await.expect(200);
    }

    async fn state(&self) -> String {
        let sql = "SELECT status || ' g' || generation || ' a' || fix_attempts FROM pr_fix_items";
        self.db.texts(sql).await.pop().expect("the item")
    }
}

each_db! {
    async fn who_never_heard_of_its_item_gets_it_again(db) {
        let scene = Scene::new(db).await;
        scene.enqueue().await;
        scene.kill_at("pr_fix.handed", "GET", NEXT, &json!({})).await;
        let server = scene.start("");
        let other = send(server.request("GET", &NEXT.replace("coder", "other"))).await.expect(200);
        assert_eq!(other["type"], "idle", "it is handed out");
        let task = send(server.request("GET", NEXT)).await.expect(200);
        assert_eq!((&task["pullRequest"]["number"], &task["prFixItem"]["generation"]), (&json!(4), &json!(1)));
        assert_eq!(scene.db.count("SELECT count(*) FROM pr_fix_handouts").await, 1);
    }

    async fn a_report_is_settled_once_whenever_the_process_dies(db) {
        let scene = Scene::new(db).await;
        scene.enqueue().await;
        // Recorded and not settled, or settled and not committed.
        for (round, point) in (1..).zip(["report.recorded", "report.settled"]) {
            let server = scene.start("");
            let task = send(server.request("GET", NEXT)).await.expect(200);
            assert_eq!(task["prFixItem"]["generation"], round, "{point}");
            let mut body = report_of(&task, "failed");
            body["idempotencyKey"] = json!(point);
            drop(server);
            scene.kill_at(point, "POST", REPORT, &body).await;
            assert_eq!(scene.state().await, format!("QUEUED g{round} a{round}"), "{point}: nothing of it");
            assert_eq!(scene.db.count("SELECT count(*) FROM reports WHERE state = 'pending'").await, 1, "{point}");
            let server = scene.start("");
            for _ in 0..2 {
                let told = send(server.request("POST", REPORT).body(body.to_string())).await.expect(200);
                assert_eq!((&told["duplicate"], &told["prFixResolution"]["action"]), (&json!(true), &json!("requeued")), "{point}");
            }
            let next = round + 1;
            assert_eq!(scene.state().await, format!("QUEUED g{next} a{next}"), "{point}: all of it, once");
        }
        assert_eq!(scene.db.count("SELECT count(*) FROM pr_fix_history WHERE action = 'report'").await, 2);
        assert_eq!(scene.db.count("SELECT count(*) FROM audit_log WHERE action = 'pr_fix_settle'").await, 2);
    }

    async fn a_call_goes_out_once_whenever_the_process_dies(db) {
        let scene = Scene::new(db).await;
        scene.enqueue().await;
        let repo = scene.sim.repo(API);
        let borne = || (repo.issue(4).expect("it").labels.len(), repo.comments(4).len());
        for point in ["pr_fix.committed", "outbox.write.taken", "outbox.write.sent", "outbox.write.settled"] {
            for (status, want) in [("BLOCKED", (1, 1)), ("QUEUED", (0, 0))] {
                let said = json!({ "repo": API, "pr": 4, "status": status });
                scene.kill_at(point, "POST", "/api/pr-fix-queue/mark", &said).await;
                scene.later().await;
                if point != "pr_fix.committed" {
                    // The comment's turn.
                    scene.db.sql("UPDATE outbox SET next_try_at = next_try_at + 3600000 WHERE kind = 'label'").await;
                    scene.kill_at(point, "POST", BEAT, &json!({})).await;
                    scene.db.sql("UPDATE outbox SET next_try_at = next_try_at - 3600000 WHERE kind = 'label'").await;
                    scene.later().await;
                }
                let server = scene.start("");
                send(server.request("POST", BEAT)).await.expect(200);
                drop(server);
                scene.later().await;
                assert_eq!(borne(), want, "{status}, killed at {point}");
                let waits = "SELECT count(*) FROM outbox WHERE state <> 'settled'";
                assert_eq!(scene.db.count(waits).await, 0, "{status}, killed at {point}");
            }
        }
        for action in ["call_human", "call_human_over"] {
            let rows = format!("SELECT count(*) FROM audit_log WHERE action = '{action}'");
            assert_eq!(scene.db.count(&rows).await, 4, "{action}");
        }
    }
}
