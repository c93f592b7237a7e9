//! A leased claim around its end: a millisecond before, at it, after it, and when the clock jumps. Whoever comes late is
//! refused on every path; labels and history say what happened.

use std::time::Duration;

use dispatch::domain::time::Timestamp;
use serde_json::{Value, json};

use super::{checkpoint, finish, history, lost::assert_lost, shown};
use crate::{each_db, field::*, support::App};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

/// Who ends a lease that ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    /// Nobody comes but the clock.
    Recovery,
    /// Another claims the issue.
    Another,
    /// Another starts it.
    Starter,
}

const TAKERS: [Taker; 3] = [Taker::Recovery, Taker::Another, Taker::Starter];

/// Tries to take the issue; whether it worked, and with which fence.
async fn take(app: &App, taker: Taker, number: i64) -> Option<Value> {
    match taker {
        Taker::Recovery => {
            let swept = app.post("/api/agent-work/sweep", json!({})).await.expect(200);
            (swept["released"] == 1).then_some(Value::Null)
        }
        Taker::Another => {
            let claimed = claim(app, number, &format!("new-{number}")).await;
            (claimed.status == 200).then(|| claimed.json())
        }
        Taker::Starter => {
            let started = super::start(app, number, &format!("new-{number}")).await;
            (started.status == 201).then(|| started.json())
        }
    }
}

/// The holder writes on every path that ends nothing.
async fn assert_works(app: &App, number: i64, agent: &str, own: &Value) {
    checkpoint(app, agent, "CHANGES_MADE", shown(own)).await.expect(200);
    finish(app, agent, "IN_PROGRESS", shown(own)).await.expect(200);
    let status = and(and(named(app, number, agent).await, shown(own)), json!({ "status": "in-progress" }));
    app.post("/api/issues/status", status).await.expect(200);
    assert_eq!(renew(app, agent, json!([shown(own)])).await[0]["state"], "renewed");
    assert_eq!(claim(app, number, agent).await.expect(200)["fence"], own["fence"]);
    assert_eq!(super::start(app, number, agent).await.expect(201)["fence"], own["fence"]);
}

async fn of_old(app: &App, number: i64) -> Vec<String> {
    let old = format!("old-{number} ");
    history(app).await.into_iter().filter_map(|row| row.strip_prefix(&old).map(str::to_owned)).collect()
}

each_db! {
    async fn around_the_end_of_a_lease(db) {
        let spans = [TTL.saturating_sub(MS), TTL, TTL + MS, TTL + HOUR];
        let app = with_issues(db, spans.len() * TAKERS.len()).await;
        let cells = spans.iter().flat_map(|&span| TAKERS.iter().map(move |&taker| (span, taker)));
        for (number, (span, taker)) in (1..).zip(cells) {
            let (what, agent) = (format!("#{number}: {taker:?} after {span:?}"), format!("old-{number}"));
            let old = lease(&app, number, &agent).await.expect(200);
            app.advance(span);
            let taken = take(&app, taker, number).await;
            assert_eq!(taken.is_some(), span >= TTL, "{what}");
            let Some(taken) = taken else {
                assert_works(&app, number, &agent, &old).await;
                assert_labels(&app, number, &[&format!("agent/{agent}"), "bug", "status/in-progress"]).await;
                unclaim(&app, number, &agent).await.expect(200);
                continue;
            };
            let new = format!("new-{number}");
            let holder = if taker == Taker::Recovery { Value::Null } else { json!(new) };
            assert_lost(&app, number, &agent, &old, holder.clone()).await;
            if taker == Taker::Recovery {
                assert_labels(&app, number, &["bug", "status/ready"]).await;
            } else {
                assert_labels(&app, number, &[&format!("agent/{new}"), "bug", "status/in-progress"]).await;
                assert!(taken["fence"].as_i64() > old["fence"].as_i64(), "{what}");
                unclaim(&app, number, &new).await.expect(200);
            }
            assert_eq!(of_old(&app, number).await, ["claim CLAIMED", "stale STALE"], "{what}: its history");
            let end = format!("SELECT end_reason FROM claims WHERE agent_key = '{agent}'");
            assert_eq!(app.db.texts(&end).await, ["expired"], "{what}");
            assert_sound(&app).await;
        }
    }

    async fn when_the_clock_jumps_by_an_hour(db) {
        let app = with_issues(db, 2).await;
        let granted = app.clock.now();
        let one = lease(&app, 1, "old-1").await.expect(200);
        let two = lease(&app, 2, "old-2").await.expect(200);
        // Back: nothing ends early, and the holder goes on.
        app.clock.set(granted.minus(HOUR));
        assert_eq!(take(&app, Taker::Recovery, 1).await, None);
        claim(&app, 1, "other").await.expect(409);
        assert_works(&app, 1, "old-1", &one).await;
        let renewed = renew(&app, "old-1", json!([shown(&one)])).await;
        assert_eq!(renewed[0]["expiresAt"], json!(granted.minus(HOUR).plus(TTL)), "by the clock as it is now");
        // Forth again: the one that renewed by the earlier clock ran out, the other did not.
        app.clock.set(granted);
        assert_eq!(take(&app, Taker::Recovery, 1).await, Some(Value::Null));
        assert_lost(&app, 1, "old-1", &one, Value::Null).await;
        assert_works(&app, 2, "old-2", &two).await;
        // Ahead: all that is left ran out.
        app.clock.set(granted.plus(HOUR));
        assert_eq!(take(&app, Taker::Recovery, 2).await, Some(Value::Null));
        assert_lost(&app, 2, "old-2", &two, Value::Null).await;
        for number in [1, 2] {
            claim(&app, number, "new").await.expect(200);
        }
        // And back: whoever holds it now is not put aside by the past.
        app.clock.set(Timestamp(granted.0));
        assert_lost(&app, 2, "old-2", &two, json!("new")).await;
        assert_eq!(app.db.texts("SELECT DISTINCT end_reason FROM claims WHERE agent_key <> 'new'").await, ["expired"]);
        assert_sound(&app).await;
    }
}
