//! Issues about workflows that fail on the default branch.

use std::sync::Arc;

use dispatch::engine::publish;
use github_sim::{CiRun, Fault, FaultKind, IssueState, Match, NewIssue};
use serde_json::{Value, json};

use crate::{
    API, builder, each_db, pass,
    support::{App, TestDb},
};

const PATH: &str = "/api/ci-failures/sync";
const LOG: &str =
    "2026-01-01T00:00:00.0000000Z building\n2026-01-01T00:00:01.0000000Z error: test a failed in 12ms\n";

async fn start(db: TestDb) -> App {
    let app = builder().start(db).await;
    app.beat("loader").await;
    app
}

fn green(app: &App, workflow: &str) {
    app.sim.repo(API).add_run(CiRun::new(workflow, "success").job("test", "success", "fine"));
    app.tick();
}

fn red(app: &App, workflow: &str, log: &str) {
    let run = CiRun::new(workflow, "failure").job("lint", "success", "fine").job("test", "failure", log);
    app.sim.repo(API).add_run(run);
    app.tick();
}

fn issues(app: &App) -> Vec<IssueState> {
    app.sim.repo(API).issues()
}

fn reasons(answer: &Value) -> Vec<&str> {
    let skipped = answer["skipped"].as_array().expect("a list");
    skipped.iter().map(|one| one["reason"].as_str().expect("words")).collect()
}

async fn look(app: &App) -> Value {
    let answer = pass(app, PATH).await;
    assert_eq!(answer["errors"], json!([]), "{answer}");
    answer
}

