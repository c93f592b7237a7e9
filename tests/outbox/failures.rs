//! Every kind of write meets everything that can go wrong with one.

use std::time::Duration;

use dispatch::domain::ids::OutboxId;
use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, world},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Label,
    Comment,
    Title,
    Body,
    Close,
    Create,
}

const KINDS: [Kind; 6] = [Kind::Label, Kind::Comment, Kind::Title, Kind::Body, Kind::Close, Kind::Create];

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

fn faults() -> [(FaultKind, Then, &'static str); 8] {
    use Then::{Parks, ParksLater, Stops, Waits};
    [
        (FaultKind::Forbidden, Stops, "GitHub answered 403"),
        (FaultKind::StatusWithBody(403, archived()), Parks, "the repository is archived"),
        (FaultKind::Status(404), Parks, "it is not there"),
        (FaultKind::Status(410), Parks, "the issue was deleted"),
        (FaultKind::Status(422), ParksLater, "GitHub does not take it (it answered 422)"),
        (FaultKind::Status(502), Waits, "GitHub failed with 502"),
        (FaultKind::Delay(Duration::from_secs(2)), Waits, "GitHub did not answer in time"),
        (FaultKind::LostAnswer, Waits, "the connection to GitHub failed"),
    ]
}

fn archived() -> String {
    json!({ "message": "Repository was archived so is read-only.", "status": "403" }).to_string()
}

const TITLES: [&str; 8] = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"];
const NEW_TITLES: [&str; 8] = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"];

struct Case<'a> {
    app: &'a App,
    kind: Kind,
    number: u64,
    title: &'static str,
}

impl Case<'_> {
    fn requests(&self) -> Match {
        match self.kind {
            Kind::Label => Match::path_contains("/labels"),
            Kind::Comment => Match::kind("comments.create"),
            Kind::Title | Kind::Body | Kind::Close => Match::kind("issues.update"),
            Kind::Create => Match::kind("issues.create"),
        }
    }

    /// Asks for it, and has it tried once.
    async fn ask(&self) -> OutboxId {
        let want = match self.kind {
            Kind::Label => return self.claim().await,
            Kind::Comment => Wish::Comment("Hello"),
            Kind::Title => Wish::Title(self.title),
            Kind::Body => Wish::Body(self.title),
            Kind::Close => Wish::Close,
            Kind::Create => Wish::Create(self.title),
        };
        let id = wish(&self.app.engine, self.number, want).await;
        publish(self.app).await;
        id
    }

    async fn claim(&self) -> OutboxId {
        let state = format!("/api/issues/state?repo={API}&number={}", self.number);
        let state = self.app.get(&state).await.expect(200);
        let body = json!({ "issueId": state["issueId"], "repoFullName": API, "issueNumber": self.number, "agentName": "coder" });
        self.app.post("/api/issues/claim", body).await.expect(200);
        let labels = self.app.get("/api/outbox?kind=label").await.expect(200);
        let labels = labels.as_array().expect("a list").clone();
        let of_this = labels.into_iter().find(|entry| {
            entry["issueNumber"] == self.number && entry["what"] == "add the label agent/coder"
        });
        OutboxId(of_this.expect("the edit")["id"].as_str().expect("an id").to_owned())
    }

    /// Does the cache show what was asked for?
    async fn is_shown(&self) -> Option<bool> {
        let is = |issue: &Value| match self.kind {
            Kind::Label => issue["labels"].as_array().expect("labels").contains(&json!("agent/coder")),
            Kind::Title => issue["title"] == self.title,
            Kind::Body => issue["body"] == self.title,
            _ => issue["state"] == "closed",
        };
        match self.kind {
            Kind::Comment | Kind::Create => None,
            _ => Some(is(&shown(self.app, self.number).await)),
        }
    }

    /// How often GitHub has it.
    fn times_there(&self) -> usize {
        match self.kind {
            Kind::Label => usize::from(there(self.app, self.number).has_label("agent/coder")),
            Kind::Comment => comments(self.app, self.number).len(),
            Kind::Title => usize::from(there(self.app, self.number).title == self.title),
            Kind::Body => usize::from(there(self.app, self.number).body.as_deref() == Some(self.title)),
            Kind::Close => usize::from(!there(self.app, self.number).is_open()),
            Kind::Create => count_titled(self.app, self.title),
        }
    }
}

