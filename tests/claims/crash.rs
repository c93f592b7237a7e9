//! `kill -9` between a change of a claim and the labels that go with it: after one heartbeat GitHub and the cache agree,
//! nothing was told twice in two ways, and nothing is forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dispatch::{clock::ManualClock, domain::time::Timestamp, engine::reports};
use github_sim::{NewIssue, Sim, SimConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

use super::field::{API, and};
use crate::{
    each_db,
    support::{
        AppBuilder, TestDb,
        answers::strings,
        app::{send, try_send},
        child::{Server, dispatch},
    },
};

/// What is asked of the server, by the case's own agent unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Claim,
    Lease,
    /// Another takes it by force.
    Force,
    Unclaim,
    Review,
    Start,
    Checkpoint,
    Done,
    GiveBack,
    /// An operator takes it from its agent.
    Release,
    /// An operator gives it to another.
    Reassign,
    /// Whatever ran out is taken back; the claim of the case has.
    Sweep,
}

/// Where a process is killed, what it was doing then, and what must have come of it.
struct Case {
    point: &'static str,
    before: &'static [Step],
    killed: Step,
    status: &'static str,
    /// Whose the issue is afterwards.
    holder: Holder,
    /// The rows of the audit log about the issue.
    audit: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Nobody,
    Own,
    Other,
    /// Its work is done; the label stays.
    Label,
}

const CLAIMED: &[Step] = &[Step::Claim];
const STARTED: &[Step] = &[Step::Start];

const fn case(point: &'static str, before: &'static [Step], killed: Step) -> Case {
    let (status, holder, audit): (_, _, &[&str]) = match killed {
        Step::Claim | Step::Lease => ("in-progress", Holder::Own, &["claim_issue"]),
        Step::Force => ("in-progress", Holder::Other, &["claim_issue", "claim_issue"]),
        Step::Unclaim => ("ready", Holder::Nobody, &["claim_issue", "unclaim_issue"]),
        Step::Review => ("in-review", Holder::Own, &["claim_issue", "set_status"]),
        Step::Start => ("in-progress", Holder::Own, &["agent_work_started", "claim_issue"]),
        Step::Checkpoint => {
            ("in-progress", Holder::Own, &["agent_work_checkpoint", "agent_work_started", "claim_issue"])
        }
        Step::Done => {
            ("in-progress", Holder::Label, &["agent_work_finished", "agent_work_started", "claim_issue"])
        }
        Step::GiveBack => {
            let audit = &["agent_work_finished", "agent_work_started", "claim_issue", "unclaim_issue"];
            ("ready", Holder::Nobody, audit)
        }
        Step::Release => {
            ("ready", Holder::Nobody, &["agent_work_started", "claim_issue", "orphan_work_released"])
        }
        Step::Reassign => {
            ("in-progress", Holder::Other, &["agent_work_reassigned", "agent_work_started", "claim_issue"])
        }
        Step::Sweep => ("ready", Holder::Nobody, &["claim_issue", "stale_agentwork_released"]),
    };
    Case { point, before, killed, status, holder, audit }
}

const CASES: [Case; 22] = [
    case("claim.committed", &[], Step::Claim),
    case("outbox.taken", &[], Step::Claim),
    case("outbox.sent", &[], Step::Claim),
    case("outbox.settled", &[], Step::Claim),
    case("claim.committed", CLAIMED, Step::Force),
    case("outbox.sent", CLAIMED, Step::Force),
    case("unclaim.committed", CLAIMED, Step::Unclaim),
    case("outbox.taken", CLAIMED, Step::Unclaim),
    case("outbox.sent", CLAIMED, Step::Unclaim),
    case("outbox.settled", CLAIMED, Step::Unclaim),
    case("status.committed", CLAIMED, Step::Review),
    case("outbox.sent", CLAIMED, Step::Review),
    case("start.committed", &[], Step::Start),
    case("outbox.sent", &[], Step::Start),
    case("checkpoint.committed", STARTED, Step::Checkpoint),
    case("finish.committed", STARTED, Step::Done),
    case("finish.committed", STARTED, Step::GiveBack),
    case("outbox.sent", STARTED, Step::GiveBack),
    case("release.committed", STARTED, Step::Release),
    case("reassign.committed", STARTED, Step::Reassign),
    case("outbox.sent", STARTED, Step::Reassign),
    case("recover.committed", &[Step::Lease], Step::Sweep),
];

struct Scene {
    db: Arc<TestDb>,
    home: TempDir,
    sim: Sim,
}

