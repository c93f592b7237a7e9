//! Single labels.

use serde_json::json;

use super::field::*;
use crate::{each_db, support::answers::strings};

each_db! {
    async fn a_label_is_added_and_removed(db) {
        let app = with_issues(db, 1).await;
        let added = act(&app, "label", 1, json!({ "label": " type/chore ", "actor": "ann" })).await.expect(200);
        assert_eq!((&added["success"], &added["action"], &added["label"]), (&json!(true), &json!("add"), &json!("type/chore")));
        assert_eq!(sorted(strings(&added["labels"])), ["bug", "status/ready", "type/chore"]);
        assert_labels(&app, 1, &["bug", "status/ready", "type/chore"]).await;
        let row = audited(&app, "add_label").await;
        assert_eq!((&row["actor"], &row["notes"]), (&json!("ann"), &json!("type/chore")));
        assert_eq!(sorted(strings(&row["afterLabels"])), ["bug", "status/ready", "type/chore"]);
        let removed = act(&app, "label", 1, json!({ "label": "TYPE/chore", "action": "remove" })).await.expect(200);
        assert_eq!((&removed["action"], &removed["label"]), (&json!("remove"), &json!("TYPE/chore")));
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        act(&app, "unlabel", 1, json!({ "label": "bug", "agentName": "coder" })).await.expect(200);
        assert_labels(&app, 1, &["status/ready"]).await;
        assert_eq!(audited(&app, "remove_label").await["actor"], "coder");
        assert_eq!(count_audited(&app, "remove_label").await, 2);
        app.next_beat("coder").await;
        assert_labels(&app, 1, &["status/ready"]).await;
    }

    async fn what_is_so_already_costs_no_write(db) {
        let app = with_issues(db, 1).await;
        app.sim.reset_counters();
        for _ in 0..3 {
            act(&app, "label", 1, json!({ "label": "Bug" })).await.expect(200);
            act(&app, "unlabel", 1, json!({ "label": "absent" })).await.expect(200);
        }
        let counters = app.sim.counters();
        assert_eq!((counters.writes, counters.requests), (0, 0), "the cache is new enough to be believed");
        assert_eq!(count_audited(&app, "add_label").await + count_audited(&app, "remove_label").await, 6);
    }

    async fn what_seems_so_is_looked_up_before_it_is_believed(db) {
        let app = with_issues(db, 1).await;
        app.advance(std::time::Duration::from_secs(20));
        app.sim.repo(API).remove_label(1, "bug");
        app.sim.repo(API).add_label(1, "urgent");
        act(&app, "label", 1, json!({ "label": "bug" })).await.expect(200);
        act(&app, "unlabel", 1, json!({ "label": "urgent" })).await.expect(200);
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }

    async fn the_issue_with_this_id_is_meant_whatever_place_is_named(db) {
        let app = with_issues(db, 2).await;
        let mut body = and(named(&app, 1).await, json!({ "label": "x" }));
        body["issueNumber"] = json!(2);
        body["repoFullName"] = json!("acme/other");
        app.post("/api/issues/label", body).await.expect(200);
        assert_labels(&app, 1, &["bug", "status/ready", "x"]).await;
        assert_labels(&app, 2, &["bug", "status/ready"]).await;
    }

    async fn labels_that_count_tries_are_not_added_by_hand(db) {
        let app = with_issues(db, 1).await;
        for label in ["blocked/infra-attempt/2", "Blocked/Infra-Model/x"] {
            let refused = act(&app, "label", 1, json!({ "label": label })).await.expect(400);
            assert!(refused["error"].as_str().unwrap().ends_with("cannot be added by hand"), "{refused}");
            act(&app, "unlabel", 1, json!({ "label": label })).await.expect(200);
        }
        act(&app, "label", 1, json!({ "label": "blocked/infra" })).await.expect(200);
    }

    async fn a_label_that_says_so_ends_the_claim(db) {
        let app = with_issues(db, 3).await;
        for number in 1..=3 {
            claim(&app, number, "coder").await;
        }
        act(&app, "label", 1, json!({ "label": "status/done", "actor": "ann" })).await.expect(200);
        let freed = act(&app, "unlabel", 2, json!({ "label": "Agent/Coder", "actor": "ann" })).await.expect(200);
        assert_eq!(sorted(strings(&freed["labels"])), ["bug", "status/in-progress"]);
        act(&app, "label", 3, json!({ "label": "agent/other" })).await.expect(200);
        let ends = "SELECT COALESCE(end_reason, 'live') FROM claims ORDER BY fence";
        assert_eq!(app.db.texts(ends).await, ["issue_ended", "withdrawn", "live"]);
        let row = audited(&app, "lease_released").await;
        assert_eq!((&row["actor"], &row["issueNumber"]), (&json!("ann"), &json!(2)));
        app.next_beat("coder").await;
        assert_eq!(app.db.texts(ends).await, ["issue_ended", "withdrawn", "live"]);
    }

    async fn a_wish_that_was_taken_back_leaves_nothing_behind(db) {
        let app = with_issues(db, 1).await;
        let fault = app.sim.fault(github_sim::Fault::new(github_sim::FaultKind::Status(502)).on(github_sim::Match::path_contains("/labels")));
        act(&app, "label", 1, json!({ "label": "x" })).await.expect(200);
        act(&app, "unlabel", 1, json!({ "label": "x" })).await.expect(200);
        act(&app, "unlabel", 1, json!({ "label": "bug" })).await.expect(200);
        act(&app, "label", 1, json!({ "label": "bug" })).await.expect(200);
        assert_eq!(shown(&app, 1).await, ["bug", "status/ready"]);
        app.sim.clear_fault(fault);
        app.advance(std::time::Duration::from_mins(20));
        settle(&app).await;
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }
}
