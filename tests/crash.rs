//! `kill -9` of the real program, at failpoints and at random moments: what began is on record, the cache
//! goes on where it was, and nothing stays locked.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dispatch::domain::notice::Code;
use github_sim::{NewIssue, Repo, Sim, SimConfig};
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use support::{
    Answer, MAINTAINER, TestDb,
    app::{send, try_send},
    child::{Server, dispatch, end_of},
    world,
};
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

/// Below a page of items: a read finds everything that vanishes there.
const SMALL: [&str; 2] = ["acme/api", "acme/web"];
/// More than a page: its changes are read forward.
const BIG: &str = "acme/big";
const HIDDEN: &str = "wontfix";
/// On PostgreSQL, where the first process may have died before it made the tables.
const EXPIRE_ALL: &str = "DO $$ BEGIN
    IF to_regclass('instances') IS NOT NULL THEN UPDATE instances SET expires_at = 0; END IF;
END $$";

/// Every failpoint on the way of a heartbeat, and whether a kill there cuts a recorded run off.
const POINTS: [(&str, bool); 10] = [
    ("record.begin", false),
    ("record.began", true),
    ("sync.read", true),
    ("sync.page.fetched", true),
    ("sync.page.written", true),
    ("sync.page.committed", true),
    ("sync.forward", true),
    ("reconcile", true),
    ("record.close", true),
    ("record.closed", false),
];

/// People at GitHub, who never rest.
#[derive(Clone)]
struct Churn {
    sim: Sim,
    rng: Arc<Mutex<StdRng>>,
    serial: Arc<AtomicU64>,
}

impl Churn {
    fn new(sim: &Sim, seed: u64) -> Self {
        let rng = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        Self { sim: sim.clone(), rng, serial: Arc::default() }
    }

    fn below(&self, most: u64) -> u64 {
        self.rng.lock().random_range(0..most)
    }

    fn text(&self) -> String {
        format!("text {}", self.serial.fetch_add(1, Ordering::Relaxed))
    }

    fn some_issue(&self, repo: &Repo) -> Option<u64> {
        let issues = repo.issues();
        let place = self.below(u64::try_from(issues.len()).ok()?.max(1));
        Some(issues.get(usize::try_from(place).ok()?)?.number)
    }

    /// Something changes in every repository.
    fn everywhere(&self) {
        for name in SMALL {
            self.change(&self.sim.repo(name));
        }
        let big = self.sim.repo(BIG);
        for number in 1..=120 {
            big.set_body(number, &self.text());
        }
    }

    fn change(&self, repo: &Repo) {
        let few = repo.issues().len() + repo.pulls().len() < 60;
        let Some(number) = self.some_issue(repo) else {
            repo.open_issue(self.text());
            return;
        };
        match self.below(12) {
            0..=2 if few => _ = repo.open_issue(NewIssue::new(self.text()).label("status/ready")),
            3 if few => _ = repo.open_pull(self.text(), "fix/it"),
            0..=3 => repo.delete_issue(number),
            4 => repo.set_title(number, &self.text()),
            5 => repo.add_label(number, "status/in-progress"),
            6 => repo.add_label(number, HIDDEN),
            7 => repo.remove_label(number, HIDDEN),
            8 => repo.close_issue(number),
            9 => repo.reopen_issue(number),
            10 => _ = repo.comment(number, "mona", &self.text()),
            _ => {
                _ = repo
                    .transfer_issue(number, if repo.full_name() == SMALL[0] { SMALL[1] } else { SMALL[0] });
            }
        }
    }
}

/// A database over which processes come and go, and the GitHub behind them.
struct Scene {
    db: TestDb,
    home: TempDir,
    sim: Sim,
    repos: Vec<&'static str>,
    churn: Churn,
    /// Heartbeats that were answered.
    answers: Arc<Mutex<Vec<Value>>>,
    kills: usize,
    interrupted: usize,
}

