//! The harnesses of `examples`: whole agents in plain sh, against a real server and the simulated GitHub.

use std::{
    fmt::Write as _,
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use github_sim::{NewIssue, Sim};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    fake, home, out, run,
    support::{MAINTAINER, app::try_send, child::Server, child::dispatch, child::end_of},
};

const SCRIPTS: [&str; 2] = ["harness.sh", "harness-curl.sh"];

/// When a test has waited long enough.
const LONG: Duration = Duration::from_mins(1);

/// Work that notes who did what, and names a pull request.
const QUICK: &str =
    "echo \"$TASK_ISSUE$TASK_PR $DISPATCH_AGENT_NAME\" >>\"$LOG\"\necho https://github.com/acme/api/pull/9";
/// Work that never ends by itself.
const ENDLESS: &str = "echo \"$TASK_ISSUE $DISPATCH_AGENT_NAME $$\" >>\"$LOG\"\nexec sleep 600";
/// Work that fails.
const FAILING: &str = "echo \"$TASK_ISSUE $DISPATCH_AGENT_NAME\" >>\"$LOG\"\necho no pull request\nexit 7";

/// A server over a queue of ready issues, whose claims end soon.
struct Field {
    home: TempDir,
    sim: Sim,
    server: Server,
}

/// A harness and all that it starts; killed when dropped.
struct Agent {
    child: Child,
    said: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

impl Agent {
    /// Starts a script of `examples` in a process group of its own.
    fn start(home: &Path, url: &str, script: &str, name: &str, work: &str) -> Self {
        let file = home.join(format!("work-{name}.sh"));
        std::fs::write(&file, work).expect("the work");
        let said = home.join(format!("said-{name}"));
        let program =
            Path::new(env!("CARGO_BIN_EXE_dispatch")).parent().expect("its folder").display().to_string();
        let mut command = Command::new("sh");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/").to_owned() + script);
        command
            .env_clear()
            .env("PATH", format!("{program}:/usr/local/bin:/usr/bin:/bin"))
            .env("TMPDIR", home);
        command
            .env("DISPATCH_URL", url)
            .env("DISPATCH_AGENT_TOKEN", MAINTAINER)
            .env("DISPATCH_AGENT_NAME", name);
        command.env("DISPATCH_WORK", format!("sh {}", file.display())).env("HARNESS_PAUSE", "1");
        command.env("LOG", home.join("log")).stdin(Stdio::null()).process_group(0);
        command.stdout(File::create(&said).expect("its words"));
        command.stderr(File::options().append(true).open(&said).expect("its words"));
        Self { child: command.spawn().expect("sh"), said }
    }

    /// SIGTERM to the harness alone; its exit code.
    fn terminate(&mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success(), "it had ended before: {}", self.said());
        end_of(&mut self.child, Duration::from_secs(20)).code()
    }

    /// SIGKILL to the harness alone.
    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }
}

