//! The program as people use it: first start, client commands, demo, and what each says when something is wrong.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the tests start programs, and look into their folders"
)]

mod agents;
mod audit;
mod backup;
mod demo;
mod errors;
mod fake;
mod harness;
mod help;
mod issue_actions;
mod packaging;
mod race;
mod readme;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Output, Stdio},
};

use serde_json::Value;
use support::{MAINTAINER, app::send, child::Server, child::dispatch};
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

/// What went wrong is said in a line or two on standard error, without a trace of the code, and the code is 2.
#[track_caller]
fn assert_says(output: &Output, words: &str) {
    let (message, said) = (err(output), out(output));
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains(words), "{words:?} is not in: {message}");
    assert!(said.is_empty(), "{said}");
    assert!((1..=2).contains(&message.lines().count()), "{message}");
    for sign in
        ["panicked", "RUST_BACKTRACE", "src/", "Error {", "Custom {", "error sending request", "os error"]
    {
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
    // What GitHub does not let us write waits.
    sim.token_permission(&sim.token(), github_sim::Permission::Read);
    for number in [1, 2] {
        sim.repo("acme/api").close_issue(number);
        let body = serde_json::json!({ "repoFullName": "acme/api", "issueNumber": number });
        send(server.request("POST", "/api/issues/refresh").body(body.to_string())).await.expect(200);
    }
    let waits = json(&["outbox", "list", "--state", "pending"]).await;
    let labels: Vec<_> = waits.as_array().expect("a list").iter().map(|entry| &entry["what"]).collect();
    assert_eq!(labels.len(), 2, "{waits}");
    let id = |n: usize| waits[n]["id"].as_str().expect("an id").to_owned();
    assert_eq!(json(&["outbox", "discard", &id(0)]).await["state"], "discarded");
    sim.token_permission(&sim.token(), github_sim::Permission::Write);
    assert_eq!(json(&["outbox", "retry", &id(1)]).await["state"], "settled");
    let gone = run(home.path(), &environment, &["outbox", "retry", &id(0)]).await;
    assert!(gone.status.code() == Some(2) && err(&gone).contains("It was discarded"), "{}", err(&gone));
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
    for arguments in [
        &["repo", "list"][..],
        &["runs"],
        &["audit"],
        &["outbox", "list", "--state", "settled"],
        &["token", "list"],
    ] {
        let output = run(home.path(), &environment, arguments).await;
        assert!(output.status.success() && out(&output).contains('│'), "{arguments:?}: {}", out(&output));
    }
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
async fn beside_postgresql_the_first_token_is_left_as_well() {
    let (home, sim, db) = (home(), github().await, support::TestDb::postgres().await);
    let mut command = dispatch(home.path());
    command.env("GITHUB_API_URL", sim.url()).env("DATABASE_URL", db.url()).env("GITHUB_TOKEN", sim.token());
    let server =
        tokio::task::spawn_blocking(|| Server::start_without_token(command)).await.expect("it starts");
    assert!(home.path().join("data/admin-token").exists());
    let environment = [("DISPATCH_URL", server.url.as_str())];
    assert!(run(home.path(), &environment, &["repo", "list"]).await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_says_where_it_is_in_json() {
    let (home, sim) = (home(), github().await);
    let mut command = dispatch(home.path());
    command.env("GITHUB_API_URL", sim.url()).env("DISPATCH_BIND", "127.0.0.1:0").args(["serve", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    let token = std::fs::read_to_string(said["tokenFile"].as_str().expect("a file")).expect("the token");
    assert!(!line.contains(token.trim()), "{line}");
    let environment = [("DISPATCH_URL", said["address"].as_str().expect("an address"))];
    let listed = run(home.path(), &environment, &["repo", "list", "--json"]).await;
    assert_eq!(out(&listed).trim(), "[]");
    child.kill().expect("killed");
    child.wait().expect("gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_in_use_names_the_way_to_its_server() {
    let (home, sim) = (home(), github().await);
    let _server = server(home.path(), &sim).await;
    let output = run(home.path(), &[], &["heartbeat", "me", "--local"]).await;
    assert_says(&output, "DISPATCH_URL");
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
        assert_says(&output, words);
        assert!(err(&output).contains(variable), "{}", err(&output));
    }
    let secret = [("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:9/none"), ("DISPATCH_LOG", "error")];
    let output = run(home.path(), &secret, &["serve"]).await;
    assert_says(&output, "DATABASE_URL: the database cannot be reached");
    assert!(!err(&output).contains("hunter2"), "{}", err(&output));
}
