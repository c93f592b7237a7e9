//! Label edits on their way: the overlay over what GitHub says, and what becomes of them.

use std::time::Duration;

use dispatch::engine::Writes;
use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{AppBuilder, answers::strings},
};

/// No write gets through until the fault is cleared.
fn broken(app: &crate::support::App) -> github_sim::FaultId {
    app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/labels")))
}

each_db! {
    async fn what_github_has_not_heard_shows_all_the_same_and_is_sent_later(db) {
        let app = with_issues(db, 1).await;
        let fault = broken(&app);
        claim(&app, 1, "coder").await.expect(200);
        assert_eq!(shown(&app, 1).await, ["agent/coder", "bug", "status/in-progress"]);
        assert_eq!(at_github(&app, 1), ["bug", "status/ready"]);
        let beat = app.next_beat("coder").await;
        assert!(beat["summary"].as_str().unwrap().ends_with("0 writes sent, 3 pending"), "{beat}");
        app.sim.clear_fault(fault);
        app.advance(Duration::from_mins(1));
        let beat = app.beat("coder").await;
        assert!(beat["summary"].as_str().unwrap().ends_with("3 writes sent, 0 pending"), "{beat}");
        assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
        let still = app.next_beat("coder").await;
        assert!(still["summary"].as_str().unwrap().contains("0 issues touched"), "our own writes are no news: {still}");
    }

    async fn a_label_that_github_does_not_take_was_removed_by_nobody(db) {
        let app = with_issues(db, 1).await;
        app.sim.fault(Fault::new(FaultKind::Status(422)).on(Match::kind("labels.add")));
        claim(&app, 1, "coder").await.expect(200);
        for _ in 0..3 {
            app.advance(Duration::from_mins(1));
            app.beat("coder").await;
        }
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits WHERE state = 'parked'").await, 2);
        app.sim.repo(API).set_title(1, "Another");
        app.next_beat("other").await;
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 1);
        app.sim.repo(API).add_label(1, "agent/other");
        app.next_beat("other").await;
        assert_eq!(app.db.texts("SELECT end_reason FROM claims").await, ["revoked"], "it is another's now");
    }

    async fn what_githubs_lists_do_not_show_yet_is_not_undone(db) {
        let app = with_issues(db, 1).await;
        claim(&app, 1, "coder").await.expect(200);
        // As a list that lags behind shows it.
        app.sim.repo(API).remove_label(1, "agent/coder");
        app.advance(Duration::from_secs(2));
        app.beat("other").await;
        assert_eq!(shown(&app, 1).await, ["agent/coder", "bug", "status/in-progress"]);
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 1);
        app.advance(Duration::from_secs(4));
        app.beat("other").await;
        assert_eq!(app.db.texts("SELECT end_reason FROM claims").await, ["revoked"]);
    }

    async fn a_person_who_edits_meanwhile_keeps_what_we_do_not_want(db) {
        let app = with_issues(db, 1).await;
        let fault = broken(&app);
        claim(&app, 1, "coder").await.expect(200);
        app.sim.repo(API).add_label(1, "urgent");
        app.sim.repo(API).remove_label(1, "bug");
        app.next_beat("coder").await;
        assert_eq!(shown(&app, 1).await, ["agent/coder", "status/in-progress", "urgent"]);
        app.sim.clear_fault(fault);
        app.advance(Duration::from_mins(1));
        app.beat("coder").await;
        assert_labels(&app, 1, &["agent/coder", "status/in-progress", "urgent"]).await;
    }

    async fn once_settled_and_read_a_person_may_undo_it(db) {
        let app = with_issues(db, 1).await;
        claim(&app, 1, "coder").await.expect(200);
        app.next_beat("coder").await;
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits").await, 0, "GitHub has told it all");
        app.sim.repo(API).remove_label(1, "status/in-progress");
        app.sim.repo(API).add_label(1, "status/backlog");
        app.next_beat("coder").await;
        assert_labels(&app, 1, &["agent/coder", "bug", "status/backlog"]).await;
    }

    async fn an_edit_that_changed_while_it_waited_is_sent_as_it_is_now(db) {
        let app = with_issues(db, 1).await;
        let fault = broken(&app);
        claim(&app, 1, "coder").await.expect(200);
        app.tick();
        unclaim(&app, 1, "coder").await.expect(200);
        app.tick();
        claim(&app, 1, "other").await.expect(200);
        app.sim.clear_fault(fault);
        app.advance(Duration::from_mins(1));
        app.beat("x").await;
        assert_labels(&app, 1, &["agent/other", "bug", "status/in-progress"]).await;
    }

    async fn a_refused_permission_stops_all_writes_with_one_warning(db) {
        let app = with_issues(db, 2).await;
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Read);
        claim(&app, 1, "coder").await.expect(200);
        claim(&app, 2, "coder").await.expect(200);
        app.sim.reset_counters();
        let beat = app.next_beat("coder").await;
        let warnings = strings(&beat["warnings"]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("may not write to issues (403)"), "{warnings:?}");
        assert_eq!(app.sim.counters().writes, 0, "not tried again within the hour");
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Write);
        app.advance(Duration::from_mins(61));
        app.beat("coder").await;
        assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
        assert_labels(&app, 2, &["agent/coder", "bug", "status/in-progress"]).await;
    }

    async fn a_deleted_issue_parks_its_edits(db) {
        let app = with_issues(db, 1).await;
        let fault = broken(&app);
        claim(&app, 1, "coder").await.expect(200);
        app.sim.clear_fault(fault);
        app.sim.repo(API).delete_issue(1);
        let hidden = app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::method("GET")));
        app.sim.reset_counters();
        app.advance(Duration::from_mins(1));
        let beat = app.beat("coder").await;
        assert!(strings(&beat["warnings"]).iter().any(|warning| warning.starts_with("publish: acme/api#1: ")), "{beat}");
        let said = strings(&beat["warnings"]).iter().filter(|line| line.starts_with("publish: ")).count();
        let tried = app.sim.requests().iter().filter(|request| request.path_and_query.contains("/labels")).count();
        assert_eq!((said, tried), (1, 1), "one refusal ends it for this issue");
        assert_eq!(app.db.texts("SELECT DISTINCT state FROM label_edits").await, ["parked"]);
        app.sim.clear_fault(hidden);
    }

    async fn what_is_settled_and_what_fences_were_is_forgotten_after_a_day(db) {
        let app = with_issues(db, 1).await;
        let first = claim(&app, 1, "coder").await.expect(200);
        app.next_beat("coder").await;
        // An edit that changed nothing at GitHub: no read ever tells of it.
        app.db
            .sql(
                "INSERT INTO label_edits (issue_id, label_key, label, wanted, version, state, settled_at, next_try_at,
                    created_at) SELECT id, 'bug', 'bug', TRUE, 1, 'settled', 5, 5, 5 FROM issues",
            )
            .await;
        assert_eq!(app.prune().await, 1, "settled long ago, and confirmed since");
        assert_eq!(app.db.count("SELECT count(*) FROM fences").await, 1, "not a day old");
        app.advance(Duration::from_hours(25));
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits").await, 0);
        assert_eq!(app.db.count("SELECT count(*) FROM fences").await, 0);
        let stolen = and(named(&app, 1, "other").await, json!({ "force": true }));
        let second = app.post("/api/issues/claim", stolen).await.expect(200);
        assert!(second["fence"].as_i64() > first["fence"].as_i64(), "no fence is used twice");
    }

    async fn writes_keep_their_pace(db) {
        let mut builder = AppBuilder::default();
        builder.engine.writes = Writes { enabled: true, interval: Duration::from_secs(1) };
        let app = built(builder, db, 12).await;
        for number in 1..=12 {
            claim(&app, number, "coder").await.expect(200);
        }
        let sent = app.sim.counters().writes;
        assert!((10..=11).contains(&sent), "a burst of ten: {sent}");
        app.advance(Duration::from_secs(10));
        app.beat("coder").await;
        assert!(app.sim.counters().writes <= sent + 11);
        for _ in 0..4 {
            app.advance(Duration::from_secs(10));
            app.beat("coder").await;
        }
        for number in 1..=12 {
            assert_labels(&app, number, &["agent/coder", "bug", "status/in-progress"]).await;
        }
    }

    async fn writes_turned_off_are_recorded_and_never_sent(db) {
        let mut builder = AppBuilder::default();
        builder.engine.writes = Writes { enabled: false, interval: Duration::ZERO };
        let app = built(builder, db, 1).await;
        claim(&app, 1, "coder").await.expect(200);
        let beat = app.next_beat("coder").await;
        assert!(beat["summary"].as_str().unwrap().ends_with("0 writes sent, 3 pending"), "{beat}");
        assert_eq!(at_github(&app, 1), ["bug", "status/ready"]);
        assert_eq!(shown(&app, 1).await, ["agent/coder", "bug", "status/in-progress"]);
        let refused = claim(&app, 1, "other").await.expect(409);
        assert_eq!(refused["error"], json!("Issue is actively leased to coder. Use force=true to override."));
    }
}