impl Scene {
    async fn new(db: TestDb, issues: usize) -> Self {
        let config = SimConfig { keep_exchanges: true, ..SimConfig::default().without_limits() };
        let sim = Sim::start_with(config).await;
        sim.create_repo(API).seed(issues, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
        Self { db: Arc::new(db), home: TempDir::new().expect("a folder"), sim }
    }

    fn start(&self, failpoints: &str) -> Server {
        let mut command = dispatch(self.home.path());
        command.env("DATABASE_URL", self.db.url()).env("GITHUB_API_URL", self.sim.url());
        command.env("GITHUB_TOKEN", self.sim.token()).env("GITHUB_REPOSITORIES", API);
        // Nothing sends or reads but what the test asks for.
        command.env("DISPATCH_SCHEDULER_ENABLED", "false").env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
        command.env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0").env("FAILPOINTS", failpoints);
        block_in_place(|| Server::start(command))
    }

    async fn ask(&self, step: Step, number: i64) -> (&'static str, Value) {
        let text = async |sql: &str| self.db.texts(sql).await.remove(0);
        let id = text(&format!("SELECT id FROM issues WHERE number = {number}")).await;
        let agent = format!("agent-{number}");
        let named = json!({ "issueId": id, "repoFullName": API, "issueNumber": number, "agentName": agent });
        let work = json!({ "agentName": agent, "issueId": id });
        match step {
            Step::Claim => ("/api/issues/claim", named),
            Step::Lease => ("/api/issues/claim", and(named, json!({ "lease": true }))),
            Step::Force => ("/api/issues/claim", and(named, json!({ "agentName": "other", "force": true }))),
            Step::Unclaim => ("/api/issues/unclaim", named),
            Step::Review => ("/api/issues/status", and(named, json!({ "status": "in-review" }))),
            Step::Start => ("/api/agent-work/start", work),
            Step::Checkpoint => {
                ("/api/agent-work/checkpoint", json!({ "agentName": agent, "checkpoint": "BRANCH_CREATED" }))
            }
            Step::Done => ("/api/agent-work/finish", json!({ "agentName": agent, "state": "DONE" })),
            Step::GiveBack => ("/api/agent-work/finish", json!({ "agentName": agent, "state": "RELEASED" })),
            Step::Release => ("/api/agent-work", and(work, json!({ "action": "release" }))),
            Step::Reassign => {
                let live = format!("SELECT id FROM claims WHERE issue_id = '{id}' AND ended_at IS NULL");
                let work = text(&live).await;
                ("/api/agent-work", json!({ "action": "reassign", "workId": work, "newAgentName": "other" }))
            }
            Step::Sweep => {
                self.db.sql(&format!("UPDATE claims SET expires_at = 0 WHERE issue_id = '{id}'")).await;
                ("/api/agent-work/sweep", json!({}))
            }
        }
    }

    /// Kills the process where it stands at the failpoint while it does what it was asked.
    async fn kill_at(&self, point: &str, path: &str, body: &Value) {
        let mut server = self.start(&format!("{point}=pause"));
        let request = server.request("POST", path).body(body.to_string());
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

    /// Which labels GitHub was told to add (true) or to take away, and how often each.
    fn told(&self, number: i64) -> BTreeMap<String, Vec<bool>> {
        let path = format!("/repos/{API}/issues/{number}/labels");
        let mut told: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for exchange in self.sim.exchanges() {
            let Some(rest) = exchange.path.strip_prefix(&path) else { continue };
            if exchange.method == "POST" {
                let body: Value = serde_json::from_slice(&exchange.body).expect("JSON");
                for label in strings(&body["labels"]) {
                    told.entry(label).or_default().push(true);
                }
            } else {
                let label = rest.trim_start_matches('/').replace("%2F", "/");
                told.entry(label).or_default().push(false);
            }
        }
        told
    }

    /// What must hold after one heartbeat of the next process.
    async fn assert_whole(&self, number: i64, case: &Case) {
        let what = format!("#{number}: {:?} killed at {}", case.killed, case.point);
        let agent = match case.holder {
            Holder::Nobody => None,
            Holder::Own | Holder::Label => Some(format!("agent-{number}")),
            Holder::Other => Some("other".to_owned()),
        };
        let mut want: Vec<String> = agent.iter().map(|agent| format!("agent/{agent}")).collect();
        want.push(format!("status/{}", case.status));
        let labels = format!("SELECT CAST(labels AS TEXT) FROM issues WHERE number = {number}");
        let cached: Value = serde_json::from_str(&self.db.texts(&labels).await[0]).expect("JSON");
        let there = self.sim.repo(API).issue(number.unsigned_abs()).expect("it").labels;
        for (whose, labels) in [("the cache", strings(&cached)), ("GitHub", there)] {
            assert_eq!(
                labels.into_iter().collect::<BTreeSet<_>>(),
                want.iter().cloned().collect(),
                "{what}: {whose}"
            );
        }
        for (label, ways) in self.told(number) {
            assert!(
                ways.iter().all(|way| *way == ways[0]),
                "{what}: {label} was added and taken away: {ways:?}"
            );
            let most = if case.point == "outbox.settled" { 1 } else { 2 };
            assert!(ways.len() <= most, "{what}: {label} was told {} times", ways.len());
        }
        let of_issue = format!("issue_id = (SELECT id FROM issues WHERE number = {number})");
        let live = format!("SELECT agent_name FROM claims WHERE {of_issue} AND ended_at IS NULL");
        let holder = agent.filter(|_| case.holder != Holder::Label);
        assert_eq!(self.db.texts(&live).await, Vec::from_iter(holder), "{what}: live claims");
        let audit = format!("SELECT action FROM audit_log WHERE {of_issue} AND success");
        let mut audit = self.db.texts(&audit).await;
        audit.sort();
        assert_eq!(audit, case.audit, "{what}: a row per change");
        for (rows, why) in [
            ("label_edits WHERE state = 'pending'", "nothing is forgotten"),
            ("runs WHERE status = 'running'", "no run is left running"),
        ] {
            assert_eq!(self.db.count(&format!("SELECT count(*) FROM {rows}")).await, 0, "{what}: {why}");
        }
    }
}

each_db! {
    async fn killed_between_a_change_and_its_labels(db) {
        let scene = Scene::new(db, CASES.len()).await;
        let server = scene.start("");
        server.beat("loader").await.expect("an answer").expect(200);
        for (number, case) in (1..).zip(&CASES) {
            for step in case.before {
                let (path, body) = scene.ask(*step, number).await;
                let answer = send(server.request("POST", path).body(body.to_string())).await;
                assert!(matches!(answer.status, 200 | 201), "#{number}: {step:?}: {}", answer.text);
            }
        }
        server.beat("loader").await.expect("an answer").expect(200);
        drop(server);
        scene.bury().await;
        for (number, case) in (1..).zip(&CASES) {
            let (path, body) = scene.ask(case.killed, number).await;
            scene.sim.reset_counters();
            scene.kill_at(case.point, path, &body).await;
            let server = scene.start("");
            let beat = server.beat("after").await.expect("an answer").expect(200);
            assert_eq!(beat["status"], "ok", "#{number}: {beat}");
            scene.assert_whole(number, case).await;
            drop(server);
            scene.bury().await;
        }
    }

    async fn killed_between_a_report_and_what_it_settles(db) {
        let scene = Scene::new(db, 1).await;
        let path = "/api/agents/coder/tasks/report";
        let report = json!({ "taskType": "followup-pr", "outcome": "pr_updated", "repoFullName": API, "pullRequestNumber": 3 });
        let keyed = and(report.clone(), json!({ "idempotencyKey": "k" }));
        for body in [&keyed, &report] {
            scene.kill_at("report.recorded", path, body).await;
        }
        assert_eq!(scene.db.texts("SELECT state FROM reports").await, ["pending"; 2]);
        let server = scene.start("");
        server.beat("coder").await.expect("an answer").expect(200);
        assert_eq!(scene.db.count("SELECT count(*) FROM runs WHERE status = 'running'").await, 0);
        assert_eq!(scene.db.count("SELECT count(*) FROM runs WHERE run_type = 'followup-pr' AND status = 'completed'").await, 2);
        // Its sender tries again: the same run, and settled now.
        let again = send(server.request("POST", path).body(keyed.to_string())).await.expect(200);
        assert_eq!(again["duplicate"], true);
        let runs = "SELECT run_id FROM reports WHERE state = 'settled'";
        assert_eq!(scene.db.texts(runs).await, [again["agentRunId"].as_str().expect("a run")]);
        drop(server);
        scene.bury().await;
        // Nobody comes back for the other: whoever lives settles it.
        let last = scene.db.count("SELECT max(created_at) FROM reports").await;
        let clock = ManualClock::new(Timestamp(last + 61_000));
        let app = AppBuilder::default().start_with(Arc::clone(&scene.db), scene.sim.clone(), clock).await;
        assert_eq!(reports::settle_pending(&app.engine).await.expect("the database"), 1);
        assert_eq!(scene.db.count("SELECT count(*) FROM reports WHERE state = 'settled' AND resolution IS NOT NULL").await, 2);
        assert_eq!(scene.db.count("SELECT count(*) FROM runs WHERE run_type = 'followup-pr'").await, 2, "nothing is told twice");
    }
}
