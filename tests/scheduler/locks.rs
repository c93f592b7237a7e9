//! On PostgreSQL several write at once: what one has just committed is not undone by another that looked before.

use std::time::Duration;

use dispatch::{
    engine::prune,
    store::{
        WriteTx,
        turns::{self, Turn},
    },
};
use github_sim::NewIssue;
use serde_json::json;

use crate::{
    API,
    support::{Answer, App, MAINTAINER, TestDb, app::send},
};

const DAY: Duration = Duration::from_hours(24);

/// A transaction for which others wait.
struct Holder {
    tx: WriteTx,
    pid: i32,
}

impl Holder {
    async fn of(app: &App, sql: &'static str) -> Self {
        let mut tx = app.engine.db().write().await.expect("a transaction");
        tx.query(sql).execute().await.expect("the statement");
        let (pid,) = tx.query("SELECT pg_backend_pid()").fetch_one().await.expect("a number");
        Self { tx, pid }
    }

    /// PostgreSQL itself says when somebody does.
    async fn until_somebody_waits(&self, app: &App) {
        let sql =
            format!("SELECT count(*) FROM pg_stat_activity WHERE {} = ANY(pg_blocking_pids(pid))", self.pid);
        while app.db.count(&sql).await == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn with_issues(count: usize) -> App {
    let app = App::with_repos(TestDb::postgres().await, &[API]).await;
    app.sim.repo(API).seed(count, |n| NewIssue::new(format!("Issue {n}")).label("status/ready"));
    app.next_beat("loader").await;
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issue_that_opens_again_meanwhile_is_not_forgotten() {
    let app = with_issues(2).await;
    for number in [1, 2] {
        claim(&app, number).await.expect(200);
        app.sim.repo(API).close_issue(number);
    }
    app.next_beat("coder").await;
    app.advance(31 * DAY);
    let holder =
        Holder::of(&app, "UPDATE issues SET state = 'open', closed_at = NULL WHERE number = 1").await;
    let engine = app.engine.clone();
    let pruning = app.engine.tasks().spawn(async move { prune::prune_closed(&engine).await });
    holder.until_somebody_waits(&app).await;
    holder.tx.commit().await.expect("a commit");
    assert_eq!(pruning.await.expect("no panic").expect("the database").issues, 1);
    assert_eq!(app.db.texts("SELECT state FROM issues").await, ["open"]);
    assert_eq!(
        app.db.count("SELECT count(*) FROM claims WHERE issue_id IS NOT NULL").await,
        1,
        "its claim is its still"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_is_set_while_a_page_is_applied_stays() {
    let app = with_issues(1).await;
    let holder =
        Holder::of(&app, "UPDATE issues SET current_lane = 'frontier', lane = 'frontier' WHERE number = 1")
            .await;
    app.sim.repo(API).set_title(1, "Another");
    let beat = app.next_beat("coder");
    let holding = async {
        holder.until_somebody_waits(&app).await;
        holder.tx.commit().await.expect("a commit");
    };
    tokio::join!(beat, holding);
    assert_eq!(app.db.texts("SELECT title || ' ' || lane FROM issues").await, ["Another frontier"]);
}

async fn claim(app: &App, number: u64) -> Answer {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    let body = json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": number, "agentName": "coder" });
    app.post("/api/issues/claim", body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_renewed_while_github_speaks_against_it_ends() {
    let app = with_issues(2).await;
    claim(&app, 1).await.expect(200);
    claim(&app, 2).await.expect(200);
    app.next_beat("loader").await;
    let holder = Holder::of(&app, "UPDATE claims SET renewed_at = renewed_at + 1").await;
    app.sim.repo(API).remove_label(1, "agent/coder");
    app.sim.repo(API).close_issue(2);
    let beat = app.next_beat("loader");
    let holding = async {
        holder.until_somebody_waits(&app).await;
        holder.tx.commit().await.expect("a commit");
    };
    tokio::join!(beat, holding);
    assert_eq!(
        app.db.texts("SELECT end_reason FROM claims ORDER BY fence").await,
        ["revoked", "issue_ended"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_holder_says_while_it_claims_again_is_kept() {
    let app = with_issues(1).await;
    claim(&app, 1).await.expect(200);
    app.tick();
    let holder = Holder::of(&app, "UPDATE claims SET summary = 'half way', terms = 'leased'").await;
    let again = claim(&app, 1);
    let holding = async {
        holder.until_somebody_waits(&app).await;
        holder.tx.commit().await.expect("a commit");
    };
    let (again, ()) = tokio::join!(again, holding);
    again.expect(200);
    assert_eq!(app.db.texts("SELECT terms || ' ' || summary FROM claims").await, ["leased half way"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_untracks_a_repository_locks_its_issues_in_the_order_of_all_others() {
    let app = with_issues(2).await;
    // The first lies behind the second now, in the table and in its indexes.
    app.db.sql("UPDATE issues SET number = 99 WHERE id = (SELECT min(id) FROM issues)").await;
    let first = "SELECT id FROM issues WHERE id = (SELECT min(id) FROM issues) FOR UPDATE";
    let mut holder = Holder::of(&app, first).await;
    let removal = app.request("DELETE", &format!("/api/automation/repos/{API}"), MAINTAINER);
    let removal = app.engine.tasks().spawn(send(removal));
    holder.until_somebody_waits(&app).await;
    let both = "SELECT id FROM issues ORDER BY id FOR UPDATE";
    holder.tx.query(both).execute().await.expect("nobody who waits for the first has the second");
    holder.tx.commit().await.expect("a commit");
    removal.await.expect("no panic").expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_is_forgotten_by_one_at_a_time() {
    let app = with_issues(1).await;
    let leader = app.leader().await;
    for turn in 0..2 {
        let mut holder = Holder::of(&app, "SELECT 1").await;
        turns::take(&mut holder.tx, Turn::Forgetting).await.expect("the turn");
        let (engine, leader) = (app.engine.clone(), leader.clone());
        let forgetting = app.engine.tasks().spawn(async move {
            match turn {
                0 => prune::prune_closed(&engine).await.map(|_| ()),
                _ => dispatch::engine::retention::prune(&engine, &leader).await.map(|_| ()),
            }
        });
        holder.until_somebody_waits(&app).await;
        holder.tx.commit().await.expect("a commit");
        forgetting.await.expect("no panic").expect("the database");
    }
}
