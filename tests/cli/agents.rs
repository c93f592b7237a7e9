//! The commands of agents: what they do, what they print, and the exit codes by which a shell goes on.

use std::{
    path::Path,
    process::{Command, Output},
};

use axum::response::IntoResponse as _;
use github_sim::{NewIssue, Sim};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    err, fake, home, out, run,
    support::{MAINTAINER, child::Server, child::dispatch},
};

/// A server with ready issues of `acme/api` in its cache, and an agent's environment.
struct Field {
    home: TempDir,
    sim: Sim,
    server: Server,
}

impl Field {
    async fn with(titles: &[&str]) -> Self {
        let (home, sim) = (home(), Sim::start().await);
        let repo = sim.create_repo("acme/api");
        for title in titles {
            repo.open_issue(NewIssue::new(*title).label("status/ready"));
        }
        let mut command = dispatch(home.path());
        command.env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
        command.env("GITHUB_REPOSITORIES", "acme/api").env("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
        let server = tokio::task::spawn_blocking(|| Server::start(command)).await.expect("it starts");
        let field = Self { home, sim, server };
        field.run("coder", &["heartbeat", "coder"]).await;
        field
    }

    /// Runs the program as this agent.
    async fn run(&self, agent: &str, arguments: &[&str]) -> Output {
        let environment = [
            ("DISPATCH_URL", self.server.url.as_str()),
            ("DISPATCH_AGENT_TOKEN", MAINTAINER),
            ("DISPATCH_AGENT_NAME", agent),
        ];
        run(self.home.path(), &environment, arguments).await
    }

    /// The JSON that it prints with this exit code.
    async fn json(&self, agent: &str, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(agent, &[arguments, &["--json"]].concat()).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", err(&output));
        serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{arguments:?}: {}", out(&output)))
    }

    /// The words that it prints with this exit code, on both channels.
    async fn words(&self, agent: &str, code: i32, arguments: &[&str]) -> String {
        let output = self.run(agent, arguments).await;
        let all = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {all}");
        all
    }

    fn labels(&self, number: u64) -> Vec<String> {
        let mut labels = self.sim.repo("acme/api").issue(number).expect("an issue").labels;
        labels.sort();
        labels
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_works_through_an_issue_by_commands_alone() {
    let field = Field::with(&["Fix the parser"]).await;
    let task = field.json("coder", 0, &["next"]).await;
    assert_eq!((&task["type"], &task["issue"]["number"]), (&json!("implement"), &json!(1)));
    let words = field.words("coder", 0, &["next"]).await;
    assert!(words.starts_with("implement acme/api#1  Fix the parser\n"), "{words}");
    assert_eq!(field.json("coder", 0, &["queue"]).await[0]["number"], 1);
    assert!(field.words("coder", 0, &["queue"]).await.contains("acme/api#1"));
    let why = field.json("coder", 0, &["why", "acme/api#1"]).await;
    assert_eq!((&why["served"], &why["place"]), (&json!(true), &json!(1)));
    assert!(field.words("coder", 0, &["why", "acme/api#1"]).await.contains("at place 1"));

    let claim = field.json("coder", 0, &["claim", "https://github.com/acme/api/issues/1"]).await;
    let (id, fence) = (claim["claimId"].as_str().expect("an id"), claim["fence"].to_string());
    let refused = field.json("other", 4, &["claim", "acme/api#1"]).await;
    assert_eq!(refused["holder"], "coder");
    assert!(field.words("other", 4, &["claim", "acme/api#1"]).await.contains("coder"), "the holder is named");
    assert!(out(&field.run("other", &["claim", "acme/api#1", "--shell"]).await).is_empty());
    assert!(field.words("other", 0, &["why", "acme/api#1"]).await.contains("because"));
    assert!(field.words("other", 0, &["queue"]).await.contains("nothing is served to other"));
    assert_eq!(field.json("other", 3, &["next"]).await["type"], "idle");

    let branch = ["checkpoint", "BRANCH_CREATED", "--claim", id, "--fence", &fence, "--branch", "fix-1"];
    let work = field.json("coder", 0, &branch).await;
    assert_eq!((&work["checkpoint"], &work["branch"]), (&json!("BRANCH_CREATED"), &json!("fix-1")));
    assert!(
        field.words("coder", 0, &["checkpoint", "tests-running"]).await.contains("TESTS_RUNNING, until 20")
    );
    let lease = field.json("coder", 0, &["heartbeat", "coder", "--claim", id, "--fence", &fence]).await;
    assert_eq!(lease["leases"][0]["state"], "renewed");
    let report = ["report", "pr_opened", "--issue", "acme/api#1", "--key", id, "--summary", "done", "--pr"];
    let report = [&report[..], &["https://github.com/acme/api/pull/2"]].concat();
    let told = field.json("coder", 0, &report).await;
    assert_eq!((&told["report"]["pullRequestNumber"], &told["duplicate"]), (&json!(2), &Value::Null));
    assert_eq!(field.json("coder", 0, &report).await["duplicate"], true);
    let other = ["report", "failed", "--issue", "acme/api#1", "--key", id];
    assert!(field.words("coder", 2, &other).await.contains("already used with a different report"));

    let release = ["release", "acme/api#1", "--status", "in-review", "--claim", id];
    assert_eq!(field.json("coder", 0, &release).await["status"], "status/in-review");
    assert_eq!(field.labels(1), ["status/in-review"]);
    assert_eq!(field.words("coder", 3, &["next"]).await, "idle: No work available\n");
    let runs = field.json("coder", 0, &["runs", "--type", "implement"]).await;
    assert_eq!((runs.as_array().map(Vec::len), &runs[0]["status"]), (Some(1), &json!("completed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_claim_ends_every_command_of_its_holder_with_four() {
    let field = Field::with(&["One"]).await;
    let none = field.words("coder", 4, &["checkpoint", "claimed"]).await;
    assert!(none.contains("No active work"), "{none}");
    let claim = field.json("coder", 0, &["claim", "acme/api#1"]).await;
    let (id, fence) = (claim["claimId"].as_str().expect("an id"), claim["fence"].to_string());
    field.json("boss", 0, &["claim", "acme/api#1", "--force"]).await;
    let late: [&[&str]; 4] = [
        &["checkpoint", "tests-running", "--claim", id],
        &["release", "acme/api#1", "--claim", id],
        &["release", "acme/api#1", "--claim", id, "--status", "in-review"],
        &["claim", "acme/api#1"],
    ];
    for arguments in late {
        assert!(field.words("coder", 4, arguments).await.contains("boss"), "{arguments:?}");
        assert_eq!(field.json("coder", 4, arguments).await["holder"], "boss", "{arguments:?}");
    }
    let beat = ["heartbeat", "coder", "--claim", id, "--fence", &fence];
    assert_eq!(field.json("coder", 4, &beat).await["leases"][0]["state"], "lost");
    assert_eq!(field.labels(1), ["agent/boss", "status/in-progress"]);
    let reason = ["release", "acme/api#1", "--status", "blocked", "--reason", "needs a decision"];
    assert_eq!(field.json("boss", 0, &reason).await["status"], "status/blocked");
    assert_eq!(field.labels(1), ["status/blocked"]);
}

/// Reads what `next --shell` prints as a shell does, in an empty folder; what `TASK_TITLE` is then.
fn evaluated(printed: &str, folder: &Path, shell: &str) -> String {
    let script = "eval \"$1\"; printf '%s' \"$TASK_TITLE\"";
    let mut command = Command::new(shell);
    let output = command.current_dir(folder).args(["-c", script, "sh", printed]).output().expect(shell);
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", err(&output));
    out(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_title_runs_as_a_command() {
    let titles = [
        "'; touch stolen; echo '",
        "$(touch stolen) `touch stolen` ${HOME} $HOME",
        "\"; touch stolen; \" && touch stolen || true & | < > ( ) { }",
        r"back\slash \' \\' '\'' ''' end\",
        "! * ? [a] ~ #comment\ttab",
        "TASK_TITLE=x\nTASK_REPO='evil'\ntouch stolen",
        "ünï çødé ’quote’ 日本 😀",
    ];
    let field = Field::with(&["first"]).await;
    let folder = TempDir::new().expect("an empty folder");
    for title in titles {
        field.sim.repo("acme/api").set_title(1, title);
        field.run("coder", &["heartbeat", "coder"]).await;
        let printed = out(&field.run("coder", &["next", "--shell"]).await);
        for shell in ["sh", "bash"] {
            assert_eq!(evaluated(&printed, folder.path(), shell), title, "{shell}");
        }
        let made = std::fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(made, 0, "{title} ran as a command");
    }
    assert!(out(&field.run("coder", &["claim", "acme/api#1", "--shell"]).await).contains("CLAIM_FENCE='"));
    let idle = field.run("other", &["next", "--shell"]).await;
    assert_eq!(idle.status.code(), Some(3));
    assert!(out(&idle).starts_with("TASK_TYPE='idle'\nTASK_REPO=''\n"), "{}", out(&idle));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_asks_with_the_tag_of_the_last_answer() {
    let (url, journal) = fake::start(|_, before| match before.len() {
        0 => {
            let idle = json!({ "type": "idle", "shouldRun": false, "reason": "No work available" });
            ([("etag", "W/\"t1\"")], fake::json(200, &idle)).into_response()
        }
        1 => axum::http::StatusCode::NOT_MODIFIED.into_response(),
        _ => fake::json(200, &json!({ "type": "implement", "shouldRun": true, "agentName": "coder" })),
    })
    .await;
    let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", "t")];
    let home = home();
    let waited = run(home.path(), &environment, &["next", "--agent", "coder", "--wait", "--json"]).await;
    assert_eq!(waited.status.code(), Some(0), "{}", err(&waited));
    let tags: Vec<_> = journal.lock().expect("no panic").iter().map(|asked| asked.tag.clone()).collect();
    assert_eq!(tags, [None, Some("W/\"t1\"".to_owned()), Some("W/\"t1\"".to_owned())]);
    // Within its time it gives up, with what was said last.
    let (url, _) = fake::start(|asked, _| match &asked.tag {
        None => {
            let idle = json!({ "type": "idle", "shouldRun": false, "reason": "nothing" });
            ([("etag", "W/\"t1\"")], fake::json(200, &idle)).into_response()
        }
        Some(_) => axum::http::StatusCode::NOT_MODIFIED.into_response(),
    })
    .await;
    let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", "t")];
    let waited = run(home.path(), &environment, &["next", "--agent", "coder", "--wait", "1"]).await;
    assert_eq!((waited.status.code(), out(&waited)), (Some(3), "idle: nothing\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_names_its_attempt_and_is_sent_again_with_the_same_key() {
    const PATH: &str = "/api/agents/coder/tasks/report";
    let (url, journal) = fake::start(|_, before| match before.len() {
        0 => fake::json(503, &json!({ "error": "The database failed" })),
        _ => fake::json(
            200,
            &json!({ "agentRunId": "r1", "prFixResolution": { "action": "fixed", "reason": "it is" } }),
        ),
    })
    .await;
    let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", "t")];
    let home = home();
    let report = async |arguments: &[&str]| {
        run(home.path(), &environment, &[&["report", "--agent", "coder"], arguments].concat()).await
    };
    let fix =
        ["PR_Updated", "--pr", "acme/api#7", "--item", "i1", "--generation", "2", "--summary", "rebased"];
    let told = report(&fix).await;
    assert_eq!(told.status.code(), Some(0), "{}", err(&told));
    assert_eq!(out(&told), "recorded as run r1; the pull request's fix: fixed it is\n");
    let sent = fake::bodies(&journal, PATH);
    assert_eq!((sent.len(), &sent[0]), (2, &sent[1]), "the key is of the report, not of the try");
    let mut body = sent[0].clone();
    assert!(body["idempotencyKey"].take().as_str().is_some_and(|key| key.len() > 30));
    let want = json!({
        "taskType": "followup-pr", "outcome": "pr_updated", "repoFullName": "acme/api", "pullRequestNumber": 7,
        "prFixItem": { "id": "i1", "generation": 2 }, "summary": "rebased", "idempotencyKey": null,
    });
    assert_eq!(body, want);
    let all = [
        "already_addressed",
        "--type",
        "implement",
        "--issue",
        "acme/api#1",
        "--error",
        "e",
        "--evidence",
        "it is there",
        "--started-at",
        "2026-01-31T12:00:00Z",
        "--key",
        "k",
    ];
    assert_eq!(report(&all).await.status.code(), Some(0));
    let want = json!({
        "taskType": "implement", "outcome": "already_addressed", "repoFullName": "acme/api", "issueNumber": 1, "error": "e",
        "evidence": "it is there", "startedAt": "2026-01-31T12:00:00Z", "idempotencyKey": "k",
    });
    assert_eq!(fake::bodies(&journal, PATH).pop(), Some(want));
    let wrong: [(&[&str], &str); 3] = [
        (&["failed", "--issue", "acme/api#1", "--pr", "acme/web#2"], "one repository"),
        (&["failed", "--pr", "acme/api#2", "--item", "i1"], "--generation"),
        (&["merged", "--pr", "acme/api#2"], "possible values: pr_opened"),
    ];
    for (arguments, says) in wrong {
        crate::assert_says(&report(arguments).await, says);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_what_keeps_a_served_issue_from_being_the_next_task() {
    let field = Field::with(&["One"]).await;
    assert!(!field.words("coder", 0, &["why", "acme/api#1"]).await.contains("next task"));
    let evidence = json!({ "repo": "acme/api", "pr": 9, "reason": "red", "feedback": "mend it", "evidenceKey": "k", "issue": 1 });
    let url = format!("{}/api/pr-fix-queue/enqueue", field.server.url);
    let told =
        reqwest::Client::new().post(url).bearer_auth(MAINTAINER).body(evidence.to_string()).send().await;
    assert_eq!(told.expect("an answer").status(), 200);
    let why = field.words("coder", 0, &["why", "acme/api#1"]).await;
    for part in
        ["at place 1", "does not come as the next task", "pr_fix", "acme/api#9 is in the PR-fix queue"]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_issue_is_named_and_a_worker_acts_for_itself_only() {
    let field = Field::with(&["One"]).await;
    for arguments in [&["claim", "acme/api#99"][..], &["release", "acme/none#1"], &["why", "acme/api#99"]] {
        crate::assert_says(&field.run("coder", arguments).await, "Issue not found in cache: acme/");
    }
    let made = field.json("coder", 0, &["token", "create", "--agent", "worker-1"]).await;
    let token = made["token"].as_str().expect("a token");
    let environment = [("DISPATCH_URL", field.server.url.as_str()), ("DISPATCH_AGENT_TOKEN", token)];
    for arguments in [
        &["claim", "acme/api#1", "--agent", "coder"][..],
        &["next", "--agent", "coder"],
        &["selftest", "claim-race", "--issue", "acme/api#1", "--yes"],
    ] {
        let refused = run(field.home.path(), &environment, arguments).await;
        crate::assert_says(&refused, "bound to agent \"worker-1\"");
    }
    assert_eq!(field.labels(1), ["status/ready"]);
}
