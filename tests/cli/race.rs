//! `dispatch selftest claim-race`: sound on a sound server, and loud on any other.

use std::{
    io::Read as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use github_sim::{NewIssue, Sim, SimConfig};
use serde_json::{Value, json};

use crate::{
    assert_says, each_db, err, fake, home, out, run,
    support::{MAINTAINER, TestDb, child::Server, child::dispatch, child::end_of},
};

/// GitHub without its limits: a race writes more labels than they allow in a minute.
async fn github() -> Sim {
    Sim::start_with(SimConfig::default().without_limits()).await
}

/// A server whose queue holds an issue of another, one in review, and a free one.
async fn field(home: &std::path::Path, sim: &Sim, db: &TestDb) -> Server {
    let repo = sim.create_repo("acme/api");
    repo.open_issue(NewIssue::new("Taken").label("status/ready").label("agent/race-01").label("priority/p0"));
    repo.open_issue(NewIssue::new("In review").label("status/in-review"));
    repo.open_issue(NewIssue::new("Free").label("status/ready").label("bug"));
    let mut command = dispatch(home);
    command.env("GITHUB_API_URL", sim.url()).env("GITHUB_TOKEN", sim.token()).env("DATABASE_URL", db.url());
    command.env("GITHUB_REPOSITORIES", "acme/api").env("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0");
    command.env("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0");
    let server = tokio::task::spawn_blocking(|| Server::start(command)).await.expect("it starts");
    server.beat("loader").await.expect("an answer");
    server
}

each_db! {
    async fn one_agent_wins_each_round_and_nothing_stays_behind(db) {
        let (home, sim) = (home(), github().await);
        let server = field(home.path(), &sim, &db).await;
        let environment = [("DISPATCH_URL", server.url.as_str()), ("DISPATCH_AGENT_TOKEN", MAINTAINER)];
        let race = ["selftest", "claim-race", "--agents", "8", "--rounds", "20", "--yes"];
        let output = run(home.path(), &environment, &[&race[..], &["--json"]].concat()).await;
        assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
        let summary: Value = serde_json::from_str(&out(&output)).expect("JSON");
        assert_eq!(summary["issue"], "acme/api#3", "the others are not free");
        assert_eq!(summary["winners"], json!({ "1": 20 }));
        assert_eq!(summary["answers"], json!({ "200": 20, "409": 140 }));
        assert_eq!((&summary["roundsWithOneWinner"], &summary["passed"]), (&json!(20), &json!(true)));
        assert!(summary["latencyMs"]["p99"].as_f64().is_some_and(|ms| ms > 0.0));
        assert_eq!(err(&output), "", "the labels are as they were");
        let claims = "SELECT count(*) FROM claims WHERE ended_at IS NULL";
        assert_eq!(db.count(claims).await, 0);
        assert_eq!(db.count("SELECT count(*) FROM claims").await, 20);
        let words = run(home.path(), &environment, &[&race[..], &["--issue", "acme/api#3"]].concat()).await;
        assert!(out(&words).contains("one winner         in 20 of 20 rounds"), "{}", out(&words));
        for taken in ["acme/api#1", "acme/api#2"] {
            let refused = run(home.path(), &environment, &[&race[..], &["--issue", taken]].concat()).await;
            assert_says(&refused, "choose another issue");
        }
        assert_eq!(db.count("SELECT count(*) FROM claims").await, 40);
        // What was being sent when the race ended is sent on.
        let labels = || {
            let mut labels = sim.repo("acme/api").issue(3).expect("the issue").labels;
            labels.sort();
            labels
        };
        let began = Instant::now();
        while labels() != ["bug", "status/ready"] {
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", labels());
            server.beat("loader").await.expect("an answer");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_race_ends_with_its_round_and_gives_the_issue_back() {
    let (home, sim, db) = (home(), github().await, TestDb::sqlite().await);
    let server = field(home.path(), &sim, &db).await;
    let mut command = dispatch(home.path());
    command.env("DISPATCH_URL", &server.url).env("DISPATCH_AGENT_TOKEN", MAINTAINER).stdout(Stdio::piped());
    command.args(["selftest", "claim-race", "--agents", "4", "--rounds", "1000000", "--yes", "--json"]);
    let mut race = command.spawn().expect("it starts");
    while db.count("SELECT count(*) FROM claims").await < 5 {
        assert!(race.try_wait().expect("its state").is_none(), "it ended before");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sent = Command::new("kill").args(["-INT", &race.id().to_string()]).status().expect("kill");
    assert!(sent.success() && end_of(&mut race, Duration::from_secs(20)).code() == Some(2));
    let mut said = String::new();
    race.stdout.take().expect("its words").read_to_string(&mut said).expect("text");
    let summary: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&summary["passed"], &summary["rounds"]), (&json!(false), &summary["roundsWithOneWinner"]));
    assert_eq!((&summary["interrupted"], &summary["fault"]), (&json!(true), &Value::Null));
    assert_eq!(db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 0);
}

/// The race of three agents and two rounds against a server that answers claims thus; what it printed, and its exit code.
async fn against(claim: fn(usize) -> (u16, Value)) -> (Value, Option<i32>, Vec<Value>) {
    let (url, journal) = fake::start(move |asked, before| match asked.path.as_str() {
        "/api/issues/state" => {
            let found = json!({ "issueId": "i", "state": "open", "labels": ["status/ready"] });
            fake::json(200, &found)
        }
        "/api/issues/claim" => {
            let claims = before.iter().filter(|asked| asked.path == "/api/issues/claim").count();
            let (status, body) = claim(claims);
            fake::json(status, &body)
        }
        _ => fake::json(200, &json!({ "success": true, "labels": [], "hasActiveWork": false })),
    })
    .await;
    let environment = [("DISPATCH_URL", url.as_str()), ("DISPATCH_AGENT_TOKEN", "t")];
    let arguments =
        ["selftest", "claim-race", "--agents", "3", "--rounds", "2", "--issue", "acme/api#1", "--yes"];
    let home = home();
    let output = run(home.path(), &environment, &[&arguments[..], &["--json"]].concat()).await;
    let summary = serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{}", err(&output)));
    (summary, output.status.code(), fake::bodies(&journal, "/api/issues/unclaim"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_grants_twice_or_fails_is_found_out() {
    let granted = |n: usize| (200, json!({ "claimId": format!("c{n}"), "fence": n + 1 }));
    let sound: fn(usize) -> (u16, Value) = |n| match n % 3 {
        1 => (200, json!({ "claimId": "c", "fence": n })),
        _ => (409, json!({ "error": "held" })),
    };
    let (summary, code, released) = against(sound).await;
    assert_eq!((code, &summary["passed"], released.len()), (Some(0), &json!(true), 2), "{summary}");
    assert_eq!(summary["interrupted"], false);
    let (summary, code, released) = against(granted).await;
    assert_eq!((code, &summary["winners"]), (Some(1), &json!({ "3": 2 })), "{summary}");
    assert_eq!(summary["fault"], "round 1: 3 agents got the issue");
    assert_eq!(released.len(), 6, "every one of them gives it back: {released:?}");
    let none: fn(usize) -> (u16, Value) = |_| (409, json!({ "error": "held" }));
    let (summary, code, _) = against(none).await;
    assert_eq!((code, &summary["winners"]), (Some(1), &json!({ "0": 2 })), "{summary}");
    let failing: fn(usize) -> (u16, Value) = |n| match n % 3 {
        1 => (200, json!({ "claimId": "c", "fence": n })),
        2 => (500, json!({ "error": "Internal error" })),
        _ => (409, json!({ "error": "held" })),
    };
    let (summary, code, _) = against(failing).await;
    assert_eq!((code, &summary["answers"]["500"]), (Some(1), &json!(2)), "{summary}");
    let same_fence: fn(usize) -> (u16, Value) = |n| match n % 3 {
        1 => (200, json!({ "claimId": "c", "fence": 7 })),
        _ => (409, json!({ "error": "held" })),
    };
    let (summary, code, _) = against(same_fence).await;
    assert_eq!((code, &summary["fault"]), (Some(1), &json!("round 2: fence 7 was granted after 7")));
}
