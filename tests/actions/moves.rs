//! Moving cards of the board.

use std::time::Duration;

use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{answers::strings, world},
};

each_db! {
    async fn a_moved_card_has_one_status_and_every_other_label(db) {
        let app = with_issues(db, 1).await;
        app.tick();
        app.sim.reset_counters();
        let more = and(drag("ready", "in-progress"), json!({ "actor": "ann" }));
        let moved = act(&app, "move", 1, more).await.expect(200);
        assert_eq!((&moved["success"], sorted(strings(&moved["labels"]))), (&json!(true), vec!["bug".into(), "status/in-progress".into()]));
        assert_eq!(moved["version"], state(&app, 1).await["version"]);
        assert_labels(&app, 1, &["bug", "status/in-progress"]).await;
        let counters = app.sim.counters();
        assert_eq!((counters.writes, counters.paid), (2, 2), "one look that costs nothing, and two writes");
        let row = audited(&app, "move_issue").await;
        assert_eq!((&row["actor"], &row["success"], &row["issueNumber"]), (&json!("ann"), &json!(true), &json!(1)));
        assert_eq!(sorted(strings(&row["beforeLabels"])), ["bug", "status/ready"]);
        assert_eq!(sorted(strings(&row["afterLabels"])), ["bug", "status/in-progress"]);
        app.next_beat("coder").await;
        assert_labels(&app, 1, &["bug", "status/in-progress"]).await;
    }

    async fn what_the_client_believes_of_other_labels_does_not_count(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).add_label(1, "status/backlog");
        app.sim.repo(API).add_label(1, "urgent");
        app.tick();
        // An old view: without what came since, with what never was.
        let more = json!({ "oldLabels": ["status/in-review", "gone"], "newLabels": ["made-up", "Status/Blocked"] });
        act(&app, "move", 1, more).await.expect(200);
        assert_labels(&app, 1, &["bug", "status/blocked", "urgent"]).await;
        act(&app, "move", 1, json!({ "oldLabels": ["status/blocked"], "newLabels": ["bug"] })).await.expect(200);
        assert_labels(&app, 1, &["bug", "urgent"]).await;
        act(&app, "move", 1, json!({ "oldLabels": [], "newLabels": [] })).await.expect(200);
        assert_labels(&app, 1, &["bug", "urgent"]).await;
        world::assert_same(&app, API).await;
    }

    async fn the_same_again_costs_no_write_and_is_on_record(db) {
        let app = with_issues(db, 1).await;
        for _ in 0..3 {
            app.tick();
            act(&app, "move", 1, drag("ready", "in-review")).await.expect(200);
        }
        assert_eq!((app.sim.counters().writes, count_audited(&app, "move_issue").await), (2, 3));
    }

    async fn done_ends_the_claim_and_other_columns_do_not(db) {
        let app = with_issues(db, 1).await;
        let held = claim(&app, 1, "coder").await;
        for status in ["in-review", "blocked", "backlog", "in-progress"] {
            act(&app, "move", 1, drag("x", status)).await.expect(400);
            act(&app, "move", 1, drag("ready", status)).await.expect(200);
        }
        let work = json!({ "agentName": "coder", "issueId": named(&app, 1).await["issueId"], "claimId": held["claimId"] });
        act(&app, "status", 1, and(work.clone(), json!({ "status": "in-review" }))).await.expect(200);
        act(&app, "move", 1, and(drag("in-review", "done"), json!({ "actor": "ann" }))).await.expect(200);
        assert_eq!(app.db.texts("SELECT end_reason FROM claims").await, ["issue_ended"]);
        let row = audited(&app, "claim_ended").await;
        assert_eq!(row["actor"], "ann");
        assert!(row["notes"].as_str().unwrap().starts_with("coder held it since"), "{row}");
        let late = act(&app, "status", 1, and(work, json!({ "status": "in-progress" }))).await.expect(409);
        assert_eq!(late["code"], "claim_lost");
        assert_labels(&app, 1, &["agent/coder", "bug", "status/done"]).await;
        app.next_beat("coder").await;
        assert_eq!(count_audited(&app, "claim_ended").await, 1, "what comes back is no second end");
    }

    async fn a_closed_card_stays_done(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        let refused = act(&app, "move", 1, drag("done", "ready")).await.expect(400);
        assert_eq!((&refused["error"], &refused["field"]), (&json!("Cannot move a closed issue: it is done until it is opened again"), &json!("issueId")));
        act(&app, "move", 1, drag("done", "done")).await.expect(200);
        assert_eq!(count_audited(&app, "move_issue").await, 1);
    }

    async fn a_card_is_moved_while_github_is_down(db) {
        let app = with_issues(db, 1).await;
        app.tick();
        let down = app.sim.fault(github_sim::Fault::new(github_sim::FaultKind::Status(502)));
        act(&app, "move", 1, drag("ready", "in-progress")).await.expect(200);
        assert_eq!(shown(&app, 1).await, ["bug", "status/in-progress"]);
        assert_eq!(at_github(&app, 1), ["bug", "status/ready"]);
        app.sim.clear_fault(down);
        app.advance(Duration::from_mins(20));
        settle(&app).await;
        assert_labels(&app, 1, &["bug", "status/in-progress"]).await;
    }
}
