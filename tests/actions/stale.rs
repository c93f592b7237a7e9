//! `If-Match`: who decided on what is not so any more is refused, and changes nothing.

use serde_json::{Value, json};

use super::field::*;
use crate::{each_db, support::App};

/// Every change of an issue, with what it takes.
async fn changes(app: &App) -> Vec<(&'static str, Value)> {
    let issue = named(app, 1).await;
    let with = |more: Value| and(issue.clone(), more);
    let groom = |action: &str| json!({ "repoFullName": API, "issueNumber": 1, "action": action, "actor": "ann", "blockedReason": "x" });
    vec![
        ("move", with(drag("ready", "in-progress"))),
        ("label", with(json!({ "label": "urgent" }))),
        ("unlabel", with(json!({ "label": "bug" }))),
        ("comment", with(json!({ "body": "Hello" }))),
        ("actions", with(json!({ "action": "assign_agent", "value": "agent/coder" }))),
        ("unassign", with(json!({ "action": "unassign_owner" }))),
        ("actions/decompose", json!({ "repo": API, "issueNumber": 1, "decomposed": true, "actor": "ann" })),
        ("groom", groom("promote_to_ready")),
        ("groom", groom("mark_blocked")),
        ("groom", groom("escalate")),
    ]
}

async fn version(app: &App) -> String {
    state(app, 1).await["version"].as_str().expect("a version").to_owned()
}

each_db! {
    async fn every_change_on_an_old_view_is_refused(db) {
        let app = with_issues(db, 1).await;
        app.sim.repo(API).add_label(1, "owner/bob");
        app.next_beat("coder").await;
        for (n, (path, body)) in changes(&app).await.into_iter().enumerate() {
            let seen = version(&app).await;
            act(&app, "label", 1, json!({ "label": format!("before {n}") })).await.expect(200);
            let (before, rows) = (row(&app, 1).await, app.db.count("SELECT count(*) FROM audit_log").await);
            let refused = act_if(&app, path, &body, &format!("\"{seen}\"")).await.expect(412);
            assert_eq!((&refused["code"], &refused["version"]), (&json!("stale"), &before["version"]), "{path}");
            assert_eq!(refused["error"], "acme/api#1 is not as you saw it any more; read it again, and decide anew");
            assert_eq!((row(&app, 1).await, app.db.count("SELECT count(*) FROM audit_log").await), (before, rows), "{path}");
            let now = version(&app).await;
            act_if(&app, path, &body, &format!("\"{seen}\", W/\"{now}\"")).await.expect(200);
        }
        assert_eq!(app.sim.repo(API).comments(1).len(), 1);
    }

    async fn a_version_is_of_what_a_decision_hangs_on(db) {
        let app = with_issues(db, 1).await;
        let first = version(&app).await;
        assert_eq!(row(&app, 1).await["version"], first);
        let shown = app.get(&format!("/api/issues/state?repo={API}&number=1")).await;
        assert_eq!(shown.header("etag"), Some(format!("\"{first}\"").as_str()));
        let repo = app.sim.repo(API);
        repo.comment(1, "mona", "Hi");
        app.next_beat("coder").await;
        repo.touch(1);
        app.next_beat("coder").await;
        assert_eq!(version(&app).await, first, "comments and times are nothing to decide on");
        let mut seen = vec![first];
        let mut another = async |what: &str| {
            app.next_beat("coder").await;
            let now = version(&app).await;
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        repo.set_title(1, "Another");
        another("title").await;
        repo.set_body(1, "Text");
        another("body").await;
        repo.add_label(1, "x");
        another("label").await;
        repo.assign(1, "mona");
        another("assignee").await;
        groom(&app, 1, "escalate", json!({})).await.expect(200);
        another("lane").await;
        groom(&app, 1, "mark_not_ready", json!({ "notReadyReason": "vague" })).await.expect(200);
        another("reason").await;
        let split = json!({ "repo": API, "issueNumber": 1, "decomposed": true, "actor": "ann" });
        app.post("/api/issues/actions/decompose", split).await.expect(200);
        another("split").await;
        repo.close_issue(1);
        another("state").await;
    }

    async fn the_version_of_an_answer_is_good_for_the_next_change(db) {
        let app = with_issues(db, 1).await;
        let mut body = and(named(&app, 1).await, json!({ "label": "a" }));
        let first = act_if(&app, "label", &body, "*").await.expect(200);
        body["label"] = json!("b");
        let seen = first["version"].as_str().unwrap();
        let second = act_if(&app, "label", &body, seen).await.expect(200);
        act_if(&app, "label", &body, seen).await.expect(412);
        app.next_beat("coder").await;
        assert_eq!(second["version"], version(&app).await, "our own writes coming back are no news");
    }

    async fn of_many_who_saw_the_same_one_wins(db) {
        let app = with_issues(db, 1).await;
        let (seen, issue) = (version(&app).await, named(&app, 1).await);
        let moves = ["backlog", "in-progress", "in-review", "blocked", "done"].map(|to| and(issue.clone(), drag("ready", to)));
        let mut tasks = tokio::task::JoinSet::new();
        let gate = std::sync::Arc::new(tokio::sync::Barrier::new(moves.len()));
        for body in moves {
            let (gate, seen) = (std::sync::Arc::clone(&gate), seen.clone());
            let request = app.request("POST", "/api/issues/move", crate::support::MAINTAINER);
            tasks.spawn(async move {
                gate.wait().await;
                crate::support::app::send(request.header("if-match", seen).body(body.to_string())).await.status
            });
        }
        let mut statuses = tasks.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412]);
        settle(&app).await;
        assert_eq!((shown(&app, 1).await, count_audited(&app, "move_issue").await), (at_github(&app, 1), 1));
    }

    async fn a_header_that_names_no_version_is_refused(db) {
        let app = with_issues(db, 1).await;
        let body = and(named(&app, 1).await, json!({ "label": "a" }));
        for nothing in ["", "\"\"", ","] {
            assert_eq!(act_if(&app, "label", &body, nothing).await.expect(400)["field"], "If-Match", "{nothing:?}");
        }
        assert_eq!(shown(&app, 1).await, ["bug", "status/ready"]);
    }
}
