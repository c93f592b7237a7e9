//! What operators of the Node edition check after they deployed it, line by line, against the real program.

#![expect(clippy::disallowed_types, reason = "the test starts programs")]

mod support;

use std::{
    collections::BTreeSet,
    fmt::Debug,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use github_sim::{NewIssue, Sim, SimConfig};
use serde_json::{Value, json};
use support::{
    MAINTAINER, TestDb,
    app::send,
    child::{Server, dispatch},
};
use tempfile::TempDir;
use tokio::task::block_in_place;

/// The checklist of `contract/operations.md`, section 9.
const CHECKLIST: [&str; 14] = [
    "health ok",
    "automation sync `synced≥1`",
    "automation repos non-empty",
    "sync `syncedCount>0`",
    "issues non-empty",
    "board",
    "projects",
    "agent runs",
    "queue",
    "claim test issue (`success`, label on GitHub, in-progress)",
    "audit `claim_issue`",
    "unclaim + audit `unclaim_issue`",
    "logs free of DB errors",
    "agents survive Dispatch being down",
];

const API: &str = "acme/api";
const AGENT: &str = "survivor";
/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_mins(1);

struct Deployment {
    db: TestDb,
    sim: Sim,
    home: TempDir,
    server: Server,
    checked: Vec<&'static str>,
}

/// An agent of `examples`; killed when dropped, with all that it started.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

impl Agent {
    /// Its work is done at once; what it says goes into a file of the folder.
    fn start(home: &Path, url: &str) -> Self {
        use std::os::unix::process::CommandExt as _;
        let programs = Path::new(env!("CARGO_BIN_EXE_dispatch")).parent().expect("a folder").display();
        let mut command = Command::new("sh");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/harness.sh")).env_clear();
        command.env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin")).env("TMPDIR", home);
        command.env("DISPATCH_URL", url).env("DISPATCH_AGENT_TOKEN", MAINTAINER);
        command.env("DISPATCH_AGENT_NAME", AGENT).env("HARNESS_PAUSE", "1");
        command.env("DISPATCH_WORK", "echo https://github.com/acme/api/pull/9");
        #[expect(clippy::disallowed_methods, reason = "what the agent says is read while it speaks")]
        let said = std::fs::File::create(home.join("said")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).process_group(0);
        Self(command.spawn().expect("sh"))
    }
}

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it never was so: {what}"));
}

fn command(db: &TestDb, sim: &Sim, home: &TempDir) -> Command {
    let mut command = dispatch(home.path());
    command.env("DATABASE_URL", db.url()).env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    command.env("GITHUB_REPOSITORIES", API).env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    command
}

