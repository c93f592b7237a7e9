//! What is deferred waits, handed to nobody, until something is new.

use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{App, TestDb},
};

/// A server whose pull request 4 was reported while it could not be merged.
async fn deferred(db: TestDb) -> App {
    let app = with(db).await;
    enqueue(&app, 4, "k", json!({})).await;
    let task = next(&app, "coder", "").await;
    push(&app, 4, 'b');
    mergeable(&app, 4, Some(false));
    let resolution = settle(&app, "coder", &task, "pr_updated").await;
    assert_eq!((&resolution["action"], &resolution["attemptGeneration"]), (&json!("deferred"), &json!(1)));
    app
}

each_db! {
    async fn nobody_gets_it_while_nothing_changes(db) {
        let app = deferred(db).await;
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g1 a1 r0");
        let item = item(&app, 4).await;
        assert_eq!((&item["heldBy"], &item["waitingSince"]), (&json!(null), &json!(app.clock.now().to_string())));
        app.advance(TIMEOUT);
        for agent in ["coder", "other"] {
            assert_eq!(next_pr(&app, agent).await, None);
        }
        let swept = sweep(&app).await;
        assert_eq!((&swept["waiting"], &swept["woken"], &swept["examined"]), (&json!(1), &json!(0), &json!(0)));
        assert_eq!(next_pr(&app, "other").await, None);
        // What is known is nothing new.
        enqueue(&app, 4, "k", json!({})).await;
        assert_eq!(next_pr(&app, "other").await, None);
    }

    async fn a_head_that_moves_wakes_it(db) {
        let app = deferred(db).await;
        push(&app, 4, 'c');
        assert_eq!(sweep(&app).await["woken"], 1);
        assert_eq!(last_note(&app, 4).await, "its head moved");
        let task = next(&app, "other", "").await;
        assert_eq!(task["prFixItem"]["generation"], 1, "the same attempt, in other hands");
        assert_eq!(item(&app, 4).await["agentHandouts"], json!(["other@1"]));
        assert_eq!((history(&app, 4).await[2].as_str(), audited(&app, "pr_fix_wake").await), ("wake QUEUED", 1));
        // The agent before has no say any more.
        let late = settle(&app, "coder", &task, "failed").await;
        assert_eq!((&late["action"], &late["reason"]), (&json!("skipped"), &json!("the attempt is in the hands of other")));
    }

    async fn another_word_on_merging_wakes_it(db) {
        let app = deferred(db).await;
        mergeable(&app, 4, None);
        assert_eq!(sweep(&app).await["woken"], 0, "GitHub is working it out");
        mergeable(&app, 4, Some(true));
        assert_eq!(sweep(&app).await["woken"], 1);
        assert_eq!(next_pr(&app, "other").await, Some(4));
    }

    async fn new_evidence_wakes_it_and_is_not_overlooked(db) {
        let app = deferred(db).await;
        let woken = enqueue(&app, 4, "review:9", json!({})).await;
        assert_eq!((&woken["waitingSince"], &woken["generation"]), (&json!(null), &json!(1)));
        // Before anybody has it, nobody settles it over that evidence.
        let reopened = mark(&app, 4, "BLOCKED", json!({})).await.expect(200);
        assert_eq!((&reopened["status"], &reopened["generation"]), (&json!("QUEUED"), &json!(2)));
        let task = next(&app, "other", "").await;
        assert!(task["reasons"].to_string().contains("mend review:9"), "{task}");
        mergeable(&app, 4, Some(true));
        push(&app, 4, 'c');
        assert_eq!(settle(&app, "other", &task, "pr_updated").await["action"], "fixed", "whoever took it knew of it");
    }

    async fn an_operator_wakes_it(db) {
        let app = deferred(db).await;
        requeue(&app, 4, json!({})).await.expect(200);
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a1 r0");
        assert_eq!(next_pr(&app, "other").await, Some(4));
    }

    async fn its_own_agent_may_report_again(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let task = next(&app, "coder", "").await;
        push(&app, 4, 'b');
        hide_pulls(&app);
        let deferred = settle(&app, "coder", &task, "pr_updated").await;
        assert_eq!(deferred["reason"], "GitHub could not be asked about the pull request");
        app.sim.clear_faults();
        assert_eq!(settle(&app, "other", &task, "pr_updated").await["action"], "skipped");
        assert_eq!(settle(&app, "coder", &task, "pr_updated").await["action"], "fixed");
        assert_eq!(state(&app, 4).await, "FIXED NORMAL g1 a1 r0");
    }

    async fn what_is_merged_meanwhile_is_nobodys_work(db) {
        let app = deferred(db).await;
        app.sim.repo(API).merge_pull(4);
        assert_eq!(sweep(&app).await["stale"], 1);
        assert_eq!(state(&app, 4).await, "STALE NORMAL g1 a1 r0");
    }

    async fn late_evidence_is_not_waited_over(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let task = next(&app, "coder", "").await;
        enqueue(&app, 4, "comment:1", json!({})).await;
        mergeable(&app, 4, Some(false));
        assert_eq!(settle(&app, "coder", &task, "pr_updated").await["action"], "deferred");
        assert_eq!(next_pr(&app, "other").await, Some(4));
    }
}
