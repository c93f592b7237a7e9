//! What counts as a try, and what does not: what GitHub never looked at is as good as never sent.

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use super::field::*;
use crate::each_db;

const LIMIT: FaultKind = FaultKind::SecondaryLimit { status: 403, retry_after: Some(60) };

each_db! {
    async fn what_a_limit_turned_away_has_all_its_tries_left(db) {
        let app = with_issues(db, 1).await;
        let comment = wish(&app.engine, 1, Wish::Comment("Hello")).await;
        for label in ["one", "two"] {
            want_label(&app, 1, label).await;
        }
        for kind in ["comments.create", "labels.add"] {
            app.sim.fault(Fault::new(LIMIT).on(Match::kind(kind)).times(3));
        }
        for _ in 0..6 {
            publish(&app).await;
            app.advance(Duration::from_mins(2));
        }
        assert_eq!(app.db.count("SELECT max(attempts) FROM label_edits").await, 0);
        assert_eq!(entry(&app, &comment).await["attempts"], 0);
        app.sim.reset_counters();
        let set = app.sim.fault(Fault::new(FaultKind::Status(422)).on(Match::kind("comments.create")));
        publish(&app).await;
        let refused = entry(&app, &comment).await;
        assert_eq!((&refused["state"], &refused["attempts"]), (&json!("pending"), &json!(1)), "{refused}");
        app.sim.clear_fault(set);
        app.advance(Duration::from_mins(1));
        publish(&app).await;
        assert_eq!((state(&app, &comment).await.as_str(), comments(&app, 1).len()), ("settled", 1));
        assert_eq!(app.sim.counters().writes, 3, "both labels in one request");
    }

    async fn what_stands_behind_a_limit_is_not_tried_either(db) {
        let app = with_issues(db, 1).await;
        want_label(&app, 1, "new").await;
        app.db.sql("INSERT INTO label_edits (id, issue_id, label_key, label, wanted, version, state, next_try_at, created_at)
            SELECT '019b76da-a800-7c3f-8000-999999999999', id, 'status/ready', 'status/ready', FALSE, 1, 'pending', 1, 1 FROM issues").await;
        app.sim.fault(Fault::new(LIMIT).on(Match::kind("labels.add")).times(1));
        publish(&app).await;
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits WHERE attempts <> 0").await, 0);
        app.advance(Duration::from_mins(2));
        publish(&app).await;
        assert_eq!(there(&app, 1).labels, ["new"]);
    }

    async fn what_github_fails_at_for_a_day_holds_nothing_back_any_more(db) {
        let app = with_issues(db, 2).await;
        let comment = wish(&app.engine, 1, Wish::Comment("Hello")).await;
        let behind = wish(&app.engine, 1, Wish::Title("Behind it")).await;
        want_label(&app, 2, "cursed").await;
        app.db.sql("UPDATE outbox SET attempts = 98 WHERE kind = 'comment'; UPDATE label_edits SET attempts = 98").await;
        let set = app.sim.fault(Fault::new(FaultKind::Status(500)).on(Match::kind("comments.create")).times(2));
        app.sim.fault(Fault::new(FaultKind::Status(500)).on(Match::kind("labels.add")).times(2));
        publish(&app).await;
        assert_eq!(state(&app, &comment).await, "pending", "not yet");
        app.advance(Duration::from_mins(16));
        publish(&app).await;
        let parked = entry(&app, &comment).await;
        assert_eq!((&parked["state"], &parked["attempts"]), (&json!("parked"), &json!(100)), "{parked}");
        assert_eq!((&parked["error"], &parked["unsure"]), (&json!("GitHub failed with 500"), &json!(true)));
        assert_eq!(app.db.texts("SELECT state FROM label_edits").await, ["parked"]);
        app.advance(Duration::from_mins(1));
        publish(&app).await;
        assert_eq!(state(&app, &behind).await, "settled");
        // It may have been there all the time: it is looked for first.
        app.sim.clear_fault(set);
        app.sim.repo(API).comment(1, "dispatch", &format!("Hello\n\n<!-- dispatch:{} -->", comment.0));
        app.post(&format!("/api/outbox/{}/retry", comment.0), json!({})).await.expect(200);
        assert_eq!((state(&app, &comment).await.as_str(), comments(&app, 1).len()), ("settled", 1));
    }

    async fn a_wish_that_changes_while_others_of_its_issue_are_sent_goes_out_as_it_is_now(db) {
        let app = with_issues(db, 1).await;
        want_label(&app, 1, "first").await;
        app.db.sql("INSERT INTO label_edits (id, issue_id, label_key, label, wanted, version, state, next_try_at, created_at)
            SELECT '019b76da-a800-7c3f-8000-999999999999', id, 'status/ready', 'status/ready', FALSE, 1, 'pending', 1, 1 FROM issues").await;
        let (db, runtime) = (app.db.clone(), tokio::runtime::Handle::current());
        app.sim.hook(Match::kind("labels.add"), move |_| {
            let sql = "UPDATE label_edits SET wanted = TRUE, version = 2, attempts = 0 WHERE label_key = 'status/ready'";
            tokio::task::block_in_place(|| runtime.block_on(db.sql(sql)));
        }).times(1);
        app.sim.reset_counters();
        publish(&app).await;
        let sent: Vec<_> = app.sim.requests().into_iter().map(|request| request.method).collect();
        assert_eq!(sent, ["POST", "POST"], "nothing is taken away that is wanted again");
        assert_eq!(there(&app, 1).labels, ["status/ready", "first"]);
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits WHERE state = 'settled' AND attempts = 1").await, 2);
    }

    async fn edits_that_another_process_took_over_are_left_to_it(db) {
        let app = with_issues(db, 1).await;
        want_label(&app, 1, "first").await;
        app.db.sql("INSERT INTO label_edits (id, issue_id, label_key, label, wanted, version, state, next_try_at, created_at)
            SELECT '019b76da-a800-7c3f-8000-999999999999', id, 'status/ready', 'status/ready', FALSE, 1, 'pending', 1, 1 FROM issues").await;
        let (db, runtime) = (app.db.clone(), tokio::runtime::Handle::current());
        app.sim.hook(Match::kind("labels.add"), move |_| {
            let sql = "INSERT INTO instances (id, started_at, expires_at) VALUES ('other', 0, 9999999999999);
                UPDATE label_edits SET sender = 'other', sending_until = 9999999999999";
            tokio::task::block_in_place(|| runtime.block_on(db.sql(sql)));
        }).times(1);
        publish(&app).await;
        assert_eq!(there(&app, 1).labels, ["status/ready", "first"]);
        let held = "SELECT count(*) FROM label_edits WHERE sender = 'other' AND sending_until = 9999999999999";
        assert_eq!(app.db.count(held).await, 2, "and the other goes on holding them");
    }

    async fn nothing_follows_an_issue_into_another_repository(db) {
        let app = with_issues(db, 2).await;
        app.sim.create_repo("acme/other");
        let comment = wish(&app.engine, 1, Wish::Comment("For the first")).await;
        let title = wish(&app.engine, 1, Wish::Title("Ours")).await;
        want_label(&app, 1, "ours").await;
        let moved = app.sim.repo(API).transfer_issue(1, "acme/other");
        // Nobody has heard of it yet.
        publish(&app).await;
        let there = app.sim.repo("acme/other").issue(moved).expect("the issue");
        assert_eq!((there.title.as_str(), there.has_label("ours")), ("Issue 0", false));
        assert!(app.sim.repo("acme/other").comments(moved).is_empty());
        for id in [&comment, &title] {
            let parked = entry(&app, id).await;
            let why = (&json!("parked"), &json!("the issue was transferred to another repository"));
            assert_eq!((&parked["state"], &parked["error"]), why);
        }
    }

    async fn what_waits_for_an_issue_that_is_gone_is_parked_with_it(db) {
        let app = with_issues(db, 2).await;
        let comment = wish(&app.engine, 1, Wish::Comment("For the first")).await;
        let title = wish(&app.engine, 1, Wish::Title("Ours")).await;
        want_label(&app, 1, "ours").await;
        app.sim.repo(API).delete_issue(1);
        app.sim.reset_counters();
        app.next_beat("coder").await;
        assert_eq!(app.sim.counters().writes, 0);
        for id in [&comment, &title] {
            let parked = entry(&app, id).await;
            assert_eq!(parked["error"], "the issue was deleted, or transferred to another repository", "{parked}");
        }
        assert_eq!(app.db.texts("SELECT state FROM label_edits").await, ["parked"]);
        assert_eq!(app.db.count("SELECT count(*) FROM outbox WHERE lies_over").await, 0);
    }
}
