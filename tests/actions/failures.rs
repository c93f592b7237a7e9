//! Every change x every failure of GitHub: what is answered, shown, recorded and audited, and what becomes of it.

use std::time::Duration;

use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, answers::strings, world},
};

/// What an issue has at first.
const FIRST: [&str; 4] = ["agent/old", "bug", "owner/old", "status/backlog"];

/// A change that GitHub is to have.
struct Change {
    path: &'static str,
    more: fn() -> Value,
    audit: &'static str,
    /// The labels that it leads to; none for a comment.
    leads_to: Option<[&'static str; 4]>,
}

const fn change(path: &'static str, more: fn() -> Value, audit: &'static str) -> Change {
    Change { path, more, audit, leads_to: None }
}

impl Change {
    const fn to(self, labels: [&'static str; 4]) -> Self {
        Self { leads_to: Some(labels), ..self }
    }
}

/// An empty name is no label.
fn changes() -> [Change; 9] {
    let old = ["agent/old", "bug", "owner/old"];
    [
        change("move", || drag("backlog", "in-progress"), "move_issue").to([
            old[0],
            old[1],
            old[2],
            "status/in-progress",
        ]),
        change("label", || json!({ "label": "bug", "action": "remove" }), "remove_label")
            .to(["", old[0], old[2], FIRST[3]]),
        change("label", || json!({ "label": "new" }), "add_label"),
        change("unlabel", || json!({ "label": "BUG" }), "remove_label").to(["", old[0], old[2], FIRST[3]]),
        change("comment", || json!({ "body": "Hello" }), "add_comment"),
        change("actions", || json!({ "action": "assign_agent", "value": "agent/new" }), "assign_agent").to([
            "agent/new",
            old[1],
            old[2],
            FIRST[3],
        ]),
        change("actions", || json!({ "action": "assign_owner", "value": "owner/new" }), "assign_owner").to([
            old[0],
            old[1],
            "owner/new",
            FIRST[3],
        ]),
        change("unassign", || json!({ "action": "unassign_agent" }), "unassign_agent")
            .to(["", old[1], old[2], FIRST[3]]),
        change("groom", || json!({ "action": "promote_to_ready", "actor": "ann" }), "issue_groomed_promote")
            .to([old[0], old[1], old[2], "status/ready"]),
    ]
}

/// What becomes of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It waits, and nothing else goes out for an hour.
    Stops,
    Parks,
    /// It is tried twice more, then parked.
    ParksLater,
    /// It is tried again.
    Waits,
}

fn faults() -> [(FaultKind, Then, &'static str); 9] {
    use Then::{Parks, ParksLater, Stops, Waits};
    let archived =
        json!({ "message": "Repository was archived so is read-only.", "status": "403" }).to_string();
    [
        (FaultKind::Forbidden, Stops, "GitHub answered 403"),
        (FaultKind::StatusWithBody(403, archived), Parks, "the repository is archived"),
        (FaultKind::Status(404), Parks, "it is not there"),
        (FaultKind::Status(410), Parks, "the issue was deleted"),
        (FaultKind::Status(422), ParksLater, "GitHub does not take it (it answered 422)"),
        (FaultKind::Status(500), Waits, "GitHub failed with 500"),
        (FaultKind::Status(503), Waits, "GitHub failed with 503"),
        (FaultKind::Delay(Duration::from_secs(2)), Waits, "GitHub did not answer in time"),
        (FaultKind::LostAnswer, Waits, "the connection to GitHub failed"),
    ]
}

struct Case<'a> {
    app: &'a App,
    change: &'a Change,
    number: i64,
}

impl Case<'_> {
    fn writes(&self) -> Match {
        let path = if self.change.path == "comment" { "/comments" } else { "/labels" };
        Match::path_contains(format!("/issues/{}{path}", self.number))
    }

    /// The labels at the end.
    fn end(&self) -> Vec<String> {
        let added = self.change.audit == "add_label";
        let labels = self.change.leads_to.unwrap_or(FIRST);
        let more = added.then_some("new");
        sorted(labels.into_iter().chain(more).filter(|label| !label.is_empty()).map(str::to_owned).collect())
    }

    async fn entries(&self) -> Vec<Value> {
        let entries = self.app.get("/api/outbox").await.expect(200);
        entries
            .as_array()
            .expect("a list")
            .iter()
            .filter(|entry| entry["issueNumber"] == self.number)
            .cloned()
            .collect()
    }

    async fn states(&self) -> Vec<String> {
        let mut states: Vec<String> = self
            .entries()
            .await
            .iter()
            .map(|entry| entry["state"].as_str().expect("a state").to_owned())
            .collect();
        states.sort();
        states.dedup();
        states
    }

    async fn assert_shown(&self, wish: bool, what: &str) {
        let want = if wish { self.end() } else { FIRST.map(str::to_owned).to_vec() };
        assert_eq!(shown(self.app, self.number).await, want, "{what}: the overlay");
    }

    fn assert_there(&self, wish: bool, what: &str) {
        let want = if wish { self.end() } else { FIRST.map(str::to_owned).to_vec() };
        assert_eq!(at_github(self.app, self.number), want, "{what}: GitHub");
        if self.change.path == "comment" {
            let number = u64::try_from(self.number).expect("a number");
            assert_eq!(self.app.sim.repo(API).comments(number).len(), usize::from(wish), "{what}: comments");
        }
    }

    async fn retry_all(&self) {
        for entry in self.entries().await.iter().filter(|entry| entry["state"] == "parked") {
            self.app
                .post(&format!("/api/outbox/{}/retry", entry["id"].as_str().expect("an id")), json!({}))
                .await;
        }
    }

