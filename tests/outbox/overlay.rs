//! What is wanted shows at once, and until GitHub says the same.

use dispatch::engine::publish as verb;
use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use super::field::*;
use crate::{each_db, support::App};

/// No edit gets through until the fault is cleared.
fn broken(app: &App) -> github_sim::FaultId {
    app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::kind("issues.update")))
}

each_db! {
    async fn edits_show_at_once_and_are_sent(db) {
        let app = with_issues(db, 1).await;
        wish(&app.engine, 1, Wish::Title("Better")).await;
        wish(&app.engine, 1, Wish::Body("Clear")).await;
        wish(&app.engine, 1, Wish::Close).await;
        let now = shown(&app, 1).await;
        assert_eq!((&now["title"], &now["body"], &now["state"]), (&json!("Better"), &json!("Clear"), &json!("closed")));
        assert_eq!(now["labels"], json!(["status/done"]));
        assert_eq!(there(&app, 1).title, "Issue 0");
        let id = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200)["issueId"].clone();
        verb::now(&app.engine, &dispatch::domain::ids::IssueId(id.as_str().expect("an id").into())).await;
        let issue = there(&app, 1);
        assert_eq!((issue.title.as_str(), issue.body.as_deref(), issue.is_open()), ("Better", Some("Clear"), false));
        assert_eq!(issue.state_reason, Some(github_sim::StateReason::NotPlanned));
        let beat = app.next_beat("coder").await;
        assert!(beat["summary"].as_str().unwrap().contains("0 issues touched"), "our own writes are no news: {beat}");
        assert_eq!(there(&app, 1).labels, ["status/done"], "closed by ourselves alike");
        app.next_beat("coder").await;
        assert_eq!(app.db.count("SELECT count(*) FROM outbox WHERE lies_over").await, 0, "GitHub has told it all");
        assert_eq!(shown(&app, 1).await["title"], "Better");
    }

    async fn a_read_that_began_before_does_not_take_it_back(db) {
        let app = with_issues(db, 1).await;
        let fault = broken(&app);
        wish(&app.engine, 1, Wish::Title("Ours")).await;
        wish(&app.engine, 1, Wish::Close).await;
        // GitHub says something else of the title and of other things.
        app.sim.repo(API).set_title(1, "Theirs");
        app.sim.repo(API).set_body(1, "New text");
        app.next_beat("coder").await;
        let now = shown(&app, 1).await;
        assert_eq!((&now["title"], &now["body"], &now["state"]), (&json!("Ours"), &json!("New text"), &json!("closed")));
        app.sim.clear_fault(fault);
        app.advance(std::time::Duration::from_mins(2));
        app.beat("coder").await;
        assert_eq!(there(&app, 1).title, "Ours");
        app.next_beat("coder").await;
        // Settled and told: a person may change it again.
        app.sim.repo(API).set_title(1, "Theirs at last");
        app.sim.repo(API).reopen_issue(1);
        app.next_beat("coder").await;
        let now = shown(&app, 1).await;
        assert_eq!((&now["title"], &now["state"]), (&json!("Theirs at last"), &json!("open")));
    }

    async fn a_closed_issue_is_opened_again(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        wish(&app.engine, 1, Wish::Reopen).await;
        assert_eq!(shown(&app, 1).await["state"], "open");
        app.next_beat("coder").await;
        app.next_beat("coder").await;
        assert!(there(&app, 1).is_open());
        assert_eq!(shown(&app, 1).await["state"], "open");
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE closed_at IS NOT NULL").await, 0);
    }

    async fn what_is_discarded_shows_what_github_said_last(db) {
        let app = with_issues(db, 1).await;
        let _fault = broken(&app);
        let first = wish(&app.engine, 1, Wish::Title("Ours")).await;
        app.sim.repo(API).set_title(1, "Theirs");
        app.next_beat("coder").await;
        let again = wish(&app.engine, 1, Wish::Title("Ours again")).await;
        assert_eq!(first, again, "a newer wish for the title takes the place of the older one");
        assert_eq!(shown(&app, 1).await["title"], "Ours again");
        app.post(&format!("/api/outbox/{again}/discard"), json!({})).await.expect(200);
        assert_eq!(shown(&app, 1).await["title"], "Theirs");
    }

    async fn a_closed_blocker_frees_whoever_waits_for_it_at_once_and_holds_again(db) {
        let app = with_issues(db, 2).await;
        let _fault = broken(&app);
        app.sim.repo(API).set_body(2, "Depends on #1");
        app.next_beat("coder").await;
        let blocked = "SELECT open_blockers FROM issues WHERE number = 2";
        assert_eq!(app.db.count(blocked).await, 1);
        let close = wish(&app.engine, 1, Wish::Close).await;
        assert_eq!(app.db.count(blocked).await, 0, "closed here is closed");
        app.tick();
        app.sim.repo(API).set_title(1, "Changed meanwhile");
        app.beat("coder").await;
        assert_eq!(app.db.count(blocked).await, 0, "a read that does not know yet changes nothing");
        app.post(&format!("/api/outbox/{close}/discard"), json!({})).await.expect(200);
        assert_eq!(app.db.count(blocked).await, 1);
        assert_eq!(shown(&app, 1).await["state"], "open");
    }

    async fn untracking_parks_everything_and_shows_what_github_says(db) {
        let app = with_issues(db, 2).await;
        let _fault = broken(&app);
        let title = wish(&app.engine, 1, Wish::Title("Ours")).await;
        let comment = wish(&app.engine, 2, Wish::Comment("Hello")).await;
        app.delete(&format!("/api/automation/repos/{API}")).await.expect(200);
        for id in [&title, &comment] {
            assert_eq!(state(&app, id).await, "parked");
            let refused = app.post(&format!("/api/outbox/{id}/retry"), json!({})).await.expect(409);
            assert!(refused["error"].as_str().unwrap().starts_with("Its repository is tracked no more"), "{refused}");
        }
        assert_eq!(app.db.texts("SELECT title FROM issues WHERE number = 1").await, ["Issue 0"]);
        app.post("/api/automation/repos", json!({ "fullName": API })).await.expect(201);
        let sent = app.post(&format!("/api/outbox/{comment}/retry"), json!({})).await.expect(200);
        assert_eq!((&sent["state"], comments(&app, 2).len()), (&json!("settled"), 1));
    }
}
