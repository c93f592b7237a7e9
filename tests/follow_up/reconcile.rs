//! Issues follow their pull requests.

use dispatch::engine::pulls::read;
use github_sim::{Conclusion, Fault, FaultKind, Match, NewIssue};
use serde_json::{Value, json};

use crate::{
    API, builder, each_db, pass,
    support::{App, TestDb},
};

const PATH: &str = "/api/issues/reconcile";

async fn start(db: TestDb) -> App {
    let app = builder().start(db).await;
    app.sim.repo(API).seed(3, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
    app.next_beat("loader").await;
    app
}

async fn reconcile(app: &App) -> Value {
    app.next_beat("loader").await;
    read::read_due(&app.engine).await.expect("the database");
    let answer = pass(app, PATH).await;
    assert_eq!((&answer["success"], &answer["errors"]), (&json!(true), &json!([])), "{answer}");
    answer
}

fn statuses(app: &App, number: u64) -> Vec<String> {
    let issue = app.sim.repo(API).issue(number).expect("the issue");
    issue.labels.into_iter().filter(|label| label.starts_with("status/")).collect()
}

fn is_open(app: &App, number: u64) -> bool {
    app.sim.repo(API).issue(number).expect("the issue").is_open()
}

/// A merged pull request with this text; the simulator closes no issue by it.
fn merge(app: &App, text: &str, base: &str) -> u64 {
    let repo = app.sim.repo(API);
    let pull = repo.open_pull(NewIssue::new("Mends it").body(text), "topic");
    repo.edit_pull(pull, |pull| base.clone_into(&mut pull.base));
    app.tick();
    repo.merge_pull(pull);
    pull
}

each_db! {
    async fn a_merge_closes_its_issue_once(db) {
        let app = start(db).await;
        let pull = merge(&app, "fixes #1", "main");
        let answer = reconcile(&app).await;
        assert_eq!((&answer["mergedPrsFound"], &answer["issuesClosed"]), (&json!(1), &json!(1)), "{answer}");
        assert!(!is_open(&app, 1));
        let runs = app.get(PATH).await.expect(200)["lastRuns"].clone();
        let last = runs.as_array().expect("rows").iter().find(|run| run["action"] == "reconcile_close_issue").expect("it").clone();
        assert_eq!((&last["issueNumber"], &last["repo"], &last["reason"]), (&json!(1), &json!(API), &json!(format!("PR #{pull} was merged"))));
        // A person opens it again: it stays open.
        app.tick();
        app.sim.repo(API).reopen_issue(1);
        for _ in 0..2 {
            assert_eq!(reconcile(&app).await["issuesClosed"], 0);
        }
        assert!(is_open(&app, 1));
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE action = 'reconcile_close_issue'").await, 1);
    }

    async fn reopened_by_a_person_after_a_merge_stays_open(db) {
        let app = start(db).await;
        merge(&app, "fixes #1", "main");
        // GitHub closed it by the merge, and somebody opened it again, before anybody here looked.
        app.sim.repo(API).close_issue(1);
        app.tick();
        app.sim.repo(API).reopen_issue(1);
        for _ in 0..2 {
            assert_eq!(reconcile(&app).await["issuesClosed"], 0);
        }
        assert!(is_open(&app, 1));
    }

    async fn only_merges_into_the_default_branch_count(db) {
        let app = start(db).await;
        merge(&app, "fixes #1", "release");
        merge(&app, "mentions #2", "main");
        assert_eq!(reconcile(&app).await["issuesClosed"], 0);
        assert!(is_open(&app, 1) && is_open(&app, 2));
        let cost = app.sim.counters().quota_spent;
        reconcile(&app).await;
        assert_eq!(app.sim.counters().quota_spent, cost, "it was followed");
    }

    async fn a_base_that_moved_unseen_is_asked_for(db) {
        let app = start(db).await;
        let repo = app.sim.repo(API);
        let (moved, stayed) = (repo.open_pull(NewIssue::new("One").body("fixes #1"), "a"), repo.open_pull(NewIssue::new("Two").body("fixes #2"), "b"));
        reconcile(&app).await;
        assert_eq!(app.db.count("SELECT count(*) FROM pulls WHERE base_ref = 'main'").await, 2);
        app.tick();
        repo.edit_pull(moved, |pull| pull.base = "release".to_owned());
        repo.merge_pull(moved);
        repo.merge_pull(stayed);
        // The list of issues says that they are merged, and not into what.
        let answer = reconcile(&app).await;
        assert_eq!((&answer["mergedPrsFound"], &answer["issuesClosed"]), (&json!(2), &json!(1)), "{answer}");
        assert!(is_open(&app, 1) && !is_open(&app, 2));
    }

    async fn a_merge_that_is_refused_keeps_nothing_else_back(db) {
        let app = start(db).await;
        let repo = app.sim.repo(API);
        let pulls: Vec<u64> = (1..=3).map(|n| repo.open_pull(NewIssue::new("Mends").body(format!("fixes #{n}")), &format!("topic-{n}"))).collect();
        repo.check(pulls[2], "test", Some(Conclusion::Success));
        reconcile(&app).await;
        app.tick();
        repo.merge_pull(pulls[0]);
        repo.merge_pull(pulls[1]);
        // A new issue has no lane.
        repo.open_issue("Another");
        app.next_beat("loader").await;
        let one = |kind: &str, path: &str| Match::kind(kind).and(Match::path_contains(format!("{path}/{}", if kind == "issues.get" { 1 } else { pulls[0] })));
        for (kind, path, status) in [("pulls.get", "/pulls", 404), ("pulls.get", "/pulls", 410), ("issues.get", "/issues", 403)] {
            let fault = app.sim.fault(Fault::new(FaultKind::Status(status)).on(one(kind, path)));
            let answer = pass(&app, PATH).await;
            let errors = answer["errors"].as_array().expect("a list");
            let begin = format!("acme/api: the merge of #{}: ", pulls[0]);
            assert!(errors.len() == 1 && errors[0].as_str().expect("words").starts_with(&begin), "{kind} {status}: {answer}");
            assert!(is_open(&app, 1) && !is_open(&app, 2), "{kind} {status}");
            assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE number = 7 AND current_lane IS NOT NULL").await, 1);
            app.sim.clear_fault(fault);
        }
        assert_eq!(reconcile(&app).await["issuesClosed"], 1);
        assert!(!is_open(&app, 1));
    }

    async fn an_open_pull_request_moves_its_issue(db) {
        let app = start(db).await;
        let repo = app.sim.repo(API);
        let pull = repo.open_pull("Mends it", "issue-1");
        repo.check(pull, "test", Some(Conclusion::Success));
        let answer = reconcile(&app).await;
        assert_eq!((&answer["openPrsChecked"], &answer["labelsChanged"]), (&json!(1), &json!(1)), "{answer}");
        assert_eq!(statuses(&app, 1), ["status/in-review"], "in place of the other");
        app.tick();
        repo.check(pull, "test", Some(Conclusion::Failure));
        repo.touch(pull);
        assert_eq!(reconcile(&app).await["labelsChanged"], 1);
        assert_eq!(statuses(&app, 1), ["status/in-progress"]);
        assert_eq!(reconcile(&app).await["labelsChanged"], 0);
    }

    async fn issues_without_a_lane_get_one(db) {
        let app = start(db).await;
        app.sim.repo(API).open_issue(NewIssue::new("An RFC about the architecture"));
        assert_eq!(reconcile(&app).await["lanesClassified"], 4);
        assert_eq!(app.db.count("SELECT count(DISTINCT current_lane) FROM issues WHERE current_lane IS NOT NULL").await, 2);
        assert_eq!(reconcile(&app).await["lanesClassified"], 0);
    }

    async fn what_is_worked_on_leaves_the_lane_of_the_backlog(db) {
        let app = start(db).await;
        let repo = app.sim.repo(API);
        for (number, status) in [(1, "status/in-progress"), (2, "status/in-review"), (3, "status/backlog")] {
            repo.remove_label(number, "status/ready");
            repo.add_label(number, status);
        }
        app.next_beat("loader").await;
        app.db.sql("UPDATE issues SET current_lane = 'backlog'").await;
        assert_eq!(reconcile(&app).await["lanesClassified"], 2);
        let lanes = app.db.texts("SELECT current_lane FROM issues ORDER BY number").await;
        assert!(lanes[0] != "backlog" && lanes[1] != "backlog" && lanes[2] == "backlog", "{lanes:?}");
    }

    async fn items_of_closed_pull_requests_end(db) {
        let app = start(db).await;
        let pull = app.sim.repo(API).open_pull("Mends it", "topic");
        app.next_beat("loader").await;
        let evidence = json!({ "repo": API, "pr": pull, "reason": "red", "feedback": "red", "evidenceKey": "check_run:1" });
        app.post("/api/pr-fix-queue/enqueue", evidence).await.expect(200);
        app.db.sql(&format!("UPDATE pulls SET state = 'closed' WHERE number = {pull}")).await;
        let answer = pass(&app, PATH).await;
        assert_eq!((&answer["prFixQueueStaleChecked"], &answer["prFixQueueStaleMarked"]), (&json!(1), &json!(1)), "{answer}");
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_items WHERE status = 'STALE'").await, 1);
    }

    async fn what_cannot_be_done_is_said(db) {
        let app = start(db).await;
        app.post(PATH, json!({ "repo": "acme/none" })).await.expect(404);
        app.post(PATH, json!({ "repo": "none" })).await.expect(400);
        merge(&app, "fixes #1", "main");
        app.next_beat("loader").await;
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::kind("issues.get")));
        let answer = app.post(PATH, json!({ "repo": API })).await.expect(200);
        assert_eq!(answer["success"], false);
        assert!(answer["errors"][0].as_str().expect("words").starts_with("acme/api: "), "{answer}");
        assert!(is_open(&app, 1));
    }
}