each_db! {
    async fn every_write_meets_every_failure(db) {
        let builder = AppBuilder { request_timeout: Duration::from_millis(600), ..AppBuilder::default() };
        let app = built(builder, db, KINDS.len() * faults().len()).await;
        let (mut number, mut retried) = (0, 0);
        for kind in KINDS {
            let titles = if kind == Kind::Create { NEW_TITLES } else { TITLES };
            for ((fault, then, says), title) in faults().into_iter().zip(titles) {
                number += 1;
                let what = format!("{kind:?} x {fault:?}");
                let case = Case { app: &app, kind, number, title };
                let set = app.sim.fault(Fault::new(fault.clone()).on(case.requests()));
                let id = case.ask().await;
                let mut first = entry(&app, &id).await;
                assert!(app.sim.fault_hits(set) > 0, "{what}");
                assert!(first["error"].as_str().is_some_and(|error| error.starts_with(says)), "{what}: {first}");
                if then == Then::ParksLater {
                    for _ in 0..2 {
                        assert_eq!((&first["state"], case.is_shown().await.unwrap_or(true)), (&json!("pending"), true), "{what}");
                        app.advance(Duration::from_mins(1));
                        publish(&app).await;
                        first = entry(&app, &id).await;
                    }
                }
                let parks = matches!(then, Then::Parks | Then::ParksLater);
                assert_eq!(first["state"], if parks { "parked" } else { "pending" }, "{what}: {first}");
                assert_eq!(first["nextTryAt"].is_null(), parks, "{what}");
                assert_eq!(case.is_shown().await.unwrap_or(!parks), !parks, "{what}: the overlay");
                app.sim.clear_fault(set);
                if then == Then::Stops {
                    app.advance(Duration::from_mins(30));
                    assert_eq!(publish(&app).await, 0, "{what}: not within the hour");
                }
                app.advance(Duration::from_mins(61));
                publish(&app).await;
                if parks {
                    assert_eq!((state(&app, &id).await.as_str(), case.times_there()), ("parked", 0), "{what}");
                    app.post(&format!("/api/outbox/{id}/retry"), json!({})).await.expect(200);
                    retried += 1;
                }
                assert_eq!((state(&app, &id).await.as_str(), case.times_there()), ("settled", 1), "{what}");
                assert!(case.is_shown().await.unwrap_or(true), "{what}: GitHub has it now");
            }
        }
        let of = |action: &str| format!("SELECT count(*) FROM audit_log WHERE action = '{action}'");
        assert_eq!(app.db.count(&of("outbox_retried")).await, retried);
        let closed = i64::try_from(faults().len()).expect("a number");
        assert_eq!(app.db.count(&of("mark_done")).await, closed, "closed by us is done");
        // Labels that stood behind a parked one were parked with it: an operator gives them up.
        let parked = app.get("/api/outbox?state=parked").await.expect(200);
        for entry in parked.as_array().expect("a list") {
            app.post(&format!("/api/outbox/{}/discard", entry["id"].as_str().expect("an id")), json!({})).await.expect(200);
        }
        app.next_beat("coder").await;
        app.next_beat("coder").await;
        assert_eq!(app.db.count("SELECT count(*) FROM outbox WHERE lies_over OR state = 'pending'").await, 0);
        world::assert_same(&app, API).await;
    }

    async fn one_label_that_github_does_not_take_keeps_no_other_back(db) {
        let app = with_issues(db, 2).await;
        let poison = "x".repeat(51);
        let sql = |label: &str, number: u64| format!(
            "INSERT INTO label_edits (id, issue_id, label_key, label, wanted, version, state, next_try_at, created_at)
             SELECT '019b76da-a800-7c3f-8000-00000000000{}', id, '{label}', '{label}', TRUE, 1, 'pending', 1, 1 FROM issues WHERE number = {number}", label.len() % 10);
        for (label, number) in [(poison.as_str(), 1), ("good", 1), ("right", 2)] {
            app.db.sql(&sql(label, number)).await;
        }
        for _ in 0..3 {
            publish(&app).await;
            app.advance(Duration::from_mins(1));
        }
        assert_eq!(there(&app, 1).labels, ["status/ready", "good"]);
        assert_eq!(there(&app, 2).labels, ["status/ready", "right"]);
        let parked = app.get("/api/outbox?state=parked").await.expect(200);
        let parked: Vec<_> = parked.as_array().expect("a list").iter().map(|entry| entry["content"]["label"].clone()).collect();
        assert_eq!(parked, [json!(poison)]);
    }
}
