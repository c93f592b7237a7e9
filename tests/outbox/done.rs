//! An issue that is seen to close gets `status/done`; what was closed before Dispatch came is left alone.

use std::{sync::Arc, time::Duration};

use dispatch::{domain::labels::Rules, engine::Writes};
use github_sim::{Fault, FaultKind, Match, NewIssue};
use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{AppBuilder, world},
};

each_db! {
    async fn an_issue_seen_to_close_is_done_there_too(db) {
        let app = with_issues(db, 2).await;
        let repo = app.sim.repo(API);
        repo.add_label(1, "Status/In-Review");
        repo.add_label(1, "bug");
        app.next_beat("coder").await;
        app.tick();
        repo.close_issue(1);
        let beat = app.beat("coder").await;
        assert!(beat["summary"].as_str().unwrap().contains("1 changed"), "{beat}");
        assert_eq!(there(&app, 1).labels, ["bug", "status/done"]);
        let rows = app.get("/api/audit").await.expect(200);
        let row = &rows[0];
        assert_eq!((&row["action"], &row["actor"], &row["issueNumber"]), (&json!("mark_done"), &json!("system"), &json!(1)));
        assert_eq!(row["beforeLabels"], json!(["status/ready", "Status/In-Review", "bug"]));
        assert_eq!(row["afterLabels"], json!(["bug", "status/done"]));
        let still = app.next_beat("coder").await;
        assert!(still["summary"].as_str().unwrap().contains("0 issues touched"), "our own writes are no news: {still}");
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits").await, 0, "GitHub has told it all");
        assert_eq!(there(&app, 2).labels, ["status/ready"]);
    }

    async fn what_is_done_already_is_left_alone(db) {
        let app = with_issues(db, 1).await;
        let repo = app.sim.repo(API);
        repo.remove_label(1, "status/ready");
        repo.add_label(1, "STATUS/Done");
        repo.close_issue(1);
        app.sim.reset_counters();
        app.next_beat("coder").await;
        assert_eq!(app.sim.counters().writes, 0);
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE action = 'mark_done'").await, 0);
    }

    async fn the_first_read_rewrites_no_history(db) {
        let mut builder = AppBuilder { repos: vec![API.to_owned()], ..AppBuilder::default() };
        let (sim, clock) = builder.simulator().await;
        let repo = sim.create_repo(API);
        repo.seed(5, |n| NewIssue::new(format!("Old {n}")).label("status/ready"));
        (1..=5).for_each(|number| repo.close_issue(number));
        let app = builder.start_with(Arc::new(db), sim, clock).await;
        for _ in 0..3 {
            app.next_beat("coder").await;
        }
        assert_eq!(app.sim.counters().writes, 0);
        assert_eq!(there(&app, 1).labels, ["status/ready"]);
        // Its later life is ours to see.
        repo.reopen_issue(1);
        app.next_beat("coder").await;
        repo.close_issue(1);
        app.next_beat("coder").await;
        assert_eq!(there(&app, 1).labels, ["status/done"]);
    }

    async fn an_issue_that_opens_again_before_github_is_told_is_not_done(db) {
        let app = with_issues(db, 1).await;
        // Nothing is sent, as after a refused permission.
        let comment = wish(&app.engine, 1, Wish::Comment("x")).await;
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Read);
        publish(&app).await;
        app.post(&format!("/api/outbox/{comment}/discard"), json!({})).await.expect(200);
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        let pending = "SELECT count(*) FROM label_edits WHERE state = 'pending'";
        assert_eq!((app.db.count(pending).await, shown(&app, 1).await["labels"].clone()), (2, json!(["status/done"])));
        app.sim.repo(API).reopen_issue(1);
        app.next_beat("coder").await;
        assert_eq!((app.db.count(pending).await, shown(&app, 1).await["labels"].clone()), (0, json!(["status/ready"])));
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Write);
        app.advance(Duration::from_hours(2));
        app.beat("coder").await;
        assert_eq!(there(&app, 1).labels, ["status/ready"], "no label is lost that nobody removed");
        let rows = app.get("/api/audit").await.expect(200);
        assert_eq!((&rows[0]["action"], &rows[0]["success"]), (&json!("mark_done"), &json!(false)));
    }

    async fn what_github_never_looked_at_is_taken_back_too(db) {
        let app = with_issues(db, 1).await;
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Read);
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        assert!(app.sim.counters().writes > 0, "it was tried, and refused");
        app.sim.repo(API).reopen_issue(1);
        app.next_beat("coder").await;
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits").await, 0);
        app.sim.token_permission(&app.sim.token(), github_sim::Permission::Write);
        app.advance(Duration::from_hours(2));
        app.beat("coder").await;
        assert_eq!((there(&app, 1).labels, shown(&app, 1).await["labels"].clone()), (vec!["status/ready".to_owned()], json!(["status/ready"])));
    }

    async fn what_github_may_have_been_told_is_taken_back_there(db) {
        let builder = AppBuilder { request_timeout: Duration::from_millis(600), ..AppBuilder::default() };
        let app = built(builder, db, 1).await;
        app.sim.fault(Fault::new(FaultKind::LostAnswer).on(Match::path_contains("/labels")).times(2));
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        assert_eq!(there(&app, 1).labels, ["status/done"], "nobody knows");
        app.sim.repo(API).reopen_issue(1);
        app.next_beat("coder").await;
        assert_eq!(shown(&app, 1).await["labels"], json!(["status/ready"]));
        app.advance(Duration::from_mins(1));
        app.next_beat("coder").await;
        app.next_beat("coder").await;
        assert_eq!(there(&app, 1).labels, ["status/ready"]);
        assert_eq!(app.db.count("SELECT count(*) FROM label_edits WHERE state = 'pending'").await, 0);
        world::assert_same(&app, API).await;
    }

    async fn a_read_that_began_before_we_closed_it_does_not_undo_that_it_is_done(db) {
        let app = with_issues(db, 1).await;
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/labels")));
        app.tick();
        wish(&app.engine, 1, Wish::Close).await;
        publish(&app).await;
        assert!(!there(&app, 1).is_open());
        let pending = "SELECT count(*) FROM label_edits WHERE state = 'pending'";
        assert_eq!(app.db.count(pending).await, 2);
        app.sim.repo(API).reopen_issue(1);
        app.beat("coder").await;
        assert_eq!((app.db.count(pending).await, &shown(&app, 1).await["state"]), (2, &json!("closed")));
        let taken_back = "SELECT count(*) FROM audit_log WHERE action = 'mark_done' AND success = FALSE";
        assert_eq!(app.db.count(taken_back).await, 0);
        // A read that knows finds it as it was, and that is open.
        app.next_beat("coder").await;
        assert_eq!((app.db.count(pending).await, &shown(&app, 1).await["state"]), (2, &json!("open")));
        assert_eq!(shown(&app, 1).await["labels"], json!(["status/ready"]), "the opposite is wanted");
        assert_eq!(app.db.count(taken_back).await, 1);
    }

    async fn what_is_excluded_is_not_written_to(db) {
        let mut builder = AppBuilder::default();
        builder.engine.rules = Rules::new(["hidden"]);
        let app = built(builder, db, 1).await;
        app.sim.repo(API).add_label(1, "hidden");
        app.next_beat("coder").await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        assert_eq!(app.sim.counters().writes, 0);
    }

    async fn the_claim_of_an_issue_that_we_close_ends_at_once(db) {
        let app = with_issues(db, 1).await;
        let state = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200);
        let body = json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": 1, "agentName": "coder" });
        app.post("/api/issues/claim", body).await.expect(200);
        wish(&app.engine, 1, Wish::Close).await;
        assert_eq!(app.db.texts("SELECT end_reason FROM claims").await, ["issue_ended"]);
    }

    async fn writes_turned_off_are_recorded_listed_and_never_sent(db) {
        let mut builder = AppBuilder::default();
        builder.engine.writes = Writes { enabled: false, interval: Duration::ZERO };
        let app = built(builder, db, 2).await;
        for want in [Wish::Comment("c"), Wish::Title("t"), Wish::Close, Wish::Create("new")] {
            wish(&app.engine, 1, want).await;
        }
        app.sim.repo(API).close_issue(2);
        let beat = app.next_beat("coder").await;
        assert!(beat["summary"].as_str().unwrap().ends_with("0 writes sent, 6 pending"), "{beat}");
        let listed = app.get("/api/outbox?state=pending").await.expect(200);
        let mut kinds: Vec<_> = listed.as_array().expect("a list").iter().map(|entry| entry["kind"].as_str().expect("a kind")).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["comment", "create_issue", "edit", "edit", "label", "label"]);
        let id = listed[0]["id"].as_str().expect("an id");
        let retried = app.post(&format!("/api/outbox/{id}/retry"), json!({})).await.expect(200);
        assert_eq!((&retried["state"], &retried["attempts"]), (&json!("pending"), &json!(0)));
        assert_eq!(app.sim.counters().writes, 0);
    }
}