each_db! {
    async fn a_failure_is_told_once_and_closed_when_it_is_over(db) {
        let app = start(db).await;
        assert_eq!(look(&app).await, json!({ "filed": [], "closed": [], "skipped": [], "errors": [] }));
        green(&app, "CI");
        red(&app, "CI", LOG);
        assert_eq!(reasons(&look(&app).await), ["failed once: the second failure counts"]);
        assert!(issues(&app).is_empty());
        red(&app, "CI", &LOG.replace("12ms", "48ms"));
        let answer = look(&app).await;
        assert_eq!(answer["filed"], json!([{ "repo": API, "number": 1, "workflow": "CI" }]), "{answer}");
        let issue = issues(&app).remove(0);
        assert_eq!(issue.title, "CI: CI failing on the default branch (test)");
        assert_eq!(issue.labels, ["type/bug", "status/ready"]);
        let body = issue.body.expect("a text");
        assert!(body.contains("error: test a failed in 48ms") && body.contains("<!-- dispatch-ci-failure:"), "{body}");
        // The same failure again, before and after the cache knows of the issue.
        for _ in 0..2 {
            red(&app, "CI", LOG);
            assert_eq!(reasons(&look(&app).await), ["an open issue tells of it"]);
            app.next_beat("loader").await;
        }
        assert_eq!(issues(&app).len(), 1);
        green(&app, "CI");
        assert_eq!(reasons(&look(&app).await), ["flapping: it succeeds and fails by turns"]);
        green(&app, "CI");
        assert_eq!(look(&app).await["closed"], json!([{ "repo": API, "number": 1, "workflow": "CI" }]));
        let issue = issues(&app).remove(0);
        assert!(!issue.is_open());
        let comments = app.sim.repo(API).comments(1);
        assert!(comments.len() == 1 && comments[0].body.contains("works again"), "{comments:?}");
        let audit = app.get("/api/audit").await.expect(200);
        let actions: Vec<&str> = audit.as_array().expect("rows").iter().filter_map(|row| row["action"].as_str()).collect();
        assert!(actions.contains(&"ci_failure_filed") && actions.contains(&"ci_failure_closed"), "{actions:?}");
    }

    async fn what_a_person_opened_again_is_never_closed(db) {
        let app = start(db).await;
        red(&app, "CI", LOG);
        red(&app, "CI", LOG);
        look(&app).await;
        app.next_beat("loader").await;
        green(&app, "CI");
        green(&app, "CI");
        look(&app).await;
        assert!(!issues(&app)[0].is_open());
        app.tick();
        app.sim.repo(API).reopen_issue(1);
        app.next_beat("loader").await;
        green(&app, "CI");
        assert_eq!(look(&app).await["closed"], json!([]));
        // It fails and works again: the open issue tells of it, and stays that person's.
        red(&app, "CI", LOG);
        red(&app, "CI", LOG);
        assert_eq!(reasons(&look(&app).await), ["an open issue tells of it"]);
        green(&app, "CI");
        green(&app, "CI");
        assert_eq!(look(&app).await["closed"], json!([]));
        assert!(issues(&app).len() == 1 && issues(&app)[0].is_open());
    }

    async fn what_a_person_opened_again_between_two_looks_is_never_closed(db) {
        let app = start(db).await;
        red(&app, "CI", LOG);
        red(&app, "CI", LOG);
        look(&app).await;
        app.next_beat("loader").await;
        // No run ends meanwhile, so no look at the workflow sees the issue closed.
        app.sim.repo(API).close_issue(1);
        app.tick();
        app.sim.repo(API).reopen_issue(1);
        app.next_beat("loader").await;
        for _ in 0..2 {
            green(&app, "CI");
            green(&app, "CI");
            assert_eq!(look(&app).await["closed"], json!([]));
            red(&app, "CI", LOG);
            red(&app, "CI", LOG);
            assert_eq!(reasons(&look(&app).await), ["an open issue tells of it"]);
        }
        assert!(issues(&app).len() == 1 && issues(&app)[0].is_open());
        assert!(app.sim.repo(API).comments(1).is_empty());
    }

    async fn what_a_person_closed_is_told_anew_after_two_more_failures(db) {
        let app = start(db).await;
        red(&app, "CI", LOG);
        red(&app, "CI", LOG);
        look(&app).await;
        app.next_beat("loader").await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("loader").await;
        red(&app, "CI", LOG);
        assert_eq!(reasons(&look(&app).await), ["#1 was closed; two failures after that count"]);
        red(&app, "CI", LOG);
        assert_eq!(look(&app).await["filed"][0]["number"], 2);
        assert!(issues(&app)[1].body.as_deref().expect("a text").contains("before: #1"));
    }

    async fn a_workflow_that_is_refused_keeps_no_other_back(db) {
        let app = start(db).await;
        for _ in 0..2 {
            red(&app, "CI", LOG);
            red(&app, "Nightly", LOG);
        }
        // The jobs of the one are not to be had, and no log is.
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::kind("jobs.list")).times(1));
        let no_logs = app.sim.fault(Fault::new(FaultKind::Status(403)).on(Match::kind("job_logs.get")));
        let answer = pass(&app, PATH).await;
        assert_eq!(answer["filed"], json!([{ "repo": API, "number": 1, "workflow": "CI" }]), "{answer}");
        let error = answer["errors"][0]["error"].as_str().expect("an error");
        assert!(answer["errors"].as_array().map(Vec::len) == Some(1) && error.starts_with("Nightly: "), "{answer}");
        app.sim.clear_fault(fault);
        app.sim.clear_fault(no_logs);
        assert_eq!(look(&app).await["filed"], json!([{ "repo": API, "number": 2, "workflow": "Nightly" }]));
    }

    async fn a_log_that_is_out_of_reach_keeps_no_workflow_back(db) {
        let app = start(db).await;
        for _ in 0..2 {
            red(&app, "CI", LOG);
            red(&app, "Nightly", LOG);
        }
        // What keeps the one log fails, and what keeps the other is not there at all.
        let elsewhere = |url: String| Fault::new(FaultKind::RedirectElsewhere(url)).on(Match::kind("job_logs.get"));
        let failing = format!("{}/kept-logs/1", app.sim.url());
        app.sim.fault(Fault::new(FaultKind::Status(503)).on(Match::path_contains("/kept-logs/")));
        app.sim.fault(elsewhere(failing).times(1));
        let fault = app.sim.fault(elsewhere("https://127.0.0.1:1/log".to_owned()));
        let answer = look(&app).await;
        assert_eq!(answer["filed"].as_array().map(Vec::len), Some(2), "{answer}");
        assert!(issues(&app).iter().all(|issue| !issue.body.as_deref().expect("a text").contains("test a failed")));
        app.next_beat("loader").await;
        // Whether an open issue tells of a failure cannot be known without a log.
        red(&app, "CI", LOG);
        let answer = pass(&app, PATH).await;
        let error = answer["errors"][0]["error"].as_str().expect("an error");
        assert!(answer["filed"] == json!([]) && error.starts_with("CI: "), "{answer}");
        app.sim.clear_fault(fault);
        assert_eq!(reasons(&look(&app).await), ["an open issue tells of it"; 2]);
        // GitHub itself does not say where one log is; each request is tried three times.
        for _ in 0..2 {
            red(&app, "Docs", LOG);
            red(&app, "Release", LOG);
        }
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::kind("job_logs.get")).times(3));
        let answer = pass(&app, PATH).await;
        let error = answer["errors"][0]["error"].as_str().expect("an error");
        assert!(answer["filed"][0]["workflow"] == "Docs" && error.starts_with("Release: "), "{answer}");
        assert_eq!(look(&app).await["filed"][0]["workflow"], "Release");
        assert_eq!(issues(&app).len(), 4);
    }

    async fn a_lost_answer_opens_no_second_issue(db) {
        let app = start(db).await;
        red(&app, "CI", LOG);
        red(&app, "CI", LOG);
        app.sim.fault(Fault::new(FaultKind::LostAnswer).on(Match::kind("issues.create")).times(1));
        assert_eq!(look(&app).await["filed"], json!([{ "repo": API, "number": null, "workflow": "CI" }]));
        assert_eq!(issues(&app).len(), 1, "it took effect");
        // The cache may know the issue before the outbox does.
        app.next_beat("loader").await;
        red(&app, "CI", LOG);
        assert_eq!(reasons(&look(&app).await), ["an open issue tells of it"]);
        for _ in 0..30 {
            app.tick();
            publish::publish(&app.engine).await.expect("the database");
        }
        assert_eq!(app.db.count("SELECT count(*) FROM outbox WHERE state <> 'settled'").await, 0);
        green(&app, "CI");
        green(&app, "CI");
        assert_eq!(look(&app).await["closed"], json!([{ "repo": API, "number": 1, "workflow": "CI" }]));
        assert_eq!(issues(&app).len(), 1);
    }

    async fn workflows_and_failures_are_told_apart(db) {
        let app = start(db).await;
        for _ in 0..2 {
            red(&app, "CI", LOG);
            red(&app, "Nightly", LOG);
            red(&app, "Image scan", "found CVE-2026-1234 in libx\n");
            // Neither a fork's branch of the same name nor a pull request's run is the default branch.
            let fork = CiRun { is_of_fork: true, ..CiRun::new("Fork", "failure") };
            app.sim.repo(API).add_run(fork);
            app.sim.repo(API).add_run(CiRun { event: "pull_request".into(), ..CiRun::new("Pull", "failure") });
            app.sim.repo(API).add_run(CiRun { branch: "topic".into(), ..CiRun::new("Topic", "failure") });
        }
        let answer = look(&app).await;
        let filed: Vec<&str> = answer["filed"].as_array().expect("a list").iter().map(|one| one["workflow"].as_str().expect("a name")).collect();
        assert_eq!(filed, ["Image scan", "Nightly", "CI"]);
        let scan = &issues(&app)[0];
        assert_eq!(scan.labels, ["type/bug", "status/ready", "needs-escalation"]);
        assert!(scan.body.as_deref().expect("a text").contains("| CVE-2026-1234 |"));
        // Another failure of one of them.
        red(&app, "CI", "error: out of disk");
        red(&app, "CI", "error: out of disk");
        let answer = look(&app).await;
        assert_eq!(answer["filed"].as_array().map(Vec::len), Some(1), "{answer}");
        app.next_beat("loader").await;
        green(&app, "CI");
        green(&app, "CI");
        assert_eq!(look(&app).await["closed"].as_array().map(Vec::len), Some(2), "both of that workflow");
        assert_eq!(issues(&app).iter().filter(|issue| issue.is_open()).count(), 2);
    }

    async fn an_issue_of_an_earlier_edition_is_taken_up(db) {
        let app = start(db).await;
        // base64url of "CI".
        let body = "It fails.\n\n<!-- dispatch-ci-failure:00112233aabbccdd:Q0k -->";
        app.sim.repo(API).open_issue(NewIssue::new("CI: CI failing on the default branch (test)").body(body));
        app.next_beat("loader").await;
        green(&app, "CI");
        green(&app, "CI");
        assert_eq!(look(&app).await["closed"], json!([{ "repo": API, "number": 1, "workflow": "CI" }]));
    }

    async fn what_did_not_change_costs_nothing_and_refusals_are_said(db) {
        let app = start(db).await;
        red(&app, "CI", LOG);
        red(&app, "CI", LOG);
        look(&app).await;
        let paid = app.sim.counters().quota_spent;
        for _ in 0..3 {
            assert_eq!(look(&app).await["filed"], json!([]));
        }
        assert_eq!(app.sim.counters().quota_spent, paid, "{:?}", app.sim.counters());
        let fault = app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::kind("runs.list")));
        let answer = pass(&app, PATH).await;
        let error = answer["errors"][0]["error"].as_str().expect("words");
        assert!(answer["errors"][0]["repo"] == API && error.contains("; "), "{answer}");
        app.sim.clear_fault(fault);
        look(&app).await;
    }

    async fn one_look_at_a_time(db) {
        let app = Arc::new(start(db).await);
        let held = app.sim.fault(Fault::new(FaultKind::Held).on(Match::kind("runs.list")).times(1));
        let first = { let app = Arc::clone(&app); async move { app.post(PATH, json!({})).await } };
        let second = async {
            while app.sim.counters().by_kind.get("runs.list").copied().unwrap_or_default() == 0 {
                tokio::task::yield_now().await;
            }
            let refused = app.post(PATH, json!({})).await;
            app.sim.clear_fault(held);
            refused
        };
        let (first, second) = tokio::join!(first, second);
        first.expect(200);
        let refused = second.expect(409);
        assert_eq!((&refused["error"], &refused["locked"]), (&json!("CI failure sync is already running"), &json!(true)));
    }
}
