//! Every command, and everything that can be wrong with it: exit code 2 and a line or two that say what to do.

use std::net::TcpListener;

use axum::{Router, body::Bytes, http::StatusCode};
use tempfile::TempDir;

use crate::{
    assert_says, err, github, home, out, run, server,
    support::{MAINTAINER, child::dispatch},
};

/// A command without subcommands, and how to go wrong with it.
struct Tried {
    /// Its words, with arguments that are right.
    right: &'static [&'static str],
    /// Arguments that are not, and what is said about them.
    wrong: &'static [&'static str],
    says: &'static str,
    /// Does it talk to a server?
    is_client: bool,
}

const fn local(right: &'static [&'static str], wrong: &'static [&'static str], says: &'static str) -> Tried {
    Tried { right, wrong, says, is_client: false }
}

const fn client(right: &'static [&'static str], wrong: &'static [&'static str], says: &'static str) -> Tried {
    Tried { right, wrong, says, is_client: true }
}

const COMMANDS: [Tried; 38] = [
    local(&["serve"], &["serve", "--bindd", "127.0.0.1:0"], "'--bind'"),
    local(&["demo"], &["demo", "--seconds", "0"], "1..=86400"),
    local(&["doctor"], &["doctor", "--strickt"], "'--strict'"),
    local(&["backup", "copy.db"], &["backup"], "<FILE>"),
    local(&["completions", "bash"], &["completions", "ksh"], "possible values: bash"),
    client(&["heartbeat", "coder"], &["heartbeat", "no/slash"], "an agent name is"),
    client(&["next", "--agent", "coder"], &["next"], "--agent NAME, or set DISPATCH_AGENT_NAME"),
    client(
        &["claim", "acme/api#1", "--agent", "coder"],
        &["claim", "acme/api", "--agent", "coder"],
        "owner/name#7",
    ),
    client(
        &["release", "acme/api#1", "--agent", "coder"],
        &["release", "acme/api#1", "--status", "done"],
        "possible values: backlog, ready",
    ),
    client(
        &["checkpoint", "claimed", "--agent", "coder"],
        &["checkpoint", "soon"],
        "possible values: claimed",
    ),
    client(
        &["report", "failed", "--issue", "acme/api#1", "--agent", "coder"],
        &["report", "failed", "--agent", "coder"],
        "--issue <OWNER/NAME#NUMBER>",
    ),
    client(&["queue", "--agent", "coder"], &["queue", "--agent", "a b"], "an agent name is"),
    client(&["why", "acme/api#1", "--agent", "coder"], &["why", "1"], "owner/name#7"),
    client(
        &["selftest", "claim-race", "--issue", "acme/api#1", "--yes"],
        &["selftest", "claim-race"],
        "say --yes",
    ),
    client(&["repo", "add", "acme/web"], &["repo", "add", "acme"], "owner/name"),
    client(&["repo", "remove", "acme/api"], &["repo", "remove", "acme"], "owner/name"),
    client(&["repo", "list"], &["repo", "list", "acme/api"], "unexpected argument"),
    client(&["repo", "sync"], &["repo", "sync", "https://github.com/acme/api"], "owner/name"),
    client(&["runs"], &["runs", "--limit", "0"], "1..=1000"),
    client(&["audit"], &["audit", "--repo", "acme"], "owner/name"),
    client(&["watch"], &["watch", "--kind", "issues"], "possible values: issue, claim"),
    client(
        &["webhook", "add", "acme/api", "--address", "https://d.example"],
        &["webhook", "add", "acme/api"],
        "--address",
    ),
    client(&["webhook", "status", "acme/api"], &["webhook", "status", "acme"], "owner/name"),
    client(&["webhook", "remove", "acme/api"], &["webhook", "remove"], "<OWNER/NAME>"),
    client(&["outbox", "list"], &["outbox", "list", "--state", "stuck"], "one of pending"),
    client(&["outbox", "retry", "x"], &["outbox", "retry"], "<ID>"),
    client(&["outbox", "discard", "x"], &["outbox", "discard"], "<ID>"),
    client(&["move", "acme/api#1", "ready"], &["move", "acme/api#1", "rdy"], "one of backlog, ready"),
    client(&["label", "acme/api#1", "bug"], &["label", "acme/api", "bug"], "owner/name#7"),
    client(&["unlabel", "acme/api#1", "bug"], &["unlabel", "acme/api#0", "bug"], "owner/name#7"),
    client(&["comment", "acme/api#1", "Hi"], &["comment", "acme/api#1"], "<TEXT>"),
    client(&["assign", "acme/api#1", "coder"], &["assign", "acme/api#1"], "<NAME>"),
    client(&["unassign", "acme/api#1"], &["unassign", "#1"], "owner/name#7"),
    client(
        &["groom", "acme/api#1", "escalate"],
        &["groom", "acme/api#1", "promote"],
        "one of promote_to_ready",
    ),
    client(&["token", "create"], &["token", "create", "--agent", "a b"], "an agent name is"),
    client(&["token", "list"], &["token", "lst"], "'list'"),
    client(&["login-link"], &["login-link", "acme"], "unexpected argument"),
    client(&["token", "revoke", "x"], &["token", "revoke"], "<ID>"),
];

