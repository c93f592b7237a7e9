//! Hand-outs: the same item to the same agent, to nobody else, until its time is up.

use std::time::Duration;

use serde_json::{Value, json};

use super::field::*;
use crate::{each_db, support::App};

const MS: Duration = Duration::from_millis(1);

async fn statements(app: &App, agent: &str) -> u64 {
    let before = app.engine.db().statements();
    next(app, agent, "").await;
    app.engine.db().statements() - before
}

each_db! {
    async fn a_task_has_the_form_of_the_contract(db) {
        let app = with(db).await;
        let more = json!({ "issue": 2, "url": "https://github.com/acme/api/pull/4", "feedback": "it is red" });
        let id = enqueue(&app, 4, "k", more).await["id"].clone();
        enqueue(&app, 4, "k2", json!({ "feedback": "and slow" })).await;
        let task = next(&app, "Coder", "?lane=LOCAL").await;
        let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
        assert!(text("instructions").contains("acme/api#4") && text("stopAfter").contains("acme/api#4"), "{task}");
        assert_eq!(task["forbiddenActions"].as_array().unwrap().len(), 3);
        let mut rest = task.clone();
        for name in ["instructions", "stopAfter", "forbiddenActions"] {
            rest.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(rest, json!({
            "type": "followup-pr", "shouldRun": true, "agentName": "Coder", "lane": "NORMAL",
            "issue": { "repoFullName": "acme/api", "number": 2 },
            "pullRequest": { "repoFullName": "acme/api", "number": 4, "url": "https://github.com/acme/api/pull/4" },
            "prFixItem": { "id": id, "generation": 1 },
            "reasons": ["it is red", "and slow"],
        }));
    }

    async fn the_same_agent_gets_the_same_and_others_the_next(db) {
        let app = with(db).await;
        for pr in [4, 5] {
            enqueue(&app, pr, "k", json!({})).await;
        }
        let first = next(&app, "one", "").await;
        app.advance(MS);
        assert_eq!(next(&app, "ONE", "").await["prFixItem"], first["prFixItem"]);
        assert_eq!(next(&app, "one", "").await, first);
        assert_eq!(next_pr(&app, "two").await, Some(5));
        assert_eq!(next_pr(&app, "three").await, None);
        let item = item(&app, 4).await;
        assert_eq!((&item["heldBy"], &item["agentHandouts"]), (&json!("one"), &json!(["one@1"])));
        assert_eq!(item["dispatchedAt"], item["updatedAt"], "asking again writes nothing");
        let rows = app.db.count("SELECT count(*) FROM audit_log").await;
        assert_eq!((rows, history(&app, 4).await.len()), (2, 1), "handing out is no decision of anybody");
    }

    async fn the_most_urgent_comes_first_then_whose_turn_it_is(db) {
        let app = with(db).await;
        for (pr, kind) in [(10, "OTHER"), (11, "REVIEW_FEEDBACK"), (12, "CI_FAILURE"), (13, "MERGE_CONFLICT"), (14, "CI_FAILURE")] {
            app.advance(MS);
            enqueue(&app, pr, "k", json!({ "type": kind })).await;
        }
        app.advance(MS);
        enqueue(&app, 15, "k", json!({ "type": "MERGE_CONFLICT", "lane": "ESCALATED" })).await;
        // What was opened again waits for its turn anew.
        mark(&app, 12, "FIXED", json!({})).await.expect(200);
        app.advance(MS);
        enqueue(&app, 12, "k2", json!({ "type": "CI_FAILURE" })).await;
        let mut order = Vec::new();
        for n in 0..6 {
            order.extend(next_pr(&app, &format!("agent-{n}")).await);
        }
        assert_eq!(order, [13, 15, 14, 12, 11, 10]);
    }

    async fn lanes_are_served_by_their_roles(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "lane": "ESCALATED" })).await;
        enqueue(&app, 5, "k", json!({})).await;
        let pr = async |agent: &str, lane: &str| {
            next(&app, agent, &format!("?lane={lane}")).await["pullRequest"]["number"].clone()
        };
        assert_eq!(pr("a", "cloud").await, Value::Null);
        assert_eq!(pr("a", "backlog").await, Value::Null);
        assert_eq!(pr("a", "escalated").await, 4);
        assert_eq!(pr("b", "frontier").await, Value::Null);
        assert_eq!(pr("a", "local").await, 5, "an agent has one of each lane that it asks for");
        assert_eq!(pr("b", "local").await, Value::Null);
        app.get("/api/agents/a/next-task?lane=nope").await.expect(400);
    }

    async fn its_time_is_up_to_the_millisecond(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        assert_eq!(next_pr(&app, "one").await, Some(4));
        app.advance(ALMOST);
        assert_eq!((next_pr(&app, "two").await, next_pr(&app, "one").await), (None, Some(4)));
        app.advance(MS);
        assert_eq!(next_pr(&app, "two").await, Some(4));
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a1 r1", "it never began: the same attempt again");
        assert_eq!(item(&app, 4).await["agentHandouts"], json!(["two@2"]));
        assert_eq!(history(&app, 4).await, ["enqueue QUEUED", "reclaim QUEUED"]);
        assert_eq!(audited(&app, "pr_fix_reclaim").await, 1);
        assert_eq!(next_pr(&app, "one").await, None);
    }

    async fn every_sign_of_life_lengthens_it(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let task = next(&app, "one", "").await;
        app.advance(ALMOST);
        app.beat("one").await;
        app.advance(ALMOST);
        assert_eq!(next_pr(&app, "two").await, None, "a heartbeat");
        // A report of something else.
        report(&app, "ONE", json!({ "taskType": "implement", "outcome": "failed" })).await;
        app.advance(ALMOST);
        assert_eq!(next_pr(&app, "two").await, None, "a report");
        assert_eq!(next(&app, "one", "").await, task);
        app.advance(MS);
        assert_eq!(next_pr(&app, "two").await, Some(4));
    }

    async fn who_comes_back_late_gets_another_attempt(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let before = next(&app, "one", "").await;
        app.advance(TIMEOUT);
        let after = next(&app, "one", "").await;
        assert_eq!((&before["prFixItem"]["generation"], &after["prFixItem"]["generation"]), (&json!(1), &json!(2)));
        let late = settle(&app, "one", &before, "blocked").await;
        assert_eq!((&late["action"], &late["reason"]), (&json!("skipped"), &json!("stale attempt: generation 1, the item is at 2")));
    }

    async fn an_agent_that_began_and_died_made_an_attempt(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        next_pr(&app, "one").await;
        ack(&app, 4, 1, "one").await.expect(200);
        app.advance(TIMEOUT);
        assert_eq!(sweep(&app).await["reclaimed"], 0, "a sweep leaves it");
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g1 a1 r0");
        assert_eq!(next_pr(&app, "two").await, Some(4));
        assert_eq!(state(&app, 4).await, "QUEUED NORMAL g2 a2 r0");
        assert_eq!(history(&app, 4).await, ["enqueue QUEUED", "ack QUEUED", "abandon QUEUED"]);
    }

    async fn agents_of_one_lane_do_not_end_what_another_lane_has(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({ "lane": "ESCALATED" })).await;
        enqueue(&app, 5, "k", json!({})).await;
        next(&app, "one", "?lane=frontier").await;
        ack(&app, 4, 1, "one").await.expect(200);
        next(&app, "two", "?lane=local").await;
        app.advance(TIMEOUT);
        assert_eq!(next(&app, "three", "?lane=local").await["pullRequest"]["number"], 5);
        assert_eq!(state(&app, 4).await, "QUEUED ESCALATED g1 a1 r0");
        assert_eq!(next(&app, "three", "?lane=frontier").await["pullRequest"]["number"], 4);
        assert_eq!(state(&app, 4).await, "QUEUED ESCALATED g2 a2 r0");
    }

    async fn too_many_silent_agents_want_a_human(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        for round in 0..4 {
            assert_eq!(next_pr(&app, &format!("agent-{round}")).await, Some(4), "round {round}");
            app.advance(TIMEOUT);
        }
        assert_eq!(next_pr(&app, "agent-4").await, None);
        assert_eq!(state(&app, 4).await, "BLOCKED NEEDS_HUMAN g4 a1 r4");
        assert!(last_note(&app, 4).await.as_str().unwrap().contains("a human is needed"));
    }

    async fn a_heartbeat_hands_out_as_well(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        let told = wanting_beat(&app, "one").await;
        assert_eq!((&told["type"], &told["pullRequest"]["number"]), (&json!("followup-pr"), &json!(4)));
        assert_eq!(next(&app, "one", "").await, told);
        // The beat that asks is itself a sign of life.
        app.advance(TIMEOUT);
        assert_eq!(wanting_beat(&app, "one").await, told);
    }

    async fn polls_stay_cheap(db) {
        let app = with(db).await;
        assert_eq!(statements(&app, "idle").await, 2, "one for pull requests, one for issues");
        enqueue(&app, 4, "k", json!({ "issue": 1 })).await;
        next(&app, "one", "").await;
        let (mine, others) = (statements(&app, "one").await, statements(&app, "two").await);
        for pr in 100..160 {
            enqueue(&app, pr, "k", json!({ "issue": 2 })).await;
            next(&app, &format!("agent-{pr}"), "").await;
        }
        assert_eq!((statements(&app, "one").await, statements(&app, "two").await), (mine, others));
        assert_eq!((mine, others), (3, 2));
        println!("{mine} statements for whoever has an item, {others} for whoever has none");
    }
}