/// What the work noted, sorted.
fn log(home: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(home.join("log")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Waits until it is so; else panics with what there is.
async fn until(what: &str, home: &Path, agents: &[&Agent], mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > LONG {
            let mut told = format!("not so after a minute: {what}; the log: {:?}\n", log(home));
            for agent in agents {
                writeln!(told, "{}", agent.said()).expect("a string");
            }
            panic!("{told}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Field {
    async fn with(issues: usize) -> Self {
        let (home, sim) = (home(), Sim::start().await);
        sim.create_repo("acme/api")
            .seed(issues, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
        let mut command = dispatch(home.path());
        command.env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
        command.env("GITHUB_REPOSITORIES", "acme/api").env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0");
        command.env("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0").env("DISPATCH_SYNC_MAX_STALENESS_MS", "100");
        command.env("DISPATCH_HEARTBEAT_INTERVAL_MS", "1000").env("DISPATCH_STALE_WORK_INTERVAL_MS", "500");
        command.env("DISPATCH_CLAIM_TTL_MS", "4000");
        let server = tokio::task::spawn_blocking(|| Server::start(command)).await.expect("it starts");
        server.beat("loader").await.expect("an answer");
        Self { home, sim, server }
    }

    fn agent(&self, script: &str, name: &str, work: &str) -> Agent {
        Agent::start(self.home.path(), &self.server.url, script, name, work)
    }

    fn log(&self) -> Vec<String> {
        log(self.home.path())
    }

    fn labels(&self, number: u64) -> Vec<String> {
        let mut labels = self.sim.repo("acme/api").issue(number).expect("an issue").labels;
        labels.sort();
        labels
    }

    async fn until(&self, what: &str, agents: &[&Agent], is_so: impl FnMut() -> bool) {
        until(what, self.home.path(), agents, is_so).await;
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let environment = [("DISPATCH_URL", self.server.url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
        let output = run(self.home.path(), &environment, &[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out(&output)).expect("JSON")
    }

    /// Waits until the agent has shown that it lives after the time at which its claim was to end.
    async fn renewed_beyond_its_first_end(&self, agent: &str) {
        let claim = async || {
            let list = try_send(self.server.request("GET", &format!("/api/agent-work?agent={agent}"))).await;
            list.expect("an answer").expect(200)["activeWork"][0].clone()
        };
        let time = |claim: &Value, field: &str| claim[field].as_str().expect("a time").to_owned();
        let (first, began) = (time(&claim().await, "leaseExpiresAt"), Instant::now());
        while time(&claim().await, "lastHeartbeatAt") <= first {
            assert!(began.elapsed() < LONG, "{} is not renewed", claim().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Who reported what of tasks: agent and status, sorted.
    async fn reports(&self) -> Vec<(String, String)> {
        let runs = self.json(&["runs", "--type", "implement"]).await;
        let text = |run: &Value, field: &str| run[field].as_str().expect("a text").to_owned();
        let runs = runs.as_array().expect("runs");
        let mut reports: Vec<_> =
            runs.iter().map(|run| (text(run, "agentName"), text(run, "status"))).collect();
        reports.sort();
        reports
    }
}

/// Runs a test with each of the scripts.
macro_rules! each_script {
    ($($(#[$meta:meta])* async fn $name:ident($script:ident) $body:block)+) => {$(
        mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread")] async fn by_the_command_line() { let $script = SCRIPTS[0]; $body }
            #[tokio::test(flavor = "multi_thread")] async fn by_curl() { let $script = SCRIPTS[1]; $body }
        }
    )+};
}

each_script! {
    async fn agents_beside_each_other_do_each_issue_once(script) {
        const ISSUES: u64 = 6;
        let field = Field::with(6).await;
        let mut agents = ["ann", "bob", "cleo"].map(|name| field.agent(script, name, QUICK));
        let all = agents.each_ref();
        field.until("all are in review", &all, || (1..=ISSUES).all(|n| field.labels(n) == ["status/in-review"])).await;
        for agent in &mut agents {
            assert_eq!(agent.terminate(), Some(143), "{}", agent.said());
        }
        let done: Vec<String> = field.log().iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
        assert_eq!(done, (1..=ISSUES).map(|n| format!("acme/api#{n}")).collect::<Vec<_>>());
        let reports = field.reports().await;
        assert_eq!((reports.len(), reports.iter().all(|(_, status)| status == "completed")), (6, true), "{reports:?}");
        assert!((1..=ISSUES).all(|n| field.labels(n) == ["status/in-review"]));
        let left = std::fs::read_dir(field.home.path()).expect("the folder").flatten();
        let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("harness.")).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    async fn the_issue_of_a_killed_agent_is_anothers(script) {
        let field = Field::with(1).await;
        let mut doomed = field.agent(script, "doomed", ENDLESS);
        field.until("it works", &[&doomed], || field.log().len() == 1).await;
        field.until("its label is there", &[&doomed], || field.labels(1) == ["agent/doomed", "status/in-progress"]).await;
        let heir = field.agent(script, "heir", QUICK);
        field.renewed_beyond_its_first_end("doomed").await;
        assert_eq!((field.log().len(), field.labels(1)), (1, vec!["agent/doomed".to_owned(), "status/in-progress".to_owned()]));
        doomed.kill();
        field.until("another did it", &[&doomed, &heir], || field.labels(1) == ["status/in-review"]).await;
        assert!(field.log().contains(&"acme/api#1 heir".to_owned()), "{:?}", field.log());
        assert_eq!(field.reports().await, [("heir".to_owned(), "completed".to_owned())]);
    }

    async fn a_stopped_agent_gives_its_issue_back(script) {
        let field = Field::with(1).await;
        let mut agent = field.agent(script, "ann", ENDLESS);
        field.until("it works", &[&agent], || field.log().len() == 1).await;
        assert_eq!(agent.terminate(), Some(143), "{}", agent.said());
        let decided = field.json(&["audit", "--limit", "1"]).await;
        assert_eq!(decided[0]["action"], "unclaim_issue", "given back, and not just run out: {}", agent.said());
        field.until("its label is gone", &[&agent], || field.labels(1) == ["status/ready"]).await;
        let pid = field.log()[0].split(' ').next_back().expect("its number").to_owned();
        let alive = Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().expect("kill");
        assert!(!alive.success(), "nobody works on what was given back");
        assert!(field.reports().await.is_empty());
    }

    async fn failed_work_is_reported_and_anothers_to_try(script) {
        let field = Field::with(1).await;
        let mut weak = field.agent(script, "weak", FAILING);
        while field.reports().await.is_empty() {
            assert!(weak.child.try_wait().expect("its state").is_none(), "{}", weak.said());
        }
        field.until("it gave it back", &[&weak], || field.labels(1) == ["status/ready"]).await;
        assert_eq!(weak.terminate(), Some(143), "{}", weak.said());
        let failed = field.reports().await;
        assert!(!failed.is_empty() && failed.iter().all(|(_, status)| status == "failed"), "{failed:?}");
        let strong = field.agent(script, "strong", QUICK);
        field.until("another did it", &[&strong], || field.labels(1) == ["status/in-review"]).await;
        assert!(field.reports().await.contains(&("strong".to_owned(), "completed".to_owned())));
    }

    async fn a_lost_claim_ends_the_work_and_nothing_is_said_about_it(script) {
        let field = Field::with(1).await;
        let mut agent = field.agent(script, "ann", ENDLESS);
        field.until("it works", &[&agent], || field.log().len() == 1).await;
        let pid = field.log()[0].split(' ').next_back().expect("its number").to_owned();
        let forced = field.json(&["claim", "acme/api#1", "--agent", "boss", "--force"]).await;
        let (id, fence) = (forced["claimId"].as_str().expect("a claim"), forced["fence"].to_string());
        let is_alive = || Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().expect("kill").success();
        field.until("the work ended", &[&agent], || !is_alive()).await;
        assert_eq!(agent.terminate(), Some(143), "{}", agent.said());
        let beat = field.json(&["heartbeat", "boss", "--claim", id, "--fence", &fence]).await;
        assert_eq!(beat["leases"][0]["state"], "renewed", "it did not touch another's claim");
        field.until("the label is the other's", &[&agent], || field.labels(1) == ["agent/boss", "status/in-progress"]).await;
        assert!(field.reports().await.is_empty());
    }

    async fn a_fix_of_a_pull_request_is_reported_with_its_attempt(script) {
        const REPORT: &str = "/api/agents/ann/tasks/report";
        let home = home();
        let (url, journal) = fake::start(|asked, before| {
            let is_reported = before.iter().any(|asked| asked.path == REPORT);
            let task = if is_reported {
                json!({ "type": "idle", "shouldRun": false, "reason": "No work available" })
            } else {
                // What strangers wrote comes in every field that they can write.
                json!({
                    "type": "followup-pr", "shouldRun": true, "agentName": "ann", "lane": "NORMAL",
                    "issue": { "repoFullName": "acme/api", "number": 4, "title": "x\",\"type\":\"idle\",\"number\":5,\"id\":\"evil", "url": "https://x/4" },
                    "pullRequest": { "repoFullName": "acme/api", "number": 7, "url": "https://github.com/acme/api/pull/7" },
                    "prFixItem": { "id": "item-1", "generation": 3 }, "reasons": ["\"id\":\"evil\",\"generation\":9"],
                    "instructions": "i", "stopAfter": "s", "forbiddenActions": ["a", "b", "c"],
                })
            };
            if asked.path == REPORT {
                let told = json!({ "ok": true, "agentRunId": "r", "prFixResolution": { "matched": true, "action": "fixed" } });
                return fake::json(200, &told);
            }
            if asked.path.ends_with("/next-task") {
                return fake::json(200, &task);
            }
            let mut beat = json!({
                "status": "ok", "agentName": "ann", "startedAt": "2026-01-01T00:00:00.000Z", "finishedAt": "2026-01-01T00:00:00.000Z",
                "summary": "s", "warnings": [], "errors": [], "touchedIssueUrls": [], "runId": null,
                "nextHeartbeatAt": "2026-01-01T00:00:00.000Z",
            });
            if !asked.body["want"].is_null() {
                beat["next"] = task;
            }
            fake::json(200, &beat)
        })
        .await;
        let agent = Agent::start(home.path(), &url, script, "ann", QUICK);
        until("it reports", home.path(), &[&agent], || !fake::bodies(&journal, REPORT).is_empty()).await;
        let mut report = fake::bodies(&journal, REPORT).remove(0);
        let fields = report.as_object_mut().expect("an object");
        fields.remove("idempotencyKey");
        let want = json!({
            "taskType": "followup-pr", "outcome": "pr_updated", "repoFullName": "acme/api", "pullRequestNumber": 7,
            "prFixItem": { "id": "item-1", "generation": 3 }, "summary": "exit code 0",
        });
        assert_eq!(report, want);
        assert!(fake::bodies(&journal, "/api/issues/claim").is_empty(), "it is the agent's already");
    }
}
