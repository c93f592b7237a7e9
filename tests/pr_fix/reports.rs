//! What reports settle: every outcome, once, by whoever has the attempt.

use std::time::Duration;

use dispatch::engine::reports;
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, BOUND, MAINTAINER, TestDb, app::send},
};

/// A server on which `coder` was handed pull request 4, with its task.
async fn handed(db: TestDb) -> (App, Value) {
    let app = with(db).await;
    enqueue(&app, 4, "k", json!({})).await;
    let task = next(&app, "coder", "").await;
    (app, task)
}

each_db! {
    async fn every_outcome_has_its_settlement(db) {
        let app = with(db).await;
        // Outcome, the head moved, it can be merged, action, and where the item stands.
        let cases = [
            ("pr_updated", true, true, "fixed", "FIXED NORMAL g1 a1 r0"),
            ("pr_opened", true, true, "fixed", "FIXED NORMAL g1 a1 r0"),
            ("issue_updated", true, true, "fixed", "FIXED NORMAL g1 a1 r0"),
            ("issue_closed", true, true, "fixed", "FIXED NORMAL g1 a1 r0"),
            ("no_changes_needed", true, true, "fixed", "FIXED NORMAL g1 a1 r0"),
            ("no_changes_needed", false, true, "requeued", "QUEUED NORMAL g2 a2 r0"),
            ("pr_updated", false, true, "requeued", "QUEUED NORMAL g2 a2 r0"),
            ("pr_updated", true, false, "deferred", "QUEUED NORMAL g1 a1 r0"),
            ("already_addressed", false, true, "fixed", "FIXED NORMAL g1 a1 r0"),
            ("already_addressed", false, false, "deferred", "QUEUED NORMAL g1 a1 r0"),
            ("blocked", false, false, "blocked", "BLOCKED NEEDS_HUMAN g1 a1 r0"),
            ("failed", true, true, "requeued", "QUEUED NORMAL g2 a2 r0"),
        ];
        for (n, (outcome, moved, can_be_merged, action, want)) in cases.into_iter().enumerate() {
            let pr = app.sim.repo(API).open_pull("One more", &format!("b{n}"));
            push(&app, pr, 'a');
            mergeable(&app, pr, Some(can_be_merged));
            let number = i64::try_from(pr).unwrap();
            enqueue(&app, number, "k", json!({ "lane": "ESCALATED" })).await;
            let agent = format!("agent-{n}");
            let task = next(&app, &agent, "").await;
            assert_eq!(task["pullRequest"]["number"], number);
            if moved {
                push(&app, pr, 'b');
            }
            let resolution = settle(&app, &agent, &task, outcome).await;
            let case = format!("{outcome}, moved {moved}, mergeable {can_be_merged}: {resolution}");
            assert_eq!((&resolution["matched"], &resolution["action"]), (&json!(true), &json!(action)), "{case}");
            assert_eq!((&resolution["itemId"], &resolution["attemptGeneration"]), (&task["prFixItem"]["id"], &json!(1)), "{case}");
            let lane = if matches!(action, "blocked") || outcome == "failed" { "" } else { "ESCALATED" };
            let want = if lane.is_empty() { want.to_owned() } else { want.replace("NORMAL", lane) };
            assert_eq!(state(&app, number).await, want, "{case}");
            mark(&app, number, "STALE", json!({})).await.expect(200);
        }
        assert_eq!(audited(&app, "pr_fix_settle").await, 12);
    }

    async fn the_last_attempt_that_fails_asks_for_a_human(db) {
        let (app, task) = handed(db).await;
        app.db.sql("UPDATE pr_fix_items SET fix_attempts = 5").await;
        let resolution = settle(&app, "coder", &task, "failed").await;
        assert_eq!(resolution["action"], "blocked");
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g1 a5 r0");
        let note = last_note(&app, 4).await;
        assert!(note.as_str().unwrap().starts_with("the attempt failed; said; 5 of 5"), "{note}");
    }

    async fn the_answer_follows_from_where_the_item_stands(db) {
        let (app, task) = handed(db).await;
        enqueue(&app, 4, "review:1", json!({})).await;
        push(&app, 4, 'b');
        assert_eq!(settle(&app, "coder", &task, "pr_updated").await["action"], "requeued", "somebody asked for more meanwhile");
        let again = next(&app, "coder", "").await;
        enqueue(&app, 4, "review:2", json!({})).await;
        assert_eq!(settle(&app, "coder", &again, "blocked").await["action"], "requeued");
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g3 a3 r0");
    }

    async fn github_is_asked_again_while_it_works_out_the_answer(db) {
        let (app, task) = handed(db).await;
        push(&app, 4, 'b');
        mergeable(&app, 4, None);
        let repo = app.sim.repo(API);
        app.sim.hook(github_sim::Match::kind("pulls.get"), move |_| {
            repo.edit_pull(5, |pull| pull.draft = !pull.draft);
            if repo.pulls()[1].pull.draft {
                return;
            }
            repo.edit_pull(4, |pull| pull.mergeable = Some(true));
        });
        let mut settled = std::pin::pin!(settle(&app, "coder", &task, "pr_updated"));
        let resolution = loop {
            tokio::select! {
                biased;
                resolution = &mut settled => break resolution,
                () = tokio::task::yield_now() => {
                    if asked(&app) == 1 {
                        app.advance(Duration::from_millis(1));
                    }
                }
            }
        };
        assert_eq!(resolution["action"], "fixed");
        assert_eq!(asked(&app), 2);
    }

    async fn reports_that_name_nothing_settle_nothing(db) {
        let (app, task) = handed(db).await;
        let good = report_of(&task, "blocked");
        let with = |name: &str, value: Value| and(good.clone(), json!({ name: value }));
        let cases = [
            (with("repoFullName", json!("no name")), json!({ "matched": false, "action": "none" })),
            (with("pullRequestNumber", json!(-4)), json!({ "matched": false, "action": "none" })),
            (with("pullRequestNumber", json!(99)), json!({ "matched": true, "action": "skipped" })),
            (with("repoFullName", json!("acme/web")), json!({ "matched": true, "action": "skipped" })),
            (with("prFixItem", json!({ "id": "nobody", "generation": 1 })), json!({ "matched": false, "action": "none", "attemptGeneration": 1 })),
            (with("prFixItem", json!({ "id": task["prFixItem"]["id"], "generation": 9 })), json!({ "matched": true, "action": "skipped" })),
            (with("prFixItem", Value::Null).as_object().map(|it| and(json!(it), json!({ "pullRequestNumber": 5 }))).unwrap(),
                json!({ "matched": false, "action": "none" })),
        ];
        for (body, want) in cases {
            let told = report(&app, "coder", body.clone()).await["prFixResolution"].clone();
            for (name, value) in want.as_object().unwrap() {
                assert_eq!(told[name], *value, "{body}: {told}");
            }
        }
        for agent in ["other", "bound"] {
            let told = settle(&app, agent, &task, "blocked").await;
            assert_eq!((&told["action"], &told["reason"]), (&json!("skipped"), &json!("the attempt is in the hands of coder")));
        }
        let path = "/api/agents/coder/tasks/report";
        send(app.request("POST", path, BOUND).body(good.to_string())).await.expect(403);
        assert_eq!((state(&app, 4).await.as_str(), history(&app, 4).await.len()), ("QUEUED NORMAL g1 a1 r0", 1));
        assert_eq!(settle(&app, "CODER", &task, "blocked").await["action"], "blocked");
        assert_eq!(settle(&app, "coder", &task, "blocked").await["reason"], "pr-fix item already BLOCKED");
    }

    async fn a_maintainers_report_without_an_attempt_is_of_the_present_one(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let task = next(&app, "bound", "").await;
        let old = and(report_of(&task, "blocked"), json!({ "prFixItem": null }));
        let by_worker = app.request("POST", "/api/agents/bound/tasks/report", BOUND).body(old.to_string());
        let told = send(by_worker).await.expect(200)["prFixResolution"].clone();
        assert_eq!((&told["action"], &told["matched"]), (&json!("skipped"), &json!(true)));
        assert!(told["reason"].as_str().unwrap().contains("send the prFixItem"), "{told}");
        let told = report(&app, "other", old.clone()).await["prFixResolution"].clone();
        assert_eq!(told["reason"], "the attempt is in the hands of bound");
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g1 a1 r0");
        let told = report(&app, "bound", old).await["prFixResolution"].clone();
        assert_eq!((&told["action"], &told["itemId"], &told["attemptGeneration"]), (&json!("blocked"), &task["prFixItem"]["id"], &json!(1)));
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g1 a1 r0");
    }

    async fn who_told_a_report_counts_when_it_is_settled_later(db) {
        let app = with(db).await;
        for (pr, token, action, want) in [
            (4, BOUND, "skipped", "QUEUED NORMAL g1 a1 r0"),
            (5, MAINTAINER, "blocked", "BLOCKED NEEDS_HUMAN g1 a1 r0"),
        ] {
            enqueue(&app, pr, "k", json!({})).await;
            let task = next(&app, "bound", "").await;
            assert_eq!(task["pullRequest"]["number"], pr);
            let body = and(report_of(&task, "blocked"), json!({ "prFixItem": null, "idempotencyKey": format!("k{pr}") }));
            let tell = async || {
                let request = app.request("POST", "/api/agents/bound/tasks/report", token).body(body.to_string());
                send(request).await.expect(200)["prFixResolution"]["action"].clone()
            };
            app.db.sql("UPDATE pr_fix_items SET status = 'FIXED'").await;
            tell().await;
            // As a crash between the record and its settlement leaves it.
            app.db.sql(&format!("UPDATE pr_fix_items SET status = 'QUEUED' WHERE pr = {pr}")).await;
            app.db.sql("UPDATE reports SET state = 'pending', resolution = NULL, settled_at = NULL").await;
            app.advance(Duration::from_mins(2));
            assert_eq!(reports::settle_pending(&app.engine).await.unwrap(), 1);
            assert_eq!((state(&app, pr).await.as_str(), tell().await), (want, json!(action)));
            app.db.sql("DELETE FROM reports").await;
            mark(&app, pr, "STALE", json!({})).await.expect(200);
        }
    }

    async fn a_maintainers_report_without_token_is_for_the_attempt_of_its_time(db) {
        let (app, task) = handed(db).await;
        let body = and(report_of(&task, "blocked"), json!({ "prFixItem": null, "idempotencyKey": "k" }));
        app.db.sql("UPDATE pr_fix_items SET status = 'FIXED'").await;
        report(&app, "coder", body.clone()).await;
        // Its request died before it was settled, and somebody starts the next attempt meanwhile.
        app.db.sql("UPDATE reports SET state = 'pending', resolution = NULL, settled_at = NULL").await;
        requeue(&app, 4, json!({})).await.expect(200);
        let next = state(&app, 4).await;
        assert!(next.starts_with("QUEUED NORMAL g2"), "{next}");
        app.advance(Duration::from_mins(2));
        assert_eq!(reports::settle_pending(&app.engine).await.unwrap(), 1);
        assert_eq!(state(&app, 4).await, next);
        let told = report(&app, "coder", body).await["prFixResolution"].clone();
        assert_eq!((&told["action"], &told["attemptGeneration"]), (&json!("skipped"), &json!(1)), "{told}");
    }

    async fn the_same_report_again_gets_the_same_answer(db) {
        let (app, task) = handed(db).await;
        let body = and(report_of(&task, "failed"), json!({ "idempotencyKey": "k" }));
        let first = report(&app, "coder", body.clone()).await;
        let again = report(&app, "coder", body).await;
        assert_eq!(again["duplicate"], true);
        assert_eq!(again["prFixResolution"], first["prFixResolution"]);
        assert_eq!(first["prFixResolution"]["action"], "requeued");
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a2 r0", "settled once");
    }

    async fn a_report_whose_request_died_is_settled_by_its_retry(db) {
        let (app, task) = handed(db).await;
        let body = and(report_of(&task, "failed"), json!({ "idempotencyKey": "k" }));
        // As a crash between the record and its settlement leaves it.
        app.db.sql("UPDATE pr_fix_items SET status = 'FIXED'").await;
        report(&app, "coder", body.clone()).await;
        app.db.sql("UPDATE pr_fix_items SET status = 'QUEUED'").await;
        app.db.sql("UPDATE reports SET state = 'pending', resolution = NULL, settled_at = NULL").await;
        let retried = report(&app, "coder", body).await;
        assert_eq!((&retried["duplicate"], &retried["prFixResolution"]["action"]), (&json!(true), &json!("requeued")));
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a2 r0");
    }

    async fn a_report_that_nobody_retries_is_settled_by_the_scheduler(db) {
        let (app, task) = handed(db).await;
        app.db.sql("UPDATE pr_fix_items SET status = 'FIXED'").await;
        settle(&app, "coder", &task, "blocked").await;
        app.db.sql("UPDATE pr_fix_items SET status = 'QUEUED'").await;
        app.db.sql("UPDATE reports SET state = 'pending', resolution = NULL, settled_at = NULL").await;
        assert_eq!(reports::settle_pending(&app.engine).await.unwrap(), 0, "its request may live still");
        app.advance(Duration::from_mins(2));
        assert_eq!(reports::settle_pending(&app.engine).await.unwrap(), 1);
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g1 a1 r0");
        assert_eq!(reports::settle_pending(&app.engine).await.unwrap(), 0);
    }

    async fn a_merged_pull_request_is_nobodys_work(db) {
        let (app, task) = handed(db).await;
        app.sim.repo(API).merge_pull(4);
        let told = settle(&app, "coder", &task, "pr_updated").await;
        assert_eq!((&told["action"], &told["reason"]), (&json!("skipped"), &json!("the pull request is merged")));
        assert_eq!(state(&app, 4).await, "STALE NORMAL g1 a1 r0");
    }
}