    async fn run(&self, (fault, then, says): (FaultKind, Then, &str)) {
        let what = format!("{} {} x {fault:?}", self.change.path, self.change.audit);
        let struck = self.app.sim.fault(Fault::new(fault).on(self.writes()));
        let asked = act(self.app, self.change.path, self.number, (self.change.more)()).await.expect(200);
        assert!(self.app.sim.fault_hits(struck) > 0, "{what}");
        assert_eq!(asked["success"], true, "{what}");
        match asked.get("labels") {
            Some(labels) => assert_eq!(sorted(strings(labels)), self.end(), "{what}"),
            None => assert_eq!(asked["url"], json!(null), "{what}"),
        }
        let errors: Vec<_> = self.entries().await.iter().map(|entry| entry["error"].clone()).collect();
        assert!(
            errors.iter().any(|error| error.as_str().is_some_and(|error| error.starts_with(says))),
            "{what}: {errors:?}"
        );
        for _ in 0..6 {
            if then != Then::ParksLater || self.states().await == ["parked"] {
                break;
            }
            self.assert_shown(true, &what).await;
            self.app.advance(Duration::from_mins(1));
            dispatch::engine::publish::publish(&self.app.engine).await.expect("the database");
        }
        let parks = matches!(then, Then::Parks | Then::ParksLater);
        assert_eq!(self.states().await, [if parks { "parked" } else { "pending" }], "{what}");
        self.assert_shown(!parks, &what).await;
        self.app.sim.clear_fault(struck);
        if then == Then::Stops {
            self.app.advance(Duration::from_mins(30));
            dispatch::engine::publish::publish(&self.app.engine).await.expect("the database");
            self.assert_there(false, &what);
        }
        self.app.advance(Duration::from_mins(61));
        dispatch::engine::publish::publish(&self.app.engine).await.expect("the database");
        if parks {
            self.assert_there(false, &what);
            self.retry_all().await;
        }
        self.assert_there(true, &what);
        self.assert_shown(true, &what).await;
        assert_eq!(self.states().await, ["settled"], "{what}");
        let rows = format!(
            "SELECT count(*) FROM audit_log WHERE action = '{}' AND issue_number = {} AND success = TRUE",
            self.change.audit, self.number
        );
        assert_eq!(self.app.db.count(&rows).await, 1, "{what}: one row, written with the wish");
    }
}

each_db! {
    async fn every_change_meets_every_failure(db) {
        let builder = AppBuilder { request_timeout: Duration::from_millis(600), ..AppBuilder::default() };
        let app = built(builder, db, changes().len() * faults().len(), &FIRST).await;
        let mut number = 0;
        for change in changes() {
            for fault in faults() {
                number += 1;
                Case { app: &app, change: &change, number }.run(fault).await;
            }
        }
        let failed = "SELECT count(*) FROM audit_log WHERE success = FALSE";
        assert_eq!(app.db.count(failed).await, 0);
        app.next_beat("coder").await;
        app.next_beat("coder").await;
        world::assert_same(&app, API).await;
    }

    async fn what_github_need_not_know_is_done_without_it(db) {
        let app = with_issues(db, 1).await;
        app.sim.fault(Fault::new(FaultKind::Status(502)));
        app.advance(Duration::from_hours(1));
        app.sim.reset_counters();
        for (action, reason) in [("escalate", "x"), ("mark_not_ready", "notReadyReason"), ("mark_needs_info", "needsInfoReason"), ("mark_blocked", "blockedReason")] {
            groom(&app, 1, action, json!({ reason: "why" })).await.expect(200);
        }
        let split = json!({ "repo": API, "issueNumber": 1, "decomposed": true, "actor": "ann" });
        app.post("/api/issues/actions/decompose", split).await.expect(200);
        assert_eq!(app.sim.counters().requests, 0);
    }

    async fn no_audit_row_no_change(db) {
        let app = built(AppBuilder::default(), db, 1, &FIRST).await;
        let before = row(&app, 1).await;
        app.sim.reset_counters();
        app.db.sql("ALTER TABLE audit_log RENAME TO elsewhere").await;
        let mut asked: Vec<(&str, Value)> = changes().iter().map(|change| (change.path, (change.more)())).collect();
        asked.push(("groom", json!({ "action": "escalate", "actor": "ann" })));
        asked.push(("actions/decompose", json!({ "repo": API, "decomposed": true, "actor": "ann" })));
        for (path, more) in asked {
            let refused = act(&app, path, 1, more).await.expect(503);
            assert_eq!(refused["code"], "database_failed", "{path}");
        }
        app.db.sql("ALTER TABLE elsewhere RENAME TO audit_log").await;
        assert_eq!(row(&app, 1).await, before);
        for table in ["label_edits", "outbox", "lane_history", "audit_log"] {
            assert_eq!(app.db.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        assert_eq!(app.sim.counters().writes, 0);
        act(&app, "label", 1, json!({ "label": "x" })).await.expect(200);
    }

    async fn with_writes_turned_off_all_is_recorded_and_nothing_sent(db) {
        let mut builder = AppBuilder::default();
        builder.engine.writes.enabled = false;
        let app = built(builder, db, 1, &FIRST).await;
        for change in changes().iter().filter(|change| change.path != "groom") {
            act(&app, change.path, 1, (change.more)()).await;
        }
        assert_eq!((app.sim.counters().writes, at_github(&app, 1)), (0, FIRST.map(str::to_owned).to_vec()));
        assert_eq!(shown(&app, 1).await, ["new", "owner/new", "status/in-progress"]);
    }
}