impl Scene {
    async fn new(db: TestDb, repos: Vec<&'static str>, seed: u64) -> Self {
        let sim = Sim::start_with(SimConfig::default().without_limits()).await;
        for name in &repos {
            sim.create_repo(name);
        }
        let (churn, answers) = (Churn::new(&sim, seed), Arc::default());
        let home = TempDir::new().expect("a folder");
        Self { db, home, sim, repos, churn, answers, kills: 0, interrupted: 0 }
    }

    /// Two small repositories and one of more than a page.
    async fn usual(db: TestDb, seed: u64) -> Self {
        let scene = Self::new(db, vec![SMALL[0], SMALL[1], BIG], seed).await;
        for name in SMALL {
            scene.sim.repo(name).seed(20, |n| format!("Issue {n}"));
        }
        scene.sim.repo(BIG).seed(150, |n| format!("Issue {n}"));
        scene
    }

    #[expect(clippy::disallowed_types, reason = "the tests start the program")]
    fn command(&self) -> std::process::Command {
        let mut command = dispatch(self.home.path());
        command.env("DATABASE_URL", self.db.url()).env("GITHUB_API_URL", self.sim.url());
        command.env("GITHUB_TOKEN", self.sim.token()).env("GITHUB_REPOSITORIES", self.repos.join(","));
        command.env("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0").env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
        // Nothing reads but what the tests ask for: they count requests.
        command.env("DISPATCH_EXCLUDED_LABELS", HIDDEN).env("DISPATCH_SYNC_INTERVAL_MS", "0");
        command
    }

    fn start(&self, failpoints: &str) -> Server {
        let mut command = self.command();
        command.env("FAILPOINTS", failpoints);
        block_in_place(|| Server::start(command))
    }

    /// Agents send heartbeats while people change things, until the server is gone.
    fn set_to_work(&self, server: &Server, agents: usize) -> JoinSet<()> {
        let mut work = JoinSet::new();
        for agent in 0..agents {
            let request = server.request("POST", &format!("/api/agents/agent{agent}/heartbeat"));
            let (churn, answers) = (self.churn.clone(), Arc::clone(&self.answers));
            let idle = self.repos.iter().all(|name| !SMALL.contains(name));
            work.spawn(async move {
                while let Ok(answer) = try_send(request.try_clone().expect("no stream")).await {
                    answers.lock().push(answer.expect(200));
                    if !idle {
                        for name in SMALL {
                            churn.change(&churn.sim.repo(name));
                        }
                    }
                }
            });
        }
        work
    }

    async fn kill(&mut self, mut server: Server, mut work: JoinSet<()>) {
        server.kill();
        self.kills += 1;
        while let Some(ended) = work.join_next().await {
            ended.expect("whole answers only");
        }
    }

    /// Kills a process where it stands for the `nth` time (from 0) at a failpoint.
    async fn kill_at(&mut self, point: &str, nth: usize) {
        let action = if nth == 0 { "pause".to_owned() } else { format!("{nth}*off->pause") };
        let server = self.start(&format!("{point}={action}"));
        let work = self.set_to_work(&server, 3);
        reaches(&server, point, nth);
        self.kill(server, work).await;
    }

    /// What must hold over whatever a kill left: on record, consistent, not locked, and converging.
    async fn recovers(&mut self, what: &str) {
        if self.db.is_postgres() {
            // On SQLite the lock says that the others are dead; here their rows would expire in 30 s.
            self.db.sql(EXPIRE_ALL).await;
        }
        let server = self.start("");
        self.on_record(&server, what).await;
        self.rows_are_sound(what).await;
        let beat = server.beat("after").await.expect("an answer").expect(200);
        assert_eq!(beat["status"], "ok", "{what}: {beat}");
        self.answers.lock().push(beat);
        self.on_record(&server, what).await;
        self.same_as_github(&server, what).await;
        drop(server);
        self.db.sql("DELETE FROM runs; DELETE FROM reads").await;
        self.answers.lock().clear();
    }

