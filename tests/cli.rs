//! The program as people use it: first start, client commands, demo, and what each says when something is wrong.

#![expect(clippy::disallowed_methods, reason = "the tests look into the folders of the programs they start")]

mod support;

use std::{path::Path, process::Output, time::Duration};

use serde_json::Value;
use support::{MAINTAINER, child::Server, child::dispatch};
use tempfile::TempDir;

fn home() -> TempDir {
    TempDir::new().expect("a home")
}

/// Runs the program to its end.
async fn run(home: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = dispatch(home);
    command.args(arguments).envs(environment.iter().copied());
    tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A message for a person: at most two lines, and no trace of the code.
fn assert_plain(message: &str) {
    let lines: Vec<&str> = message.lines().filter(|line| !line.is_empty()).collect();
    assert!((1..=6).contains(&lines.len()), "{message}");
    for sign in ["panicked", "RUST_BACKTRACE", "src/", "Error {", "Custom {"] {
        assert!(!message.contains(sign), "{message}");
    }
}

/// A server over a simulated GitHub with one repository of two issues.
async fn server(home: &Path, sim: &github_sim::Sim) -> Server {
    let mut command = dispatch(home);
    command.env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    command.env("GITHUB_REPOSITORIES", "acme/api");
    tokio::task::spawn_blocking(|| Server::start(command)).await.expect("it starts")
}

async fn github() -> github_sim::Sim {
    let sim = github_sim::Sim::start().await;
    let api = sim.create_repo("acme/api");
    api.open_issue("One");
    api.open_issue("Two");
    sim
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_command_does_its_work_and_speaks_json() {
    let (home, sim) = (home(), github().await);
    let server = server(home.path(), &sim).await;
    let environment = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    let json = async |arguments: &[&str]| -> Value {
        let output = run(home.path(), &environment, &[arguments, &["--json"]].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {}", err(&output));
        serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{arguments:?}: {}", out(&output)))
    };
    let beat = json(&["heartbeat", "coder"]).await;
    assert_eq!(
        (beat["status"].as_str(), beat["touchedIssueUrls"].as_array().map(Vec::len)),
        (Some("ok"), Some(2))
    );
    assert_eq!(json(&["repo", "add", "acme/web"]).await["fullName"], "acme/web");
    assert_eq!(json(&["repo", "list"]).await.as_array().map(Vec::len), Some(2));
    assert_eq!(json(&["repo", "sync", "acme/api"]).await["syncedCount"], 2);
    assert_eq!(json(&["repo", "remove", "ACME/Web"]).await["success"], true);
    assert_eq!(json(&["runs", "--agent", "CODER", "--status", "ok"]).await[0]["agentName"], "coder");
    assert_eq!(json(&["audit"]).await[0]["action"], "remove_tracked_repo");
    let made = json(&["token", "create", "--agent", "worker-1"]).await;
    let token = made["token"].as_str().expect("the token");
    let id = made["id"].as_str().expect("its id");
    let as_worker = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", token)];
    assert!(run(home.path(), &as_worker, &["heartbeat", "worker-1"]).await.status.success());
    let other = run(home.path(), &as_worker, &["heartbeat", "coder"]).await;
    assert_eq!(other.status.code(), Some(2));
    assert!(err(&other).contains("bound to agent \"worker-1\""), "{}", err(&other));
    assert_eq!(json(&["token", "revoke", id]).await["id"], id);
    let revoked = run(home.path(), &as_worker, &["heartbeat", "worker-1"]).await;
    assert!(err(&revoked).contains("does not know this token"), "{}", err(&revoked));
    let listed = json(&["token", "list"]).await;
    assert!(listed[0]["revokedAt"].is_string() && !listed.to_string().contains(token));
    for arguments in [&["repo", "list"][..], &["runs"], &["audit"], &["token", "list"]] {
        let output = run(home.path(), &environment, arguments).await;
        assert!(output.status.success() && out(&output).contains('│'), "{arguments:?}: {}", out(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_a_line_or_two() {
    let (home, sim) = (home(), github().await);
    let server = server(home.path(), &sim).await;
    let url = server.url.as_str();
    let right = [("DISPATCH_URL", url), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    let commands: [&[&str]; 6] = [
        &["heartbeat", "coder"],
        &["repo", "list"],
        &["repo", "sync"],
        &["runs"],
        &["audit"],
        &["token", "list"],
    ];
    for arguments in commands {
        let unreachable = [("DISPATCH_URL", "http://127.0.0.1:9"), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
        let output = run(home.path(), &unreachable, arguments).await;
        assert!(
            output.status.code() == Some(2) && err(&output).contains("`dispatch serve`"),
            "{}",
            err(&output)
        );
        assert_plain(&err(&output));
        let refused = [("DISPATCH_URL", url), ("DISPATCH_AGENT_TOKEN", "not-a-token-of-it")];
        let output = run(home.path(), &refused, arguments).await;
        assert!(
            output.status.code() == Some(2) && err(&output).contains("DISPATCH_AGENT_TOKEN"),
            "{}",
            err(&output)
        );
        assert_plain(&err(&output));
        assert!(!err(&output).contains("not-a-token-of-it"));
    }
    let cases: [(&[&str], &str); 6] = [
        (&["heartbeat", "no/slash"], "an agent name is"),
        (&["repo", "add", "acme"], "owner/name"),
        (&["repo", "add", "acme/api"], "already tracked"),
        (&["repo", "remove", "acme/none"], "not tracked"),
        (&["repo", "sync", "acme/none"], "not tracked"),
        (&["token", "revoke", "none"], "No live token"),
    ];
    for (arguments, words) in cases {
        let output = run(home.path(), &right, arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(err(&output).contains(words), "{arguments:?}: {}", err(&output));
        assert_plain(&err(&output));
    }
    let not_dispatch = [("DISPATCH_URL", sim.url()), ("DISPATCH_AGENT_TOKEN", MAINTAINER.to_owned())];
    let not_dispatch = not_dispatch.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(run(home.path(), &not_dispatch, &["runs"]).await.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_of_a_local_heartbeat() {
    let (home, sim) = (home(), github().await);
    let (url, token) = (sim.url(), sim.token());
    let with_token = [("GITHUB_API_URL", url.as_str()), ("GITHUB_TOKEN", token.as_str())];
    let anonymous = [("GITHUB_API_URL", url.as_str())];
    let arguments = ["heartbeat", "me", "--local", "--repo", "acme/api"];
    let ok = run(home.path(), &with_token, &arguments).await;
    let answer: Value = serde_json::from_str(&out(&ok)).expect("the answer");
    assert_eq!((ok.status.code(), answer["status"].as_str()), (Some(0), Some("ok")), "{}", err(&ok));
    let warned = run(home.path(), &anonymous, &arguments).await;
    assert_eq!(warned.status.code(), Some(0));
    assert!(out(&warned).contains("GITHUB_TOKEN"), "{}", out(&warned));
    assert_eq!(
        run(home.path(), &anonymous, &[&arguments[..], &["--strict"]].concat()).await.status.code(),
        Some(1)
    );
    sim.revoke_token(&token);
    let refused = run(home.path(), &with_token, &arguments).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(out(&refused).contains("the credentials were refused"), "{}", out(&refused));
    let nothing = TempDir::new().expect("another home");
    let empty = run(nothing.path(), &with_token, &["heartbeat", "me", "--local"]).await;
    assert!(empty.status.code() == Some(2) && out(&empty).contains("none is tracked"), "{}", out(&empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_leaves_a_token_that_the_client_finds() {
    let (home, sim) = (home(), github().await);
    let mut command = dispatch(home.path());
    command.env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    let server =
        tokio::task::spawn_blocking(|| Server::start_without_token(command)).await.expect("it starts");
    let file = home.path().join("data/admin-token");
    let token = std::fs::read_to_string(&file).expect("the first token");
    assert!(token.starts_with("dsp_") && token.trim().len() == 68, "32 random bytes");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().expect("its folder"))), (0o600, 0o700));
    }
    let environment = [("DISPATCH_URL", server.url.as_str())];
    assert!(run(home.path(), &environment, &["repo", "add", "acme/api"]).await.status.success());
    let block = server.greeting();
    for words in ["dispatch ", &server.url, "SQLite", "none yet", "admin-token", "curl "] {
        assert!(block.contains(words), "{words} is missing in: {block}");
    }
    assert!(!block.contains(token.trim()), "no terminal, no token");
    assert!(server.drain().iter().all(|line| !line.contains(token.trim())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_in_use_names_the_way_to_its_server() {
    let (home, sim) = (home(), github().await);
    let _server = server(home.path(), &sim).await;
    let output = run(home.path(), &[], &["heartbeat", "me", "--local"]).await;
    assert!(output.status.code() == Some(2) && err(&output).contains("DISPATCH_URL"), "{}", err(&output));
    assert_plain(&err(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_settings_name_the_variable_the_fault_and_an_example() {
    let home = home();
    let cases = [
        ("DISPATCH_BIND", "localhost", "127.0.0.1:3000"),
        ("PORT", "70000", "not a port"),
        ("DATABASE_URL", "mysql://x", "postgres://"),
        ("GITHUB_API_URL", "ftp://x", "https://"),
        ("GITHUB_REPOSITORIES", "acme", "owner/name"),
        ("DISPATCH_AUTH_MODE", "open", "legacy"),
        ("DISPATCH_HEARTBEAT_DEADLINE_MS", "soon", "whole number"),
        ("DISPATCH_SYNC_MAX_STALENESS_MS", "60000", "heartbeat interval"),
        ("DISPATCH_GITHUB_CONCURRENCY", "0", "between 1 and 100"),
        ("DISPATCH_RUN_RETENTION_DAYS", "-1", "whole number"),
    ];
    for (variable, value, words) in cases {
        let output = run(home.path(), &[(variable, value)], &["serve"]).await;
        let message = err(&output);
        assert_eq!(output.status.code(), Some(2), "{variable}: {message}");
        assert!(message.contains(variable) && message.contains(words), "{variable}: {message}");
        assert_plain(&message);
    }
    let secret = "postgres://user:hunter2@127.0.0.1:9/none";
    let output = run(home.path(), &[("DATABASE_URL", secret)], &["serve"]).await;
    assert!(output.status.code() == Some(2) && !err(&output).contains("hunter2"), "{}", err(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_beats_and_changes_and_leaves_nothing() {
    let home = home();
    let temp = TempDir::new().expect("a folder for temporary files");
    let temp_path = temp.path().to_str().expect("its name").to_owned();
    let output = run(home.path(), &[("TMPDIR", &temp_path)], &["demo", "--seconds", "9"]).await;
    assert!(output.status.success(), "{}", err(&output));
    let text = out(&output);
    let summary = text.lines().rev().find(|line| line.contains("heartbeats on record")).expect("a summary");
    let count = |words: &str| -> u64 {
        let before = summary.split(words).next().expect("a part").trim_end();
        before.rsplit([' ', ';', ',', ':']).next().expect("a number").parse().expect("a number")
    };
    assert!(
        count("heartbeats on record") >= 6 && count("ok") >= 5 && count("times an issue") >= 60,
        "{summary}"
    );
    assert!(text.contains("acme/repo-01/issues/") && text.contains("agent-3"), "{text}");
    assert_eq!(std::fs::read_dir(temp.path()).expect("readable").count(), 0, "the folder is gone");
    // A killed demo cannot tidy up; the next one does.
    let mut killed = dispatch(home.path());
    killed.env("TMPDIR", &temp_path).arg("demo").stdout(std::process::Stdio::piped());
    let mut killed = killed.spawn().expect("it starts");
    let stdout = killed.stdout.take().expect("its output");
    let line = tokio::task::spawn_blocking(move || {
        std::io::BufRead::lines(std::io::BufReader::new(stdout))
            .map_while(Result::ok)
            .find(|line| line.contains("agent-"))
    });
    assert!(
        tokio::time::timeout(Duration::from_secs(30), line).await.expect("in time").expect("read").is_some()
    );
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    assert_eq!(std::fs::read_dir(temp.path()).expect("readable").count(), 1);
    let next = run(home.path(), &[("TMPDIR", &temp_path)], &["demo", "--seconds", "1"]).await;
    assert!(next.status.success(), "{}", err(&next));
    assert_eq!(std::fs::read_dir(temp.path()).expect("readable").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_help_are_there_for_every_command() {
    let home = home();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(home.path(), &[], &["completions", shell]).await;
        assert!(output.status.success() && out(&output).contains("heartbeat"), "{shell}");
    }
    for command in ["serve", "demo", "heartbeat", "repo", "runs", "audit", "token", "doctor", "completions"] {
        let output = run(home.path(), &[], &[command, "--help"]).await;
        assert!(output.status.success() && out(&output).contains("Usage: dispatch"), "{command}");
    }
    let wrong = run(home.path(), &[], &["repo", "ad", "acme/api"]).await;
    assert!(wrong.status.code() == Some(2) && err(&wrong).contains("'add'"), "{}", err(&wrong));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_can_be_restored() {
    let (home, sim) = (home(), github().await);
    let mut server = server(home.path(), &sim).await;
    assert_eq!(server.beat("coder").await.expect("an answer").status, 200);
    let file = home.path().join("copy.db");
    let name = file.to_str().expect("its name");
    let saved = run(home.path(), &[], &["backup", name]).await;
    assert!(saved.status.success(), "{}", err(&saved));
    let again = run(home.path(), &[], &["backup", name]).await;
    assert!(again.status.code() == Some(2) && err(&again).contains("exists already"), "{}", err(&again));
    sim.repo("acme/api").open_issue("Three");
    server.kill();
    let data = home.path().join("data");
    for old in ["dispatch.db", "dispatch.db-wal", "dispatch.db-shm"] {
        let _ = std::fs::remove_file(data.join(old));
    }
    std::fs::rename(&file, data.join("dispatch.db")).expect("restored");
    let server = self::server(home.path(), &sim).await;
    let runs = support::app::send(server.request("GET", "/api/agent-runs")).await.expect(200);
    assert_eq!(runs.as_array().map(Vec::len), Some(1));
    let beat = server.beat("coder").await.expect("an answer").expect(200);
    assert_eq!(
        (beat["status"].as_str(), beat["touchedIssueUrls"].as_array().map(Vec::len)),
        (Some("ok"), Some(1))
    );
    let nothing = TempDir::new().expect("another home");
    let none = run(nothing.path(), &[], &["backup", name]).await;
    assert!(none.status.code() == Some(2) && err(&none).contains("there is no database"), "{}", err(&none));
}
