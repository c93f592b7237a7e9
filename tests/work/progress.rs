//! Checkpoints and ends: what moves, what stays, what is renewed.

use std::time::Duration;

use serde_json::{Value, json};

use super::{active, audited, checkpoint, ends, finish, history, shown, start, start_free};
use crate::{each_db, field::*};

each_db! {
    async fn checkpoints_move_the_work_and_renew_it(db) {
        let app = with_issues(db, 1).await;
        let begun = start(&app, 1, "coder").await.expect(201);
        let steps = [
            ("claimed", "CLAIMED", "CLAIMED"),
            ("repo-prepared", "IN_PROGRESS", "REPO_PREPARED"),
            (" Branch_Created ", "IN_PROGRESS", "BRANCH_CREATED"),
            ("CHANGES_MADE", "IN_PROGRESS", "CHANGES_MADE"),
            ("TESTS-RUNNING", "IN_PROGRESS", "TESTS_RUNNING"),
            ("pr_opened", "IN_PROGRESS", "PR_OPENED"),
            ("IN_PROGRESS", "IN_PROGRESS", "CLAIMED"),
        ];
        for (n, (word, state, name)) in steps.into_iter().enumerate() {
            app.advance(Duration::from_mins(20));
            let row = checkpoint(&app, "Coder", word, json!({})).await.expect(200);
            assert_eq!((&row["state"], &row["checkpoint"]), (&json!(state), &json!(name)));
            assert_eq!((&row["claimId"], &row["fence"]), (&begun["claimId"], &begun["fence"]));
            assert_eq!(row["expiresAt"], row["leaseExpiresAt"]);
            let minutes = 20 * (n + 1) + 30;
            let expires = format!("2026-01-01T{:02}:{:02}:00.000Z", minutes / 60, minutes % 60);
            assert_eq!(row["expiresAt"], expires);
        }
        assert_eq!(history(&app).await.len(), 8);
        assert_eq!(history(&app).await[1], "coder checkpoint CLAIMED");
        assert_eq!(audited(&app).await.last().unwrap(), "coder agent_work_checkpoint");
        assert_eq!(app.db.texts("SELECT terms FROM claims").await, ["leased"], "whoever reports by name renews");
        app.advance(TTL);
        app.beat("other").await;
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }

    async fn blocked_work_says_why_and_gets_out_again(db) {
        let app = with_issues(db, 1).await;
        start(&app, 1, "coder").await.expect(201);
        let blocked = checkpoint(&app, "coder", "STUCK", json!({ "blockerReason": " no access ", "summary": "half way" })).await.expect(200);
        assert_eq!((&blocked["state"], &blocked["checkpoint"], &blocked["blockerReason"], &blocked["summary"]),
            (&json!("BLOCKED"), &json!("BLOCKED"), &json!("no access"), &json!("half way")));
        let out = checkpoint(&app, "coder", "CHANGES_MADE", json!({ "summary": "", "branch": "fix/1", "prUrl": "https://github.com/acme/api/pull/9" })).await.expect(200);
        assert_eq!((&out["state"], &out["blockerReason"], &out["summary"]), (&json!("IN_PROGRESS"), &json!(null), &json!("half way")));
        assert_eq!((&out["branch"], &out["prUrl"]), (&json!("fix/1"), &json!("https://github.com/acme/api/pull/9")));
        assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
    }

    async fn done_ends_the_work_and_leaves_the_labels(db) {
        let app = with_issues(db, 2).await;
        start(&app, 1, "one").await.expect(201);
        app.tick();
        let done = finish(&app, "one", "completed", json!({ "summary": "it works" })).await.expect(200);
        assert_eq!((&done["state"], &done["checkpoint"], &done["summary"]), (&json!("DONE"), &json!("DONE"), &json!("it works")));
        assert_eq!((&done["leaseExpiresAt"], &done["updatedAt"]), (&json!("2026-01-01T00:00:10.000Z"), &json!("2026-01-01T00:00:10.000Z")));
        assert!(done.get("fence").is_none() && done.get("claimId").is_none(), "nothing is granted: {done}");
        app.tick();
        start(&app, 2, "two").await.expect(201);
        app.tick();
        let by_checkpoint = checkpoint(&app, "two", "DONE", json!({})).await.expect(200);
        assert_eq!((&by_checkpoint["state"], &by_checkpoint["checkpoint"]), (&json!("DONE"), &json!("DONE")));
        assert_eq!(ends(&app).await, ["one finished", "two finished"]);
        assert_eq!(history(&app).await, ["one start CLAIMED", "one finish DONE", "two start CLAIMED", "two checkpoint DONE"]);
        assert_labels(&app, 1, &["agent/one", "bug", "status/in-progress"]).await;
        assert_labels(&app, 2, &["agent/two", "bug", "status/in-progress"]).await;
        for agent in ["one", "two"] {
            assert_eq!(active(&app, agent).await, json!({ "hasActiveWork": false }));
            assert_eq!(finish(&app, agent, "DONE", json!({})).await.expect(404)["error"], "No active work found for agent");
        }
        app.advance(Duration::from_hours(100));
        app.beat("x").await;
        assert_labels(&app, 1, &["agent/one", "bug", "status/in-progress"]).await;
        start(&app, 1, "other").await.expect(409);
        start(&app, 1, "one").await.expect(201);
    }

    async fn released_and_stale_give_the_issue_back(db) {
        let app = with_issues(db, 3).await;
        for (number, word, state) in [(1, "release", "RELEASED"), (2, "expired", "STALE")] {
            start(&app, number, "coder").await.expect(201);
            assert_eq!(finish(&app, "coder", word, json!({})).await.expect(200)["state"], state);
            assert_labels(&app, number, &["bug", "status/ready"]).await;
            claim(&app, number, "other").await.expect(200);
        }
        start(&app, 3, "coder").await.expect(201);
        status(&app, 3, "in-review").await.expect(200);
        app.tick();
        finish(&app, "coder", "RELEASED", json!({})).await.expect(200);
        assert_labels(&app, 3, &["bug", "status/in-review"]).await;
        let rows = app.get(&format!("/api/audit?repo={API}&limit=1")).await.expect(200);
        assert_eq!((&rows[0]["action"], &rows[0]["actor"]), (&json!("unclaim_issue"), &json!("coder")));
        assert_eq!(rows[0]["afterLabels"], json!(["bug", "status/in-review"]));
    }

    async fn other_states_are_noted_and_end_nothing(db) {
        let app = with_issues(db, 1).await;
        let begun = start(&app, 1, "coder").await.expect(201);
        app.tick();
        for (word, state) in [("STUCK", "BLOCKED"), ("inprogress", "IN_PROGRESS"), ("claim", "CLAIMED")] {
            let row = finish(&app, "coder", word, json!({ "summary": word })).await.expect(200);
            assert_eq!((&row["state"], &row["summary"], &row["claimId"]), (&json!(state), &json!(word), &begun["claimId"]));
            assert_eq!(row["expiresAt"], "2026-01-01T00:30:10.000Z");
        }
        assert_eq!(app.db.texts("SELECT terms FROM claims WHERE ended_at IS NULL").await, ["held"]);
    }

    async fn who_names_no_claim_means_what_it_worked_on_last(db) {
        let app = with_issues(db, 4).await;
        for number in [1, 2, 3] {
            claim(&app, number, "coder").await.expect(200);
            app.tick();
        }
        let moved = async |word: &str| {
            app.tick();
            let row = checkpoint(&app, "coder", word, json!({})).await.expect(200);
            app.tick();
            app.db.texts(&format!("SELECT i.number || '' FROM issues i WHERE i.id = '{}'", row["issueId"].as_str().unwrap())).await.remove(0)
        };
        assert_eq!(moved("BRANCH_CREATED").await, "3", "the newest, when none was worked on");
        start(&app, 1, "coder").await.expect(201);
        assert_eq!(moved("BRANCH_CREATED").await, "1", "what was started last");
        start(&app, 2, "coder").await.expect(201);
        assert_eq!(moved("CHANGES_MADE").await, "2");
        let third = claim(&app, 3, "coder").await.expect(200);
        assert_eq!(moved("CHANGES_MADE").await, "2", "claiming again is no work");
        app.tick();
        checkpoint(&app, "coder", "PR_OPENED", shown(&third)).await.expect(200);
        assert_eq!(moved("PR_OPENED").await, "3", "what was moved on by its id");
        finish(&app, "coder", "DONE", json!({})).await.expect(200);
        assert_eq!(moved("PR_OPENED").await, "2", "what is left");
    }

    async fn work_without_an_issue_ends_like_any_other(db) {
        let app = with_issues(db, 1).await;
        let free = start_free(&app, "coder").await.expect(201);
        assert_eq!(active(&app, "coder").await, json!({ "hasActiveWork": false }), "there is no issue to show");
        let moved = checkpoint(&app, "coder", "CHANGES_MADE", shown(&free)).await.expect(200);
        assert_eq!((&moved["id"], &moved["issueId"]), (&free["id"], &Value::Null));
        for state in ["RELEASED", "DONE", "STALE"] {
            start_free(&app, "coder").await.expect(201);
            assert_eq!(finish(&app, "coder", state, json!({})).await.expect(200)["state"], state);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 0);
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits").await, 0);
    }

    async fn a_finish_whose_answer_got_lost_may_be_sent_again(db) {
        let app = with_issues(db, 2).await;
        let first = start(&app, 1, "coder").await.expect(201);
        let done = finish(&app, "coder", "DONE", shown(&first)).await.expect(200);
        start(&app, 2, "coder").await.expect(201);
        let again = finish(&app, "coder", "DONE", shown(&first)).await.expect(200);
        assert_eq!(again, done);
        assert_eq!(ends(&app).await, ["coder finished"], "newer work is not touched");
        let other_way = finish(&app, "coder", "RELEASED", shown(&first)).await.expect(409);
        assert_eq!(other_way["code"], "claim_lost");
        assert_eq!(audited(&app).await.iter().filter(|row| row.ends_with("agent_work_finished")).count(), 1);
    }
}
