//! Comments.

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match};
use serde_json::json;

use super::field::*;
use crate::{each_db, support::AppBuilder};

each_db! {
    async fn a_comment_is_posted_as_it_is(db) {
        let app = with_issues(db, 1).await;
        let text = "Done by @ann, see #2\n\n> quoted  ";
        let said = act(&app, "comment", 1, json!({ "body": text, "actor": "ann", "agentName": "coder" })).await.expect(200);
        let there = app.sim.repo(API).comments(1);
        assert_eq!(there.len(), 1);
        assert!(there[0].body.starts_with("Done by @ann, see #2\n\n> quoted"), "{}", there[0].body);
        assert!(said["url"].as_str().unwrap().contains(&there[0].id.to_string()), "{said}");
        assert_eq!((&said["success"], &said["state"]), (&json!(true), &json!("settled")));
        let row = audited(&app, "add_comment").await;
        assert_eq!((&row["actor"], &row["agent"], &row["notes"]), (&json!("ann"), &json!("coder"), &json!(text)));
        let entry = app.get("/api/outbox").await.expect(200)[0].clone();
        assert_eq!((&entry["id"], &entry["actor"], &entry["agentName"]), (&said["outboxId"], &json!("ann"), &json!("coder")));
        app.next_beat("coder").await;
        assert_eq!(row_comments(&app).await, 1);
    }

    async fn the_same_again_is_said_again(db) {
        let app = with_issues(db, 1).await;
        for _ in 0..2 {
            act(&app, "comment", 1, json!({ "body": "Ping" })).await.expect(200);
        }
        assert_eq!((app.sim.repo(API).comments(1).len(), count_audited(&app, "add_comment").await), (2, 2));
    }

    async fn a_comment_whose_answer_is_lost_is_there_once(db) {
        let builder = AppBuilder { request_timeout: Duration::from_millis(600), ..AppBuilder::default() };
        let app = built(builder, db, 1, &[]).await;
        app.sim.fault(Fault::new(FaultKind::LostAnswer).on(Match::kind("comments.create")).times(1));
        let said = act(&app, "comment", 1, json!({ "body": "Once" })).await.expect(200);
        assert_eq!((&said["url"], &said["state"]), (&json!(null), &json!("pending")));
        app.advance(Duration::from_mins(5));
        settle(&app).await;
        assert_eq!(app.sim.repo(API).comments(1).len(), 1);
        let entry = app.get("/api/outbox").await.expect(200)[0].clone();
        assert_eq!((&entry["id"], &entry["state"]), (&said["outboxId"], &json!("settled")));
    }

    async fn closed_issues_take_comments(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).close_issue(1);
        app.next_beat("coder").await;
        act(&app, "comment", 1, json!({ "body": "Thanks" })).await.expect(200);
        assert_eq!(app.sim.repo(API).comments(1).len(), 1);
    }
}

async fn row_comments(app: &crate::support::App) -> i64 {
    row(app, 1).await["commentsCount"].as_i64().expect("a count")
}
