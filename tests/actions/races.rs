//! Wishes that meet: each other, a person at GitHub, an answer that is late.

use std::{sync::Arc, time::Duration};

use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use super::field::*;
use crate::{
    each_db,
    support::{App, MAINTAINER, app::send, world},
};

/// Everything that is asked for at once, each over a connection of its own.
async fn at_once(app: &App, wishes: Vec<(&'static str, Value)>) -> Vec<u16> {
    let gate = Arc::new(Barrier::new(wishes.len()));
    let mut tasks = JoinSet::new();
    for (path, body) in wishes {
        let gate = Arc::clone(&gate);
        let request = app.request("POST", &format!("/api/issues/{path}"), MAINTAINER).body(body.to_string());
        tasks.spawn(async move {
            gate.wait().await;
            send(request).await.status
        });
    }
    tasks.join_all().await
}

/// Runs `second` while GitHub holds its answer to the write that `first` sends.
async fn meanwhile(app: &App, write: Match, first: impl Future<Output = Value>, second: impl AsyncFnOnce()) {
    let held = app.sim.fault(Fault::new(FaultKind::Held).on(write).times(1));
    let then = async {
        while app.sim.fault_hits(held) == 0 {
            tokio::task::yield_now().await;
        }
        second().await;
        app.sim.clear_fault(held);
    };
    tokio::join!(first, then);
    settle(app).await;
}

async fn dragged(app: &App, number: i64, from: &str, to: &str) -> Value {
    act(app, "move", number, drag(from, to)).await.expect(200)
}

/// Every kind of write that a move sends, each to meet an issue of its own.
fn writes_of_a_move() -> [(i64, Match); 2] {
    [(1, Match::method("POST").and(Match::path_contains("/labels"))), (2, Match::method("DELETE"))]
}

each_db! {
    async fn dragged_twice_while_the_first_write_is_on_its_way(db) {
        let app = with_issues(db, 2).await;
        app.tick();
        for (number, write) in writes_of_a_move() {
            meanwhile(&app, write, dragged(&app, number, "ready", "in-progress"), async || {
                dragged(&app, number, "in-progress", "in-review").await;
            }).await;
            assert_labels(&app, number, &["bug", "status/in-review"]).await;
            app.next_beat("coder").await;
            assert_labels(&app, number, &["bug", "status/in-review"]).await;
        }
    }

    async fn dragged_there_and_back_while_the_first_write_is_on_its_way(db) {
        let app = with_issues(db, 2).await;
        app.tick();
        for (number, write) in writes_of_a_move() {
            meanwhile(&app, write, dragged(&app, number, "ready", "in-progress"), async || {
                dragged(&app, number, "in-progress", "ready").await;
            }).await;
            assert_labels(&app, number, &["bug", "status/ready"]).await;
            app.next_beat("coder").await;
            assert_labels(&app, number, &["bug", "status/ready"]).await;
        }
    }

    async fn a_person_who_labels_while_a_card_is_dragged_loses_nothing(db) {
        let app = with_issues(db, 1).await;
        app.tick();
        meanwhile(&app, Match::method("POST").and(Match::path_contains("/labels")), dragged(&app, 1, "ready", "in-progress"), async || {
            app.sim.repo(API).add_label(1, "urgent");
            app.sim.repo(API).remove_label(1, "bug");
            app.next_beat("reader").await;
            dragged(&app, 1, "in-progress", "in-review").await;
        }).await;
        assert_eq!(at_github(&app, 1), ["status/in-review", "urgent"]);
        app.next_beat("coder").await;
        assert_labels(&app, 1, &["status/in-review", "urgent"]).await;
    }

    async fn a_person_who_moved_it_before_loses_and_after_wins(db) {
        let app = with_issues(db, 1).await;
        app.tick();
        // Nobody here knows of it yet.
        app.sim.repo(API).remove_label(1, "status/ready");
        app.sim.repo(API).add_label(1, "status/blocked");
        dragged(&app, 1, "ready", "in-progress").await;
        assert_labels(&app, 1, &["bug", "status/in-progress"]).await;
        app.tick();
        app.sim.repo(API).remove_label(1, "status/in-progress");
        app.sim.repo(API).add_label(1, "status/backlog");
        app.next_beat("coder").await;
        assert_labels(&app, 1, &["bug", "status/backlog"]).await;
        world::assert_same(&app, API).await;
    }

    async fn what_a_person_did_while_our_write_waited_is_known_to_the_next_wish(db) {
        let app = with_issues(db, 1).await;
        app.tick();
        let down = app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::path_contains("/labels")));
        dragged(&app, 1, "ready", "in-progress").await;
        app.tick();
        app.sim.repo(API).add_label(1, "urgent");
        app.sim.repo(API).remove_label(1, "status/ready");
        app.sim.repo(API).add_label(1, "status/in-review");
        dragged(&app, 1, "in-progress", "blocked").await;
        app.sim.clear_fault(down);
        app.advance(Duration::from_mins(20));
        settle(&app).await;
        assert_labels(&app, 1, &["bug", "status/blocked", "urgent"]).await;
        app.next_beat("coder").await;
        assert_labels(&app, 1, &["bug", "status/blocked", "urgent"]).await;
    }

    async fn wishes_at_once_leave_one_status_and_every_label(db) {
        let app = with_issues(db, 1).await;
        app.tick();
        let issue = named(&app, 1).await;
        let mut wishes = Vec::new();
        for status in ["backlog", "in-progress", "in-review", "blocked", "ready"] {
            wishes.push(("move", and(issue.clone(), drag("ready", status))));
        }
        for label in ["a", "b", "c", "d"] {
            wishes.push(("label", and(issue.clone(), json!({ "label": label }))));
            wishes.push(("label", and(issue.clone(), json!({ "label": label }))));
        }
        for agent in ["agent/one", "agent/two", "agent/three"] {
            wishes.push(("actions", and(issue.clone(), json!({ "action": "assign_agent", "value": agent }))));
        }
        wishes.push(("unlabel", and(issue.clone(), json!({ "label": "bug" }))));
        let all = i64::try_from(wishes.len()).expect("a count");
        let statuses = at_once(&app, wishes).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        settle(&app).await;
        let labels = at_github(&app, 1);
        let of = |prefix: &str| labels.iter().filter(|label| label.starts_with(prefix)).count();
        assert_eq!((of("status/"), of("agent/"), labels.len()), (1, 1, 6), "{labels:?}");
        assert_eq!((shown(&app, 1).await, labels.contains(&"bug".to_owned())), (labels, false));
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE success = TRUE").await, all);
        app.next_beat("coder").await;
        world::assert_same(&app, API).await;
    }

    async fn comments_at_once_are_all_there_once(db) {
        let app = with_issues(db, 1).await;
        let issue = named(&app, 1).await;
        let wishes: Vec<_> = (0..12).map(|n| ("comment", and(issue.clone(), json!({ "body": format!("Number {n}") })))).collect();
        assert!(at_once(&app, wishes).await.iter().all(|status| *status == 200));
        settle(&app).await;
        let mut said: Vec<String> = app.sim.repo(API).comments(1).into_iter().map(|comment| comment.body.lines().next().unwrap_or_default().to_owned()).collect();
        said.sort();
        said.dedup();
        assert_eq!((said.len(), app.sim.repo(API).comments(1).len()), (12, 12));
    }

    async fn a_claim_and_an_assignment_at_once_leave_one_agent(db) {
        let app = with_issues(db, 8).await;
        for number in 1..=8 {
            let issue = named(&app, number).await;
            let assign = ("actions", and(issue.clone(), json!({ "action": "assign_agent", "value": "agent/two" })));
            let claim = ("claim", and(issue, json!({ "agentName": "one" })));
            let statuses = at_once(&app, vec![assign, claim]).await;
            assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        }
        settle(&app).await;
        for number in 1..=8 {
            let labels = at_github(&app, number);
            assert_eq!(labels.iter().filter(|label| label.starts_with("agent/")).collect::<Vec<_>>(), ["agent/two"], "assigning always replaces");
            assert_eq!(shown(&app, number).await, labels);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 0);
    }
}
