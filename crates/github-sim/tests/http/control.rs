//! The control API, and what `populate` makes up.

use github_sim::{Seeding, Sim, SimConfig};
use serde_json::{Value, json};

use crate::support::{Caller, at_new_year};

#[tokio::test]
async fn another_process_can_do_what_the_library_does() {
    let sim = Sim::start().await;
    let caller = Caller::anonymous(&sim);
    let mutate = async |body: Value| caller.post("/_sim/mutate", &body).await;
    let list = json!([
        {"op": "create_repo", "repo": "acme/api"},
        {"op": "create_repo", "repo": "acme/web"},
        {"op": "open_issue", "repo": "acme/api", "title": "One", "labels": ["bug"]},
        {"op": "open_issue", "repo": "acme/api", "title": "Two", "body": "Text"},
        {"op": "open_issue", "repo": "acme/api", "title": "Three"},
        {"op": "edit", "repo": "acme/api", "number": 1, "title": "Uno"},
        {"op": "add_label", "repo": "ACME/api", "number": 1, "label": "p1"},
        {"op": "remove_label", "repo": "acme/api", "number": 1, "label": "BUG"},
        {"op": "comment", "repo": "acme/api", "number": 1, "body": "Hello"},
        {"op": "block", "repo": "acme/api", "number": 1, "blocker": 2},
        {"op": "close", "repo": "acme/api", "number": 2},
        {"op": "reopen", "repo": "acme/api", "number": 2},
        {"op": "touch", "repo": "acme/api", "number": 2},
        {"op": "transfer", "repo": "acme/api", "number": 2, "to": "acme/web"},
        {"op": "delete", "repo": "acme/api", "number": 3},
        {"op": "open_pull", "repo": "acme/api", "title": "Fix", "branch": "fix"},
        {"op": "merge_pull", "repo": "acme/api", "number": 4},
        {"op": "rename_repo", "repo": "acme/web", "to": "acme/site"},
    ]);
    let done = mutate(list).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.json()[2], json!({"number": 1}));
    assert_eq!(done.json()[13], json!({"number": 1}));

    let issues = caller.get("/_sim/issues?repo=acme/api").await.json();
    assert_eq!(issues.as_array().map(Vec::len), Some(1));
    assert_eq!(issues[0]["title"], "Uno");
    assert_eq!(issues[0]["labels"], json!(["p1"]));
    assert_eq!(issues[0]["comments"], 1);
    assert!(issues[0]["updated_at"].as_str().is_some_and(|at| at.ends_with('Z')));
    assert_eq!(sim.repo("acme/site").issues()[0].title, "Two");

    for bad in [
        json!({"op": "close", "repo": "acme/none", "number": 1}),
        json!({"op": "close", "repo": "acme/api", "number": 99}),
    ] {
        assert_eq!(mutate(bad).await.status, 404);
    }
    assert_eq!(mutate(json!({"op": "fly", "repo": "acme/api"})).await.status, 400);
    let taken = json!({"op": "create_repo", "repo": "acme/api"});
    assert_eq!(mutate(taken).await.status, 422);
    assert_eq!(sim.counters().requests, 0);
}

#[tokio::test]
async fn faults_counters_and_latency_are_within_reach() {
    let sim = Sim::start().await;
    sim.create_repo("acme/api");
    let control = Caller::anonymous(&sim);
    let caller = Caller::of(&sim);
    let fault = json!({"fault": "status", "status": 503, "on": {"kind": "issues.list"}, "times": 1});
    let id = control.post("/_sim/faults", &fault).await.json()["id"].clone();
    assert_eq!(caller.get("/repos/acme/api/issues").await.status, 503);
    assert_eq!(caller.get("/repos/acme/api/issues").await.status, 200);
    let hits = control.get(&format!("/_sim/faults?id={id}")).await.json();
    assert_eq!(hits["hits"], 1);
    for fault in [
        json!({"fault": "slow_body", "chunk": 10, "every_ms": 5}),
        json!({"fault": "secondary_limit", "status": 429, "retry_after": 3}),
        json!({"fault": "delay", "ms": 5, "on": {"repo": "acme/api", "method": "GET", "path_contains": "x"}}),
        json!({"fault": "lost_answer", "after": 2}),
        json!({"fault": "held", "after": 2}),
    ] {
        assert_eq!(control.post("/_sim/faults", &fault).await.status, 200, "{fault}");
    }
    assert_eq!(control.post("/_sim/faults", &json!({"fault": "flood"})).await.status, 400);
    assert_eq!(control.delete("/_sim/faults").await.status, 200);

    let counters = control.get("/_sim/counters").await.json();
    assert_eq!(counters["requests"], 2);
    assert_eq!(counters["by_status"]["503"], 1);
    let requests = control.get("/_sim/requests").await.json();
    assert_eq!(requests[0]["kind"], "issues.list");
    assert_eq!(requests[0]["repo"], "acme/api");
    control.post("/_sim/latency", &json!({"ms": 1})).await;
    control.post("/_sim/reset", &json!({})).await;
    assert_eq!(sim.counters(), github_sim::Counters::default());
    assert!(control.get("/_sim").await.text.contains("POST   /_sim/mutate"));
    assert_eq!(control.get("/_sim/nothing").await.status, 404);
}

#[tokio::test]
async fn what_is_made_up_follows_from_the_seed() {
    let plan = Seeding { repos: 2, issues: 30, closed: 5, active: 7, ..Seeding::default() };
    let make = async |seed| {
        let (sim, _clock) =
            crate::support::at_new_year_with(SimConfig { seed, ..SimConfig::default() }).await;
        sim.populate(&plan);
        sim
    };
    let (one, same, other) = (make(7).await, make(7).await, make(8).await);
    assert_eq!(one.token(), same.token());
    assert_ne!(one.token(), other.token());
    assert_eq!(one.repo("acme/repo-01").issues(), same.repo("acme/repo-01").issues());
    assert_ne!(one.repo("acme/repo-01").issues(), other.repo("acme/repo-01").issues());
    let mut active = 0;
    for name in ["acme/repo-01", "acme/repo-02"] {
        let issues = one.repo(name).issues();
        assert_eq!(issues.iter().filter(|issue| issue.is_open()).count(), 30);
        assert_eq!(issues.iter().filter(|issue| !issue.is_open()).count(), 5);
        active += issues.iter().filter(|i| i.has_label("status/in-progress")).count();
    }
    assert_eq!(active, 7);
}

#[tokio::test]
async fn seeding_spreads_the_times() {
    let (sim, clock) = at_new_year().await;
    sim.populate(&Seeding::default());
    let issues = sim.repo("acme/repo-10").issues();
    let now = clock.now_ms() / 1_000;
    assert!(issues.iter().all(|i| i.created_at <= i.updated_at && i.updated_at <= now));
    let mut times: Vec<i64> = issues.iter().map(|issue| issue.updated_at).collect();
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 90);
}
