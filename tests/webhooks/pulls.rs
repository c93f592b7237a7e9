//! What GitHub tells of pull requests by itself, as it comes.

use dispatch::engine::pulls::read;
use github_sim::{Conclusion, NewIssue, Repo};
use serde_json::{Value, json};

use crate::{
    API, each_db,
    scene::{listening, row, rows, told},
    support::{App, TestDb},
};

/// A server that hears of a repository with an issue and its pull request, which was read; the latter's number.
async fn with_pull(db: TestDb, author: &str) -> (App, Repo, u64) {
    let app = listening(db, &[API]).await;
    let repo = app.sim.repo(API);
    repo.open_issue(NewIssue::new("One").label("status/ready"));
    let pull = repo.open_pull(NewIssue::new("Mends it").author(author), "issue-1");
    told(&app).await;
    read_due(&app).await;
    app.tick();
    app.sim.reset_counters();
    (app, repo, pull)
}

async fn read_due(app: &App) {
    read::read_due(&app.engine).await.expect("the database");
}

async fn issue(app: &App) -> Value {
    app.get(&format!("/api/issues?repo={API}")).await.expect(200)[0].clone()
}

/// What became of the newest delivery of an event.
async fn newest(app: &App, event: &str) -> Value {
    let rows = rows(app).await;
    let of = rows.iter().find(|row| row["event"] == event).unwrap_or_else(|| panic!("no {event}: {rows:#?}"));
    row(app, of["deliveryId"].as_str().expect("a GUID")).await
}

each_db! {
    async fn a_comment_beside_a_line_of_a_bots_pull_request_is_work(db) {
        let (app, repo, pull) = with_pull(db, "github-actions[bot]").await;
        repo.comment_on_line(pull, "mona", ("src/a.rs", 7), "Not like this");
        told(&app).await;
        let delivery = newest(&app, "pull_request_review_comment").await;
        assert_eq!((&delivery["action"], &delivery["state"]), (&json!("created"), &json!("applied")), "{delivery}");
        let queued = app.get("/api/pr-fix-queue/queued").await.expect(200);
        assert_eq!((&queued[0]["type"], &queued[0]["pr"], &queued[0]["issue"]), (&json!("REVIEW_FEEDBACK"), &json!(pull), &json!(1)), "{queued}");
        assert_eq!(queued[0]["feedback"], json!(["src/a.rs:7: Not like this"]));
        assert_eq!(app.sim.counters().requests, 0);
        // The poll finds it too, and it is nothing new.
        let answer = app.post("/api/pr-followup/sync", json!({})).await.expect(200);
        assert_eq!((&answer["enqueued"], &answer["skipped"]), (&json!(0), &json!(1)), "{answer}");
    }

    async fn a_suite_that_ended_has_its_pull_request_read(db) {
        let (app, repo, pull) = with_pull(db, "mona").await;
        let (unit, lint) = (repo.check(pull, "unit", None), repo.check(pull, "lint", None));
        repo.conclude(lint, Conclusion::Success);
        told(&app).await;
        read_due(&app).await;
        assert_eq!(app.sim.counters().by_kind.get("check_runs.list"), None, "one of its checks still runs");
        assert!(rows(&app).await.iter().all(|row| row["event"] != "check_suite"));
        // That the check failed does not come; that all of them ended does.
        app.sim.lose_webhooks(1);
        repo.conclude(unit, Conclusion::Failure);
        told(&app).await;
        let delivery = newest(&app, "check_suite").await;
        assert_eq!((&delivery["action"], &delivery["state"]), (&json!("completed"), &json!("applied")), "{delivery}");
        assert_eq!(issue(&app).await["linkedPrFollowupReasons"], json!([]));
        read_due(&app).await;
        assert_eq!(issue(&app).await["linkedPrFollowupReasons"], json!(["Check unit failed"]));
        let task = app.get("/api/agents/coder/next-task").await.expect(200);
        assert_eq!((&task["type"], &task["pullRequest"]["number"]), (&json!("followup-pr"), &json!(pull)), "{task}");
    }

    async fn a_check_that_failed_and_its_suite_are_one_failure(db) {
        let (app, repo, pull) = with_pull(db, "mona").await;
        repo.check(pull, "unit", Some(Conclusion::Failure));
        told(&app).await;
        assert_eq!(app.sim.counters().requests, 0);
        assert_eq!(issue(&app).await["linkedPrFollowupReasons"], json!(["Check unit failed"]));
        read_due(&app).await;
        assert_eq!(issue(&app).await["linkedPrFollowupReasons"], json!(["Check unit failed"]));
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_items WHERE generation = 1").await, 1);
    }
}
