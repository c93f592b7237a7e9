//! Lanes: where issues belong, and who is served from where.

use dispatch::domain::labels::Rules;
use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, AppBuilder, BOUND, app::send},
};

const NONE: [i64; 0] = [];

const OWN_LANES: &str = r#"{"lanes":[{"id":"Fast","title":"F","claimable":true,"role":"default"},
    {"id":"Rest","title":"R","claimable":false},{"id":"Frozen","title":"Z","claimable":false}],
    "laneAliases":{"OLD":"fast"}}"#;

async fn lane_of(app: &App, number: i64) -> Value {
    app.get(&format!("/api/issues/{}/lane", id_of(app, API, number).await)).await.expect(200)
}

async fn classify(app: &App, number: i64, body: Value) -> crate::support::Answer {
    app.post(&format!("/api/issues/{}/lane", id_of(app, API, number).await), body).await
}

each_db! {
    async fn a_lane_is_stored_with_its_history_and_shows_at_once(db) {
        let app = with(db, vec![ready("a"), ready("b")]).await;
        assert_eq!(lane_of(&app, 1).await, json!({ "lane": "local", "confidence": null, "reason": "", "model": null, "judgedAt": null }));
        let stored = put(&app, 1, "Frontier").await;
        assert_eq!(stored, json!({ "success": true, "lane": "frontier", "confidence": "high", "reason": "because", "model": "manual" }));
        assert_eq!(numbers(&app, "me", "?lane=frontier").await, [1]);
        assert_eq!(numbers(&app, "me", "?lane=local").await, [2]);
        assert_eq!(next(&app, "me", "?lane=frontier").await["lane"], "frontier");
        assert_eq!(lane_of(&app, 1).await, json!({
            "lane": "frontier", "confidence": "high", "reason": "because", "model": "manual", "judgedAt": "2026-01-01T00:00:00.000Z",
        }));
        let again = json!({ "model": "m1", "classification": { "lane": "cloud", "confidence": "low", "reason": "x".repeat(600), "model": "m2" } });
        let again = classify(&app, 1, again).await.expect(200);
        assert_eq!((again["model"].as_str(), again["reason"].as_str().map(str::len)), (Some("m1"), Some(500)));
        assert_eq!(app.db.count("SELECT count(*) FROM lane_history").await, 2);
        let rows = app.get(&format!("/api/audit?repo={API}")).await.expect(200);
        assert_eq!(rows[0]["action"], "set_lane", "{rows}");
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE action = 'set_lane' AND success = TRUE").await, 2);
        // A read of GitHub leaves it where it is.
        app.sim.repo(API).set_title(1, "renamed");
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "?lane=cloud").await, [1]);
    }

    async fn without_a_judgement_the_rule_judges_once(db) {
        let issues = vec![ready("RFC: storage"), ready("typo"), ready("look").label("type/research")];
        let app = with(db, issues).await;
        let first = classify(&app, 1, json!({})).await.expect(200);
        assert_eq!((&first["lane"], &first["confidence"], &first["model"]), (&json!("frontier"), &json!("medium"), &json!("heuristic")));
        assert!(first.get("judgedAt").is_none() && !first["reason"].as_str().unwrap().is_empty());
        put(&app, 1, "cloud").await;
        let kept = classify(&app, 1, json!({ "force": false })).await.expect(200);
        assert_eq!((&kept["lane"], &kept["reclassifyAvailable"], &kept["model"]), (&json!("cloud"), &json!(true), &json!("manual")));
        assert_eq!(kept["judgedAt"], "2026-01-01T00:00:00.000Z");
        assert_eq!(app.db.count("SELECT count(*) FROM lane_history").await, 2);
        assert_eq!(classify(&app, 1, json!({ "force": true })).await.expect(200)["lane"], "frontier");
        assert_eq!(classify(&app, 2, json!({})).await.expect(200)["lane"], "local");
        assert_eq!(classify(&app, 3, json!({})).await.expect(200)["lane"], "backlog");
        assert_eq!(numbers(&app, "me", "").await, [1, 2], "the backlog rests");
    }

    async fn refusals_have_the_words_of_the_contract(db) {
        let app = with(db, vec![ready("a")]).await;
        let given = |lane: Value, confidence: Value, reason: Value| json!({ "classification": { "lane": lane, "confidence": confidence, "reason": reason } });
        let good = || (json!("cloud"), json!("low"), json!("r"));
        let cases = [
            (given(json!("x"), good().1, good().2), "invalid lane: x", "classification.lane"),
            (given(json!("normal"), good().1, good().2), "invalid lane: normal", "classification.lane"),
            (given(good().0, json!("sure"), good().2), "invalid confidence: sure", "classification.confidence"),
            (given(good().0, good().1, json!("  ")), "reason is required and must be non-empty", "classification.reason"),
            (given(good().0, good().1, Value::Null), "reason is required and must be non-empty", "classification.reason"),
        ];
        for (body, message, field) in cases {
            let refused = classify(&app, 1, body).await.expect(400);
            assert_eq!((refused["error"].as_str(), refused["field"].as_str()), (Some(message), Some(field)));
        }
        for (body, field) in [
            (json!({ "classification": "cloud" }), "classification"),
            (json!({ "force": "yes" }), "force"),
            (json!({ "model": 1 }), "model"),
            (given(json!(1), good().1, good().2), "classification.lane"),
        ] {
            assert_eq!(classify(&app, 1, body).await.expect(400)["field"], field);
        }
        for id in ["none", "%00"] {
            let path = format!("/api/issues/{id}/lane");
            app.get(&path).await.expect(404);
            app.post(&path, json!({})).await.expect(404);
        }
        assert_eq!(app.db.count("SELECT count(*) FROM lane_history").await, 0);
        let path = format!("/api/issues/{}/lane", id_of(&app, API, 1).await);
        send(app.request("GET", &path, BOUND)).await.expect(403);
    }

    async fn unknown_lanes_asked_for_are_refused_with_the_list(db) {
        let app = with(db, vec![]).await;
        for route in ["queue", "next-task"] {
            let refused = app.get(&format!("/api/agents/me/{route}?lane=Nope")).await.expect(400);
            assert_eq!(refused["error"], "Invalid lane: \"Nope\". Must be one of: local, cloud, frontier, backlog");
            assert_eq!(refused["field"], "lane");
            app.get(&format!("/api/agents/me/{route}?lane=")).await.expect(200);
        }
    }

    async fn issues_without_a_lane_belong_to_the_default_lane(db) {
        let app = with(db, vec![ready("none"), ready("old name"), ready("unknown"), ready("escalated")]).await;
        app.db.sql("UPDATE issues SET current_lane = 'Normal' WHERE number = 2;
                    UPDATE issues SET current_lane = 'Gone' WHERE number = 3;
                    UPDATE issues SET current_lane = 'gpt' WHERE number = 4").await;
        let (db, sim, clock) = app.stop().await;
        // Other rules: all is derived anew.
        let mut builder = ruled(Rules::new(["x"]));
        builder.seed = 8;
        let app = builder.start_with(db, sim, clock).await;
        app.next_beat("loader").await;
        for name in ["local", "LOCAL", "normal", "Normal"] {
            assert_eq!(numbers(&app, "me", &format!("?lane={name}")).await, [1, 2], "{name}");
            assert_eq!(next_number(&app, "me", &format!("?lane={name}")).await, Some(1), "{name}");
        }
        for name in ["frontier", "escalated", "GPT"] {
            assert_eq!(numbers(&app, "me", &format!("?lane={name}")).await, [4], "{name}");
        }
        assert_eq!(numbers(&app, "me", "").await, [1, 2, 3, 4], "an unknown lane stays visible");
        let lanes: Vec<Value> = queue(&app, "me", "").await.iter().map(|item| item["lane"].clone()).collect();
        assert_eq!(lanes, [Value::Null, json!("Normal"), json!("Gone"), json!("gpt")], "as they are stored");
        assert!(queue(&app, "me", "").await[0].get("lane").is_none());
        assert!(next(&app, "me", "").await.get("lane").is_none());
        assert_eq!(lane_of(&app, 2).await["lane"], "local");
        assert_eq!(lane_of(&app, 3).await["lane"], "Gone");
        assert_eq!(app.db.count("SELECT count(*) FROM issues WHERE current_lane = 'Gone'").await, 1, "it is never rewritten");
    }

    async fn nothing_is_served_from_closed_lanes(db) {
        let app = built(laned(OWN_LANES), db, vec![ready("a"), ready("b"), ready("c")]).await;
        put(&app, 1, "REST").await;
        put(&app, 2, "frozen").await;
        assert_eq!(numbers(&app, "me", "").await, [3], "not only the first closed lane rests");
        assert_eq!(numbers(&app, "me", "?includeClaimed=true").await, [3]);
        let resting = queue(&app, "me", "?lane=rest").await;
        assert_eq!((resting.len(), &resting[0]["claimable"], &resting[0]["lane"]), (1, &json!(false), &json!("Rest")));
        assert_eq!(next_number(&app, "me", "?lane=rest").await, None);
        assert_eq!(next_number(&app, "me", "?lane=rest&includeClaimed=true").await, None);
        assert_eq!(next_number(&app, "me", "?lane=old").await, Some(3), "upper-case ids and aliases are reachable");
        assert_eq!(numbers(&app, "me", "?lane=FAST").await, [3]);
    }

    async fn other_lanes_sort_what_is_cached_anew(db) {
        let app = with(db, vec![ready("a"), ready("b")]).await;
        put(&app, 1, "cloud").await;
        let (db, sim, clock) = app.stop().await;
        let lanes = r#"{"lanes":[{"id":"local","title":"L","claimable":true},{"id":"cloud","title":"C","claimable":false}]}"#;
        let mut builder = AppBuilder { seed: 8, ..laned(lanes) };
        builder.repos = Vec::new();
        let app = builder.start_with(db, sim, clock).await;
        app.next_beat("loader").await;
        assert_eq!(numbers(&app, "me", "").await, [2]);
        app.get("/api/agents/me/queue?lane=frontier").await.expect(400);
    }

    async fn escalation_shows_in_the_next_read(db) {
        let app = with(db, vec![ready("a")]).await;
        claim(&app, 1, "me").await;
        put(&app, 1, "frontier").await;
        unclaim(&app, 1, "me").await;
        let items = queue(&app, "batch", "?lane=frontier&includeClaimed=true").await;
        assert_eq!((&items[0]["lane"], &items[0]["claimable"]), (&json!("frontier"), &json!(true)));
        assert_eq!(items[0]["status"], "status/ready");
        assert_eq!(crate::support::answers::strings(&items[0]["labels"]), ["status/ready"]);
        assert_eq!(numbers(&app, "batch", "?lane=local&includeClaimed=true").await, NONE);
    }

    async fn the_work_summary_counts_by_lane(db) {
        let issues = vec![
            ready("a"),
            github_sim::NewIssue::new("b").label("status/in-review"),
            github_sim::NewIssue::new("c").label("status/in-progress"),
            github_sim::NewIssue::new("d").label("status/backlog"),
            ready("Dependency Dashboard"),
            ready("cloud"),
            ready("closed"),
        ];
        let app = with(db, issues).await;
        put(&app, 6, "cloud").await;
        app.db.sql("UPDATE issues SET lane = 'gone' WHERE number = 4").await;
        app.sim.repo(API).close_issue(7);
        app.next_beat("loader").await;
        let count = |queued: i64, in_progress: i64| json!({ "queued": queued, "inProgress": in_progress });
        let none = json!({ "total": 0, "blocked": 0 });
        assert_eq!(app.get("/api/agents/Me/work-summary").await.expect(200), json!({
            "agentName": "Me",
            "issues": { "local": count(1, 2), "cloud": count(1, 0), "frontier": count(0, 0), "backlog": count(0, 0) },
            "unknownLanes": { "gone": count(1, 0) },
            "prFixes": { "local": none, "frontier": none, "needsHuman": none },
        }));
    }
}