    /// Every run has ended, every answer stands in the record as it was given.
    async fn on_record(&mut self, server: &Server, what: &str) {
        let rows = send(server.request("GET", "/api/agent-runs?limit=1000")).await.expect(200);
        let rows = rows.as_array().expect("an array");
        assert!(rows.len() < 1000, "{what}: the list is cut");
        self.interrupted = 0;
        for row in rows {
            assert!(row["finishedAt"].as_str() >= row["startedAt"].as_str(), "{what}: {row}");
            let message = row["errorMessage"].as_str().unwrap_or_default();
            if message.contains(&Code::Interrupted.what()) {
                self.interrupted += 1;
                assert_eq!((&row["status"], &row["errors"]), (&json!("error"), &json!([message])), "{what}");
            } else {
                assert!(
                    ["ok", "warning"].contains(&row["status"].as_str().expect("a status")),
                    "{what}: {row}"
                );
                assert!(row["summary"].is_string() && row["nextHeartbeatAt"].is_string(), "{what}: {row}");
            }
        }
        for answer in self.answers.lock().iter() {
            let row = rows.iter().find(|row| row["id"] == answer["runId"]);
            let row = row.unwrap_or_else(|| panic!("{what}: not on record: {answer}"));
            for field in ["agentName", "status", "startedAt", "finishedAt", "summary", "touchedIssueUrls"] {
                assert_eq!(row[field], answer[field], "{what}: {field}");
            }
        }
    }

    async fn rows_are_sound(&self, what: &str) {
        let element = if self.db.is_postgres() {
            "jsonb_array_elements_text(u.reads) AS read(value)"
        } else {
            "json_each(u.reads) AS read"
        };
        let faults = [
            "SELECT count(*) FROM runs WHERE status = 'running' OR finished_at IS NULL".to_owned(),
            "SELECT count(*) FROM (SELECT github_id FROM issues WHERE removed_at IS NULL
                GROUP BY github_id HAVING count(*) > 1) doubled"
                .to_owned(),
            "SELECT count(*) FROM sync_state WHERE NOT CASE phase
                WHEN 'new' THEN etag IS NULL
                WHEN 'open' THEN began_at IS NOT NULL AND etag IS NULL
                WHEN 'closed' THEN began_at IS NOT NULL AND cursor_at IS NOT NULL AND etag IS NULL
                WHEN 'loaded' THEN mark IS NOT NULL AND (etag IS NULL) = (etag_token IS NULL)
                ELSE FALSE END"
                .to_owned(),
            format!(
                "SELECT count(*) FROM runs u, {element} WHERE read.value NOT IN (SELECT id FROM reads)"
            ),
            "SELECT count(*) FROM runs u WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE a.agent_key = u.agent_key)"
                .to_owned(),
        ];
        for sql in faults {
            assert_eq!(self.db.count(&sql).await, 0, "{what}: {sql}");
        }
        assert_eq!(self.db.count("SELECT count(*) FROM instances").await, 1, "{what}: only we live");
    }

    async fn same_as_github(&self, server: &Server, what: &str) {
        for name in &self.repos {
            let list = server.request("GET", &format!("/api/issues?repo={name}&includeClosed=true"));
            let cached = world::views(&send(list).await.expect(200));
            let expected = world::expected_of(&self.sim.repo(name), &[HIDDEN]);
            assert_eq!(cached, expected, "{what}: the cache of {name} differs from GitHub");
        }
    }
}

/// Waits until the process stands at a failpoint for the `nth` time (from 0).
fn reaches(server: &Server, point: &str, nth: usize) {
    let line = format!("\"failpoint\":\"{point}\"");
    block_in_place(|| (0..=nth).for_each(|_| _ = server.wait_for_line(&line)));
}