impl Deployment {
    async fn start(db: TestDb) -> Self {
        let sim = Sim::start_with(SimConfig::default().without_limits()).await;
        sim.create_repo(API).seed(3, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
        let home = TempDir::new().expect("a folder");
        let command = command(&db, &sim, &home);
        let server = block_in_place(|| Server::start(command));
        Self { db, sim, home, server, checked: Vec::new() }
    }

    #[track_caller]
    fn check(&mut self, line: &'static str, is_so: bool, seen: impl Debug) {
        assert!(is_so, "{line}: {seen:?}");
        self.checked.push(line);
    }

    async fn get(&self, path: &str) -> Value {
        send(self.server.request("GET", path)).await.expect(200)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        send(self.server.request("POST", path).body(body.to_string())).await.expect(200)
    }

    /// A page, as it is answered.
    async fn page(&self, path: &str) -> (u16, String) {
        let answer = self.server.request("GET", path).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a page"))
    }

    fn labels(&self, number: u64) -> BTreeSet<String> {
        self.sim.repo(API).issue(number).expect("the issue").labels.into_iter().collect()
    }

    /// Does the audit log say so of the issue?
    async fn is_audited(&self, action: &str, number: u64) -> (bool, Value) {
        let rows = self.get(&format!("/api/audit?repo={API}")).await;
        let fits = |row: &Value| {
            row["action"] == action && row["issue"]["number"] == number && row["success"] == true
        };
        (rows.as_array().expect("rows").iter().any(fits), rows)
    }

    async fn reads(&mut self) {
        let health = self.get("/api/health").await;
        self.check("health ok", health["ok"] == true && health["database"] == "ok", health);
        let synced = self.post("/api/automation/sync", json!({})).await;
        let is_so = synced["synced"].as_i64() >= Some(1) && synced["failed"] == 0;
        self.check("automation sync `synced≥1`", is_so, synced);
        let repos = self.get("/api/automation/repos").await;
        self.check("automation repos non-empty", repos[0]["fullName"] == API, repos);
        let synced = self.post("/api/sync", json!({})).await;
        self.check("sync `syncedCount>0`", synced["syncedCount"].as_i64() > Some(0), synced);
        let issues = self.get("/api/issues").await;
        self.check("issues non-empty", issues.as_array().is_some_and(|all| all.len() == 3), issues);
        let (status, board) = self.page("/board").await;
        self.check("board", status == 200 && board.matches("class=\"card\"").count() == 3, board);
        let (status, projects) = self.page("/projects").await;
        self.check("projects", status == 200 && projects.contains("/projects?repo=acme%2Fapi"), projects);
    }

    async fn works(&mut self) {
        self.server.beat("coder").await.expect("an answer").expect(200);
        let runs = self.get("/api/agent-runs").await;
        self.check("agent runs", runs[0]["agentName"] == "coder" && runs[0]["status"] == "ok", runs);
        let queue = self.get("/api/agents/coder/queue").await;
        self.check("queue", queue[0]["number"] == 1 && queue[2]["number"] == 3, queue);
        let state = self.get(&format!("/api/issues/state?repo={API}&number=1")).await;
        let issue = json!({
            "issueId": state["issueId"], "repoFullName": API, "issueNumber": 1, "agentName": "coder",
        });
        let claimed = self.post("/api/issues/claim", issue.clone()).await;
        let state = self.get(&format!("/api/issues/state?repo={API}&number=1")).await;
        let want: BTreeSet<String> = ["agent/coder", "status/in-progress"].map(str::to_owned).into();
        let is_so = claimed["success"] == true
            && self.labels(1) == want
            && state["labels"].as_array().is_some_and(|labels| labels.contains(&json!("status/in-progress")));
        let seen = (claimed, state, self.labels(1));
        self.check("claim test issue (`success`, label on GitHub, in-progress)", is_so, seen);
        let (is_so, rows) = self.is_audited("claim_issue", 1).await;
        self.check("audit `claim_issue`", is_so, rows);
        let unclaimed = self.post("/api/issues/unclaim", issue).await;
        let (is_so, rows) = self.is_audited("unclaim_issue", 1).await;
        let is_free = unclaimed["success"] == true && self.labels(1) == ["status/ready".to_owned()].into();
        self.check("unclaim + audit `unclaim_issue`", is_so && is_free, (unclaimed, rows));
    }

    fn logs(&mut self) {
        let lines = self.server.log();
        let is_bad = |line: &&String| {
            let level = serde_json::from_str::<Value>(line).expect("a JSON line")["level"].clone();
            let of_db = ["database", "sqlx", "SQLite", "PostgreSQL"].iter().any(|word| line.contains(word));
            level == "ERROR" || (level == "WARN" && of_db)
        };
        let bad: Vec<_> = lines.iter().filter(is_bad).cloned().collect();
        self.check("logs free of DB errors", !lines.is_empty() && bad.is_empty(), bad);
    }

    async fn outage(&mut self) {
        let mut agent = Agent::start(self.home.path(), &self.server.url);
        until("the agent did all issues", async || {
            (1..=3).all(|number| self.labels(number).contains("status/in-review"))
        })
        .await;
        self.server.kill();
        let said = self.home.path().join("said");
        #[expect(clippy::disallowed_methods, reason = "what the agent says is read while it speaks")]
        until("the agent says that nobody answers", async || {
            std::fs::read_to_string(&said).expect("a file").contains("no server answers")
        })
        .await;
        let address = self.server.url.strip_prefix("http://").expect("an address").to_owned();
        let mut command = command(&self.db, &self.sim, &self.home);
        command.env("DISPATCH_BIND", address);
        self.server = block_in_place(|| Server::start(command));
        let next = self.sim.repo(API).open_issue(NewIssue::new("After the outage").label("status/ready"));
        until("agents survive Dispatch being down", async || self.labels(next).contains("status/in-review"))
            .await;
        let ended = agent.0.try_wait().expect("its state");
        self.check("agents survive Dispatch being down", ended.is_none(), ended);
    }
}

each_db! {
    async fn the_checklist_of_the_node_edition(db) {
        let mut deployment = Deployment::start(db).await;
        deployment.reads().await;
        deployment.works().await;
        deployment.logs();
        deployment.outage().await;
        assert_eq!(deployment.checked, CHECKLIST);
    }
}