/// The names of all commands without subcommands, as the program itself knows them.
fn leaves(command: &clap::Command, path: &[String]) -> Vec<Vec<String>> {
    let subcommands = command.get_subcommands().filter(|command| command.get_name() != "help");
    let below: Vec<Vec<String>> = subcommands
        .flat_map(|command| leaves(command, &[path, &[command.get_name().to_owned()]].concat()))
        .collect();
    if below.is_empty() { vec![path.to_vec()] } else { below }
}

#[test]
fn every_command_is_tried_below() {
    let all = leaves(&dispatch::cli::command(), &[]);
    assert!(all.len() >= COMMANDS.len(), "{all:?}");
    for path in all {
        let is_tried = COMMANDS
            .iter()
            .any(|tried| tried.right.iter().zip(&path).filter(|(a, b)| *a == b).count() == path.len());
        assert!(is_tried, "`dispatch {}` is not in COMMANDS of tests/cli/errors.rs", path.join(" "));
    }
}

/// With and without `--json`: an error is a text on standard error either way.
fn both(arguments: &'static [&'static str]) -> [Vec<&'static str>; 2] {
    [arguments.to_vec(), [arguments, &["--json"]].concat()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_argument_is_named() {
    let home = home();
    for tried in COMMANDS {
        assert_says(&run(home.path(), &[], tried.wrong).await, tried.says);
    }
    assert_says(&run(home.path(), &[], &["haertbeat"]).await, "'heartbeat'");
    assert_says(&run(home.path(), &[], &["heartbeat", "me", "--repo", "a/b"]).await, "--local");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_said_and_how_to_start_one() {
    let home = home();
    // Taken, so that nobody else gets it, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("its number").port();
    drop(silent);
    let url = format!("http://127.0.0.1:{port}");
    let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    for tried in COMMANDS.iter().filter(|tried| tried.is_client) {
        for arguments in both(tried.right) {
            let output = run(home.path(), &environment, &arguments).await;
            assert_says(&output, "start one with `dispatch serve`, or set DISPATCH_URL");
            assert!(err(&output).contains(&url), "{}", err(&output));
        }
    }
    let secure =
        [("DISPATCH_URL", url.replace("http:", "https:")), ("DISPATCH_AGENT_TOKEN", MAINTAINER.to_owned())];
    let secure = secure.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_says(&run(home.path(), &secure, &["runs"]).await, "check DISPATCH_URL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_said_and_never_shown() {
    let (home, sim) = (home(), github().await);
    let server = server(home.path(), &sim).await;
    let refused = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", "not-a-token-of-it")];
    let none = [("DISPATCH_URL", server.url.as_str())];
    for tried in COMMANDS.iter().filter(|tried| tried.is_client) {
        for arguments in both(tried.right) {
            let output = run(home.path(), &refused, &arguments).await;
            assert_says(&output, "does not know this token; check DISPATCH_AGENT_TOKEN");
            assert!(!err(&output).contains("not-a-token-of-it"));
        }
        let output = run(home.path(), &none, tried.right).await;
        assert_says(&output, "wants a token; set DISPATCH_AGENT_TOKEN");
    }
    for token in ["two\nlines", "with blank", "täken"] {
        let unfit = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", token)];
        let output = run(home.path(), &unfit, &["runs"]).await;
        assert_says(&output, "copy it anew into DISPATCH_AGENT_TOKEN");
        assert!(!err(&output).contains(token));
    }
    // A line break at the end, as files have it, is none of the token.
    let copied = format!("{MAINTAINER}\n");
    let copied = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", copied.as_str())];
    assert!(run(home.path(), &copied, &["runs"]).await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_repository_is_named() {
    let (home, sim) = (home(), github().await);
    let server = server(home.path(), &sim).await;
    let environment = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    let run_here = async |arguments: &[&str]| run(home.path(), &environment, arguments).await;
    for arguments in [["repo", "remove", "acme/none"], ["repo", "sync", "acme/none"]] {
        assert_says(&run_here(&arguments).await, "not tracked");
        assert_says(&run_here(&[&arguments[..], &["--json"]].concat()).await, "not tracked");
    }
    let audit = run_here(&["audit", "--repo", "acme/none"]).await;
    assert!(audit.status.success() && out(&audit).contains("nothing is recorded about"), "{}", out(&audit));
    assert_says(&run_here(&["repo", "add", "acme/api"]).await, "already tracked");
    assert_says(&run_here(&["token", "revoke", "none"]).await, "No live token");
    // GitHub alone can say that there is no such repository: the next read does.
    assert!(run_here(&["repo", "add", "acme/none"]).await.status.success());
    let sync = run_here(&["repo", "sync", "acme/none", "--json"]).await;
    assert_eq!(sync.status.code(), Some(2));
    assert!(out(&sync).contains("404") && err(&sync).is_empty(), "{} {}", out(&sync), err(&sync));
    let elsewhere = TempDir::new().expect("another home");
    let (url, token) = (sim.url(), sim.token());
    let with_github = [("GITHUB_API_URL", url.as_str()), ("GITHUB_TOKEN", token.as_str())];
    let arguments = ["heartbeat", "me", "--local", "--repo", "acme/none"];
    let beat = run(elsewhere.path(), &with_github, &arguments).await;
    assert_eq!(beat.status.code(), Some(2));
    assert!(out(&beat).contains("acme/none") && out(&beat).contains("404"), "{}", out(&beat));
}

/// Something that gives everybody this answer.
async fn stranger(status: u16, headers: [(&'static str, &'static str); 2], body: &'static str) -> String {
    let status = StatusCode::from_u16(status).expect("a status");
    let app = Router::new().fallback(async move |_: Bytes| (status, headers, body));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its number"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_and_is_not_dispatch_is_said() {
    let home = home();
    let html = ("content-type", "text/html");
    let json = ("content-type", "application/json");
    let plain = ("cache-control", "no-store");
    let cases = [
        (200, html, "<html>It works!</html>", "is not a Dispatch server; check DISPATCH_URL"),
        (404, html, "<html>Not found</html>", "is not a Dispatch server; check DISPATCH_URL"),
        (200, json, r#"{"ok":true}"#, "is not a Dispatch server; check DISPATCH_URL"),
        (401, json, r#"{"message":"Bad credentials"}"#, "is not a Dispatch server; check DISPATCH_URL"),
        (403, html, "<html>Forbidden</html>", "is not a Dispatch server; check DISPATCH_URL"),
        (500, html, "<html>oops</html>", "is the server behind this address running?"),
        (502, html, "<html>Bad Gateway</html>", "is the server behind this address running?"),
        (503, json, "null", "is the server behind this address running?"),
        (301, ("location", "https://elsewhere.example/"), "", "set DISPATCH_URL to where it leads"),
        (200, json, r#"{"status":"ok""#, "is not a Dispatch server; check DISPATCH_URL"),
    ];
    for (status, header, body, says) in cases {
        let url = stranger(status, [header, plain], body).await;
        let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
        for tried in COMMANDS.iter().filter(|tried| tried.is_client) {
            for arguments in both(tried.right) {
                let output = run(home.path(), &environment, &arguments).await;
                assert_says(&output, says);
                assert!(err(&output).contains(&status.to_string()), "{}", err(&output));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_said_without_repeating_it() {
    let home = home();
    let cases = [
        ("localhost", "is not an address; for example DISPATCH_URL=http://"),
        ("127.0.0.1:3000", "is not an address; for example"),
        ("localhost:3000", "must begin with http:// or https://"),
        ("ftp://127.0.0.1", "must begin with http:// or https://"),
        ("http://", "is not an address"),
        ("http://127.0.0.1:99999", "is not an address"),
        ("http://me:hunter2@127.0.0.1:3000", "must hold no credentials"),
        ("http//me:hunter2@127.0.0.1:3000", "is not an address"),
        ("http://127.0.0.1:3000/?token=hunter2", "must end before"),
    ];
    for (url, says) in cases {
        for tried in COMMANDS.iter().filter(|tried| tried.is_client) {
            let output = run(home.path(), &[("DISPATCH_URL", url)], tried.right).await;
            assert_says(&output, says);
            assert!(!err(&output).contains("hunter2"), "{}", err(&output));
        }
    }
    // Unset and empty are the same.
    let output = run(home.path(), &[("DISPATCH_URL", ""), ("DISPATCH_AGENT_TOKEN", "none")], &["runs"]).await;
    assert!(err(&output).contains("127.0.0.1:3000"), "{}", err(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_and_the_demo_cannot_have_is_said() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its number");
    let serve =
        run(home.path(), &[("DISPATCH_LOG", "error")], &["serve", "--bind", &address.to_string()]).await;
    assert_says(&serve, "DISPATCH_BIND or PORT choose another");
    let temp = TempDir::new().expect("a folder for temporary files");
    let environment = [("TMPDIR", temp.path().to_str().expect("its name"))];
    let demo = run(home.path(), &environment, &["demo", "--port", &address.port().to_string()]).await;
    assert_says(&demo, "is it in use?");
    let file = home.path().join("file");
    std::fs::write(&file, "").expect("written");
    let inside = file.join("data");
    let unusable = [("DISPATCH_DATA_DIR", inside.to_str().expect("its name")), ("DISPATCH_LOG", "error")];
    assert_says(&run(home.path(), &unusable, &["serve"]).await, "set DISPATCH_DATA_DIR");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_printed_is_no_success() {
    let (home, sim) = (home(), github().await);
    let server = server(home.path(), &sim).await;
    let environment = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    for arguments in [&["token", "create"][..], &["runs"], &["completions", "bash"]] {
        let mut command = dispatch(home.path());
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
        command.envs(environment).args(arguments).stdout(full).stderr(std::process::Stdio::piped());
        let output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("it ran").expect("it ended");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", err(&output));
        assert!(err(&output).contains("standard output cannot be written"), "{}", err(&output));
    }
}
