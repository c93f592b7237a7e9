//! What operators do to issues by the command line.

use std::{io::Write as _, process::Stdio};

use serde_json::{Value, json};

use crate::{
    assert_says, err, github, home, out, run,
    support::{MAINTAINER, child::Server, child::dispatch},
};

#[tokio::test(flavor = "multi_thread")]
async fn issues_are_moved_labelled_commented_assigned_and_groomed() {
    let (home, sim) = (home(), github().await);
    let mut command = dispatch(home.path());
    command.env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token());
    // So many writes at once would wait their turn.
    command.env("GITHUB_REPOSITORIES", "acme/api").env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0");
    let server = tokio::task::spawn_blocking(|| Server::start(command)).await.expect("it starts");
    let environment = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
    let run_here = async |arguments: &[&str]| run(home.path(), &environment, arguments).await;
    let json = async |arguments: &[&str]| -> Value {
        let output = run_here(&[arguments, &["--json"]].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {}", err(&output));
        serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{arguments:?}: {}", out(&output)))
    };
    let line = async |arguments: &[&str]| -> String {
        let output = run_here(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", err(&output));
        out(&output).trim_end().to_owned()
    };
    json(&["repo", "sync"]).await;
    let labels = || {
        let mut labels = sim.repo("acme/api").issue(1).expect("the issue").labels;
        labels.sort();
        labels
    };
    assert_eq!(
        json(&["move", "ACME/api#1", "backlog", "--by", "ann"]).await["labels"],
        json!(["status/backlog"])
    );
    assert_eq!(json(&["audit"]).await[0]["actor"], "ann");
    assert_eq!(line(&["move", "acme/api#1", "in-review"]).await, "acme/api#1 is in-review now");
    assert_eq!(line(&["label", "acme/api#1", "type/bug"]).await, "acme/api#1: status/in-review, type/bug");
    assert_eq!(json(&["label", "acme/api#1", "good first issue"]).await["action"], "add");
    assert_eq!(
        line(&["unlabel", "acme/api#1", "type/bug"]).await,
        "acme/api#1: status/in-review, good first issue"
    );
    assert_eq!(json(&["assign", "acme/api#1", "coder"]).await["success"], true);
    assert_eq!(line(&["assign", "acme/api#1", "ann", "--owner"]).await, "acme/api#1 is assigned: owner/ann");
    assert_eq!(labels(), ["agent/coder", "good first issue", "owner/ann", "status/in-review"]);
    assert_eq!(json(&["unassign", "acme/api#1"]).await["removed"], json!(["agent/coder"]));
    assert_eq!(
        line(&["unassign", "acme/api#1", "--owner"]).await,
        "acme/api#1 has no owner/* label any more"
    );
    assert_says(&run_here(&["unassign", "acme/api#1"]).await, "Issue has no agent/* label");
    assert_eq!(line(&["groom", "acme/api#1", "promote_to_ready"]).await, "acme/api#1: promote_to_ready");
    assert_eq!(labels(), ["good first issue", "status/ready"]);
    json(&["groom", "acme/api#1", "mark_blocked", "--reason", "waits", "--summary", "Later"]).await;
    assert_says(&run_here(&["groom", "acme/api#1", "mark_needs_info"]).await, "needsInfoReason is required");
    assert_says(&run_here(&["assign", "acme/api#1", "a b"]).await, "an agent name is");
    assert_says(&run_here(&["move", "acme/api#9", "ready"]).await, "Issue not found in cache: acme/api#9");
    assert!(line(&["comment", "acme/api#1", "Hello"]).await.starts_with("http"), "where it is");
    let mut command = dispatch(home.path());
    command.envs(environment).args(["comment", "acme/api#1", "-", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("it runs");
        child.stdin.take().expect("its input").write_all(b"From\nafar").expect("written");
        child.wait_with_output().expect("it ends")
    });
    let said: Value = serde_json::from_str(&out(&output.await.expect("it ran"))).expect("JSON");
    assert_eq!(said["state"], "settled");
    let comments = sim.repo("acme/api").comments(1);
    assert!(comments.len() == 2 && comments[1].body.starts_with("From\nafar"), "{comments:?}");
    // What GitHub does not let us write waits, and that is said.
    sim.token_permission(&sim.token(), github_sim::Permission::Read);
    assert_eq!(
        line(&["comment", "acme/api#1", "Later"]).await,
        "recorded, and pending: dispatch outbox list"
    );
}
