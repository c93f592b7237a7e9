//! What operators see of the outbox, and what they can do.

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};

use super::field::*;
use crate::{each_db, support::App};

async fn operate(app: &App, id: &str, word: &str) -> crate::support::Answer {
    app.post(&format!("/api/outbox/{id}/{word}"), json!({})).await
}

fn whats(entries: &Value) -> Vec<String> {
    entries
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["what"].as_str().expect("words").to_owned())
        .collect()
}

each_db! {
    async fn the_list_says_what_waits_since_when_and_why(db) {
        let app = with_issues(db, 2).await;
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::method("POST")));
        let comment = wish(&app.engine, 1, Wish::Comment("Hello")).await;
        app.tick();
        wish(&app.engine, 2, Wish::Title("Better")).await;
        app.tick();
        wish(&app.engine, 0, Wish::Create("New")).await;
        publish(&app).await;
        app.advance(Duration::from_secs(3));
        let listed = app.get("/api/outbox").await.expect(200);
        assert_eq!(whats(&listed), ["post a comment", "change the title to \"Better\"", "open the issue \"New\""]);
        let first = &listed[0];
        let want = json!({
            "id": comment.0, "kind": "comment", "state": "pending", "repoFullName": API, "issueNumber": 1,
            "issueId": first["issueId"], "what": "post a comment", "content": { "comment": "Hello" }, "attempts": 1,
            "error": "GitHub failed with 502", "unsure": true, "sending": false,
            "nextTryAt": "2026-01-01T00:00:50.000Z", "url": null, "createdNumber": null, "actor": "operator",
            "agentName": "coder", "createdAt": "2026-01-01T00:00:00.000Z", "ageMs": 23_000, "settledAt": null, "pullNumber": null,
        });
        assert_eq!(*first, want);
        assert_eq!(listed[1]["settledAt"], "2026-01-01T00:00:20.000Z");
        assert_eq!(listed[2]["issueNumber"], Value::Null);
        for (query, want) in [
            ("kind=edit", vec!["change the title to \"Better\""]),
            ("state=pending", vec!["post a comment", "open the issue \"New\""]),
            ("state=pending,settled", vec!["post a comment", "change the title to \"Better\"", "open the issue \"New\""]),
            ("state=settled,parked", vec!["change the title to \"Better\""]),
            ("state=pending&kind=create_issue", vec!["open the issue \"New\""]),
            ("kind=label", vec![]),
            ("repo=acme/other", vec![]),
            ("repo=ACME/Api&limit=1", vec!["post a comment"]),
        ] {
            assert_eq!(whats(&app.get(&format!("/api/outbox?{query}")).await.expect(200)), want, "{query}");
        }
        for query in ["state=stuck", "state=pending,stuck", "state=pending,", "kind=x", "repo=acme", "limit=0", "cursor=x"] {
            let refused = app.get(&format!("/api/outbox?{query}")).await.expect(400);
            assert_eq!(refused["field"], query.split('=').next().unwrap(), "{query}");
        }
    }

    async fn pages_hold_labels_and_the_rest_in_one_order(db) {
        let app = with_issues(db, 3).await;
        let off = app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/issues/")));
        for number in 1..=3 {
            wish(&app.engine, number, Wish::Comment("One")).await;
            app.sim.clear_fault(off);
            app.sim.repo(API).close_issue(number);
            app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/labels")));
            app.next_beat("coder").await;
            wish(&app.engine, number, Wish::Comment("Two")).await;
        }
        let whole = app.get("/api/outbox").await.expect(200);
        assert_eq!(whole.as_array().expect("a list").len(), 12);
        let mut paged = Vec::new();
        let mut next = "/api/outbox?limit=5".to_owned();
        loop {
            let answer = app.get(&next).await;
            let cursor = answer.header("x-next-cursor").map(str::to_owned);
            paged.extend(answer.expect(200).as_array().expect("a list").clone());
            let Some(cursor) = cursor else { break };
            next = format!("/api/outbox?limit=5&cursor={cursor}");
        }
        assert_eq!(json!(paged), whole);
    }

    async fn a_retry_is_sent_at_once(db) {
        let app = with_issues(db, 1).await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(422)).on(Match::kind("comments.create")));
        let id = wish(&app.engine, 1, Wish::Comment("Hello")).await;
        publish(&app).await;
        app.sim.clear_fault(fault);
        let sent = operate(&app, &id.0, "retry").await.expect(200);
        assert_eq!(sent["state"], "settled");
        let url = format!("https://github.com/{API}/issues/1#issuecomment-{}", comments(&app, 1)[0].id);
        assert_eq!(sent["url"], url);
        let rows = app.get("/api/audit").await.expect(200);
        assert_eq!((&rows[0]["action"], &rows[0]["notes"], &rows[0]["issueNumber"]), (&json!("outbox_retried"), &json!("post a comment"), &json!(1)));
    }

    async fn a_retry_after_the_permission_was_given_waits_for_no_hour(db) {
        let app = with_issues(db, 1).await;
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Read);
        let id = wish(&app.engine, 1, Wish::Comment("Hello")).await;
        publish(&app).await;
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Write);
        assert_eq!(publish(&app).await, 0, "everything waits");
        assert_eq!(operate(&app, &id.0, "retry").await.expect(200)["state"], "settled");
    }

    async fn what_is_discarded_is_never_sent(db) {
        let app = with_issues(db, 2).await;
        let fault = app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::method("POST")));
        let comment = wish(&app.engine, 1, Wish::Comment("Hello")).await;
        app.sim.repo(API).close_issue(2);
        app.next_beat("coder").await;
        let labels = app.get("/api/outbox?kind=label&state=pending").await.expect(200);
        assert_eq!(whats(&labels), ["add the label status/done"]);
        let label = labels[0]["id"].as_str().expect("an id").to_owned();
        for id in [comment.0.as_str(), &label] {
            let given_up = operate(&app, id, "discard").await.expect(200);
            assert_eq!((&given_up["state"], &given_up["nextTryAt"]), (&json!("discarded"), &Value::Null));
            for word in ["retry", "discard"] {
                let refused = operate(&app, id, word).await.expect(409);
                assert_eq!(refused["error"], "It was discarded; ask for the change anew");
            }
        }
        app.sim.clear_fault(fault);
        app.advance(Duration::from_hours(2));
        app.beat("coder").await;
        assert_eq!((comments(&app, 1).len(), there(&app, 2).labels.len()), (0, 0));
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE action = 'outbox_discarded'").await, 2);
    }

    async fn what_is_not_there_or_cannot_be_said(db) {
        let app = with_issues(db, 1).await;
        let refused = operate(&app, "none", "retry").await.expect(404);
        assert_eq!(refused["error"], "No such entry in the outbox; GET /api/outbox lists those there are");
        operate(&app, "%00", "discard").await.expect(404);
        let id = wish(&app.engine, 1, Wish::Comment("Hello")).await;
        operate(&app, &format!("{id}%00"), "discard").await.expect(404);
        app.db.sql("UPDATE outbox SET sending_until = 9999999999999, sender = (SELECT id FROM instances)").await;
        assert_eq!(entry(&app, &id).await["sending"], true);
        let busy = operate(&app, &id.0, "discard").await.expect(409);
        assert_eq!(busy["error"], "It is being sent right now; try again in a moment");
        // Of a process that is dead.
        app.db.sql("UPDATE outbox SET sender = 'dead'").await;
        publish(&app).await;
        let settled = operate(&app, &id.0, "discard").await.expect(409);
        assert_eq!(settled["error"], "GitHub has it already");
    }

    async fn the_end_is_kept_for_a_month_and_what_is_parked_until_somebody_acts(db) {
        let app = with_issues(db, 2).await;
        wish(&app.engine, 1, Wish::Comment("Hello")).await;
        wish(&app.engine, 1, Wish::Title("Better")).await;
        publish(&app).await;
        app.sim.fault(Fault::new(FaultKind::Status(410)).on(Match::kind("comments.create")));
        wish(&app.engine, 2, Wish::Comment("Never")).await;
        publish(&app).await;
        app.next_beat("coder").await;
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM outbox").await, 3);
        app.advance(Duration::from_hours(24 * 31));
        app.prune().await;
        assert_eq!(app.db.texts("SELECT state FROM outbox").await, ["parked"]);
    }
}