each_db! {
    async fn killed_at_every_failpoint(db) {
        let rounds = if db.is_postgres() { 2 } else { 3 };
        let mut scene = Scene::usual(db, 1).await;
        for nth in 0..rounds {
            for (point, cuts) in POINTS {
                let what = format!("{point}, nth {nth}");
                scene.churn.everywhere();
                scene.kill_at(point, nth).await;
                scene.recovers(&what).await;
                // The last check counted what the start before it declared interrupted.
                assert!(!cuts || scene.interrupted > 0, "{what}: no run was cut off");
            }
        }
        assert_eq!(scene.kills, rounds * POINTS.len());
    }

    async fn killed_while_it_refreshes_one_issue(db) {
        let mut scene = Scene::usual(db, 2).await;
        scene.recovers("first").await;
        for _ in 0..2 {
            scene.churn.everywhere();
            let server = scene.start("refresh=pause");
            let body = json!({ "repoFullName": BIG, "issueNumber": 1 }).to_string();
            let request = server.request("POST", "/api/issues/refresh").body(body);
            let mut work = JoinSet::new();
            work.spawn(async move { assert!(request.send().await.is_err()) });
            reaches(&server, "refresh", 0);
            scene.kill(server, work).await;
            scene.recovers("refresh").await;
        }
    }

    async fn killed_at_random_moments(db) {
        let kills = if db.is_postgres() { 12 } else { 24 };
        let mut scene = Scene::usual(db, 3).await;
        for n in 0..kills {
            scene.churn.everywhere();
            scene.sim.set_latency(Duration::from_millis(scene.churn.below(4)));
            let server = scene.start("");
            let work = scene.set_to_work(&server, 5);
            let lines = scene.churn.below(250);
            block_in_place(|| (0..lines).for_each(|_| _ = server.wait_for_line("")));
            // Between two lines, too: real time, because the process is real.
            tokio::time::sleep(Duration::from_micros(scene.churn.below(3_000))).await;
            scene.kill(server, work).await;
            scene.sim.set_latency(Duration::ZERO);
            scene.recovers(&format!("kill {n} after {lines} lines")).await;
        }
        assert_eq!(scene.kills, kills);
    }

    async fn killed_while_it_starts(db) {
        let mut scene = Scene::usual(db, 4).await;
        for n in 0..8 {
            let mut command = scene.command();
            command.arg("serve").env("DISPATCH_BIND", "127.0.0.1:0").env("DISPATCH_AGENT_TOKEN", MAINTAINER);
            let mut child = command.env("DISPATCH_LOG", "off").spawn().expect("dispatch starts");
            // Real milliseconds: there is nothing to wait for before it has opened its database.
            tokio::time::sleep(Duration::from_millis(3 + 15 * n)).await;
            child.kill().expect("it still runs");
            child.wait().expect("its end");
            scene.kills += 1;
        }
        scene.recovers("killed while starting").await;
    }

    async fn a_cold_load_killed_in_the_middle_goes_on_there(db) {
        const ISSUES: usize = 1_050;
        let mut scene = Scene::new(db, vec![BIG], 5).await;
        let began = scene.sim.now_ms() / 1000 - 100_000;
        let at = |n| began + i64::try_from(n).expect("a number");
        scene.sim.repo(BIG).seed(ISSUES, |n| NewIssue::new(format!("Issue {n}")).created_at(at(n)).updated_at(at(n)));
        let other = if scene.db.is_postgres() { TestDb::postgres().await } else { TestDb::sqlite().await };
        let kept = std::mem::replace(&mut scene.db, other);
        scene.recovers("a load at one go").await;
        let whole = scene.sim.counters().requests;
        scene.db = kept;
        scene.sim.reset_counters();
        for (stop, nth) in [("sync.page.written", 3), ("sync.page.committed", 3), ("sync.page.fetched", 2)] {
            scene.kill_at(stop, nth).await;
            // What is read already may change, and what is not.
            scene.sim.repo(BIG).set_title(1, stop);
            scene.sim.repo(BIG).close_issue(u64::try_from(ISSUES).expect("a number") - scene.churn.below(50));
        }
        let before = scene.sim.counters().requests;
        scene.recovers("a load in four parts").await;
        let all = scene.sim.counters().requests;
        assert!(all - before + 6 <= whole, "the last part took {} of {whole} requests", all - before);
        assert!(all <= whole + 6, "four parts took {all} requests, one would take {whole}");
    }

    async fn sigterm_finishes_what_runs(db) {
        let mut scene = Scene::usual(db, 6).await;
        scene.sim.set_latency(Duration::from_millis(100));
        let mut server = scene.start("");
        let mut beats = JoinSet::new();
        for n in 0..5 {
            let request = server.request("POST", &format!("/api/agents/agent{n}/heartbeat"));
            beats.spawn(send(request));
        }
        reaches(&server, "record.began", 4);
        assert_eq!(block_in_place(|| server.terminate()), Some(0));
        let answers: Vec<Answer> = beats.join_all().await;
        for answer in answers {
            let answer = answer.expect(200);
            assert!(["ok", "warning"].contains(&answer["status"].as_str().expect("a status")), "{answer}");
            scene.answers.lock().push(answer);
        }
        assert_eq!(scene.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 0);
        assert_eq!(scene.db.count("SELECT count(*) FROM runs WHERE finished_at IS NOT NULL").await, 5);
        assert_eq!(scene.db.count("SELECT count(*) FROM instances").await, 0);
        scene.sim.set_latency(Duration::ZERO);
        scene.recovers("sigterm").await;
        assert_eq!(scene.interrupted, 0);
    }
}

mod one_process {
    use std::process::Stdio;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_second_process_on_the_same_data_directory_is_refused() {
        let scene = Scene::new(TestDb::sqlite().await, vec![SMALL[0]], 7).await;
        let mut server = scene.start("");
        for arguments in [["serve"].as_slice(), &["heartbeat", "coder", "--local"]] {
            let mut command = scene.command();
            command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("dispatch starts");
            assert_eq!(end_of(&mut child, Duration::from_secs(20)).code(), Some(2), "{arguments:?}");
            let said = std::io::read_to_string(child.stderr.take().expect("its words")).expect("text");
            let directory = scene.db.url().replace("sqlite://", "").replace("/dispatch.db", "");
            for part in ["is in use by another dispatch process", "DISPATCH_URL", &directory] {
                assert!(said.contains(part), "{arguments:?} does not say {part:?}: {said}");
            }
        }
        assert_eq!(server.beat("coder").await.expect("an answer").expect(200)["status"], "ok");
        server.kill();
        drop(scene.start(""));
    }
}

mod several_processes {
    use super::*;

    async fn statuses(server: &Server) -> Vec<(String, String)> {
        let rows = send(server.request("GET", "/api/agent-runs")).await.expect(200);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let rows = rows.as_array().expect("an array").iter();
        let mut all: Vec<_> = rows.map(|row| (text(&row["agentName"]), text(&row["status"]))).collect();
        all.sort();
        all
    }

    fn beat_at(server: &Server, agent: &str) -> JoinSet<()> {
        let request = server.request("POST", &format!("/api/agents/{agent}/heartbeat"));
        let mut work = JoinSet::new();
        work.spawn(async move { assert!(request.send().await.is_err()) });
        reaches(server, "record.close", 0);
        work
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_dead_process_is_declared_so_by_a_living_one_and_no_living_one_is() {
        let mut scene = Scene::new(TestDb::postgres().await, vec![SMALL[0]], 8).await;
        let living = scene.start("record.close=pause");
        let works = beat_at(&living, "living");
        let dying = scene.start("record.close=pause");
        let work = beat_at(&dying, "dying");
        scene.kill(dying, work).await;
        let pair = |agent: &str, status: &str| (agent.to_owned(), status.to_owned());
        // Nobody knows yet that it is dead.
        let early = scene.start("");
        assert_eq!(statuses(&early).await, [pair("dying", "running"), pair("living", "running")]);
        let expire = "UPDATE instances SET expires_at = 0
            WHERE id = (SELECT instance_id FROM runs WHERE agent_key = 'dying')";
        scene.db.sql(expire).await;
        let late = scene.start("");
        assert_eq!(statuses(&late).await, [pair("dying", "error"), pair("living", "running")]);
        drop((early, late));
        scene.kill(living, works).await;
        scene.recovers("both dead").await;
    }
}
