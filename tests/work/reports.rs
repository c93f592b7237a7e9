//! What agents report of their tasks (`contract/agents.md` section 4): recorded once, with its run, and settled.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    each_db,
    field::{self, API, and, post_as, with_issues},
    support::{Answer, App, BOUND, MAINTAINER, UNBOUND, app::send},
};

const PATH: &str = "/api/agents/coder/tasks/report";

async fn report(app: &App, body: Value) -> Answer {
    app.post(PATH, body).await
}

fn good() -> Value {
    json!({ "taskType": "implement", "outcome": "pr_opened" })
}

/// The newest run that is no heartbeat.
async fn run(app: &App) -> Value {
    let runs = app.get("/api/agent-runs?agent=coder&limit=1").await.expect(200);
    runs[0].clone()
}

each_db! {
    async fn a_report_is_a_run(db) {
        let app = with_issues(db, 1).await;
        let body = json!({
            "taskType": "implement", "outcome": "pr_opened", "repoFullName": "ACME/api", "issueNumber": 1, "pullRequestNumber": 9,
            "summary": "did it", "startedAt": "2025-12-31T23:00:00+00:00", "unknown": 7, "evidence": "dropped",
        });
        let answer = app.post("/api/agents/Coder/tasks/report", body).await;
        let told = answer.expect(200);
        let want = json!({
            "ok": true, "agentName": "Coder", "agentRunId": told["agentRunId"],
            "report": { "taskType": "implement", "outcome": "pr_opened", "repoFullName": "ACME/api", "issueNumber": 1,
                "pullRequestNumber": 9, "summary": "did it", "startedAt": "2025-12-31T23:00:00.000Z" },
            "prFixResolution": { "matched": false, "action": "none" },
        });
        assert_eq!(told, want);
        let run = run(&app).await;
        assert_eq!(run["id"], told["agentRunId"]);
        let state = app.get(&format!("/api/issues/state?repo={API}&number=1")).await.expect(200);
        let fields = ["agentName", "runType", "status", "startedAt", "finishedAt", "summary", "errorMessage", "issueId"];
        let values: Vec<_> = fields.iter().map(|name| run[name].clone()).collect();
        let want = json!(["Coder", "implement", "completed", "2025-12-31T23:00:00.000Z", "2026-01-01T00:00:00.000Z", "did it", null, state["issueId"]]);
        assert_eq!(Value::Array(values), want);
        assert_eq!(run["touchedIssueUrls"], json!(["https://github.com/acme/api/issues/1", "https://github.com/ACME/api/pull/9"]));
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log").await, 0);
        assert_eq!(app.db.texts("SELECT state FROM reports").await, ["settled"]);
    }

    async fn each_outcome_has_its_status(db) {
        let app = with_issues(db, 1).await;
        let outcomes = ["pr_opened", "pr_updated", "issue_updated", "issue_closed", "blocked", "failed", "no_changes_needed", "already_addressed"];
        for (n, outcome) in outcomes.into_iter().enumerate() {
            app.tick();
            let kind = ["implement", "followup-pr", "groom"][n % 3];
            let body = json!({ "taskType": kind, "outcome": outcome, "error": "why", "evidence": " seen " });
            let told = report(&app, body).await.expect(200);
            let status = match outcome { "failed" | "blocked" => outcome, _ => "completed" };
            let run = run(&app).await;
            assert_eq!((&run["status"], &run["runType"], &run["errorMessage"]), (&json!(status), &json!(kind), &json!("why")));
            let evidence = if outcome == "already_addressed" { json!("seen") } else { Value::Null };
            assert_eq!(told["report"]["evidence"], evidence, "{outcome}");
        }
    }

    async fn claims_and_labels_are_not_touched(db) {
        let app = with_issues(db, 1).await;
        field::claim(&app, 1, "coder").await.expect(200);
        let audit = app.db.count("SELECT count(*) FROM audit_log").await;
        report(&app, and(good(), json!({ "repoFullName": API, "issueNumber": 1 }))).await.expect(200);
        field::assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 1);
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log").await, audit);
    }

    async fn what_was_touched_is_what_can_be_opened(db) {
        let app = with_issues(db, 1).await;
        let issue = "https://github.com/acme/api/issues/1";
        let cases = [
            (json!({}), json!([])),
            (json!({ "repoFullName": API }), json!([])),
            (json!({ "issueNumber": 1 }), json!([])),
            (json!({ "repoFullName": API, "issueNumber": 1 }), json!([issue])),
            (json!({ "repoFullName": API, "issueNumber": 99 }), json!(["https://github.com/acme/api/issues/99"])),
            (json!({ "repoFullName": "other/place", "issueNumber": 3 }), json!(["https://github.com/other/place/issues/3"])),
            (json!({ "repoFullName": "no name", "issueNumber": 3 }), json!([])),
            (json!({ "repoFullName": API, "issueNumber": -1, "pullRequestNumber": 0 }), json!([])),
            (json!({ "pullRequestUrl": "https://example.com/pr/1" }), json!(["https://example.com/pr/1"])),
            (json!({ "repoFullName": API, "issueNumber": 1, "pullRequestNumber": 2, "pullRequestUrl": "https://example.com/x" }), json!([issue, "https://example.com/x"])),
            (json!({ "repoFullName": API, "pullRequestNumber": 2, "pullRequestUrl": "javascript:alert(1)" }), json!(["https://github.com/acme/api/pull/2"])),
        ];
        for (more, urls) in cases {
            app.tick();
            report(&app, and(good(), more.clone())).await.expect(200);
            assert_eq!(run(&app).await["touchedIssueUrls"], urls, "{more}");
        }
    }

    async fn starts_that_cannot_be_are_not_believed(db) {
        let app = with_issues(db, 1).await;
        for started in [json!("2026-01-01T00:00:01Z"), json!("2025-12-30T23:59:59Z"), json!("2025-12-31T12:00:00"), json!("soon"), json!(7), Value::Null] {
            let told = report(&app, and(good(), json!({ "startedAt": started }))).await.expect(200);
            assert!(told["report"].get("startedAt").is_none(), "{told}");
            assert_eq!(run(&app).await["startedAt"], "2026-01-01T00:00:00.000Z");
        }
    }

    async fn faults_are_told_in_the_order_of_the_contract(db) {
        let app = with_issues(db, 1).await;
        let types = "Invalid taskType. Must be one of: implement, followup-pr, groom";
        let outcomes = "Invalid outcome. Must be one of: pr_opened, pr_updated, issue_updated, issue_closed, blocked, failed, no_changes_needed, already_addressed";
        // Each is mended in turn, and then the next is told.
        let steps = [
            ("taskType", json!("paint"), json!("implement"), "taskType", types),
            ("outcome", json!(1), json!("already_addressed"), "outcome", outcomes),
            ("issueNumber", json!(1.5), json!(1), "issueNumber", "issueNumber must be an integer"),
            ("pullRequestNumber", json!("2"), json!(2), "pullRequestNumber", "pullRequestNumber must be an integer"),
            ("repoFullName", Value::Null, json!(API), "repoFullName", "repoFullName must be a string"),
            ("pullRequestUrl", json!(1), json!("u"), "pullRequestUrl", "pullRequestUrl must be a string"),
            ("summary", json!([]), json!("s"), "summary", "summary must be a string"),
            ("error", json!({}), json!("e"), "error", "error must be a string"),
            ("evidence", json!(7), json!("e".repeat(2_001)), "evidence", "evidence must be a string"),
            ("evidence", json!("e".repeat(2_001)), json!("e".repeat(2_000)), "evidence", "evidence must be at most 2000 characters"),
            ("prFixItem", json!("x"), json!({}), "prFixItem", "prFixItem must be an object"),
            ("prFixItem", json!({ "generation": 1 }), json!({}), "prFixItem.id", "prFixItem.id must be a non-empty string"),
            ("prFixItem", json!({ "id": " ", "generation": 1 }), json!({}), "prFixItem.id", "prFixItem.id must be a non-empty string"),
            ("prFixItem", json!({ "id": "x", "generation": 0 }), json!({ "id": " x ", "generation": 1 }), "prFixItem.generation", "prFixItem.generation must be an integer >= 1"),
            ("idempotencyKey", json!(" "), json!("k"), "idempotencyKey", "idempotencyKey must be a non-empty string"),
            ("idempotencyKey", json!(7), json!("k"), "idempotencyKey", "idempotencyKey must be a non-empty string"),
            ("idempotencyKey", json!("k".repeat(201)), json!("k"), "idempotencyKey", "idempotencyKey must be at most 200 characters"),
        ];
        let mut body = json!({});
        for (name, bad, _, _, _) in steps.iter().rev() {
            body[*name] = bad.clone();
        }
        for (name, bad, mended, field, words) in steps {
            body[name] = bad;
            let refused = report(&app, body.clone()).await.expect(400);
            assert_eq!((refused["error"].as_str(), refused["field"].as_str()), (Some(words), Some(field)));
            body[name] = mended;
        }
        assert_eq!(app.db.count("SELECT count(*) FROM reports").await, 0, "a refusal writes nothing");
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE run_type <> 'heartbeat'").await, 0);
        let told = report(&app, body).await.expect(200);
        assert_eq!(told["report"]["prFixItem"], json!({ "id": "x", "generation": 1 }));
        assert!(told["report"].get("idempotencyKey").is_none());
        for text in ["", "{", "[]", "null", "7"] {
            let refused = send(app.request("POST", PATH, MAINTAINER).body(text)).await.expect(400);
            assert_eq!(refused["error"], "Invalid JSON body", "{text}");
        }
        for (more, words) in [
            (json!({ "repoFullName": "r".repeat(2_001) }), "repoFullName must be at most 2000 characters"),
            (json!({ "summary": "a\0b" }), "summary must not hold the character U+0000"),
        ] {
            assert_eq!(report(&app, and(good(), more)).await.expect(400)["error"], words);
        }
        report(&app, and(good(), json!({ "prFixItem": null, "issueNumber": null }))).await.expect(200);
    }

    async fn long_texts_are_cut_in_the_run_and_whole_in_the_report(db) {
        let app = with_issues(db, 1).await;
        let log = "ü".repeat(30_000);
        let told = report(&app, and(good(), json!({ "error": log }))).await.expect(200);
        assert_eq!(told["report"]["error"], log);
        assert_eq!(run(&app).await["errorMessage"], format!("{}…", "ü".repeat(20_000)));
    }

    async fn a_key_stands_for_one_report(db) {
        let app = with_issues(db, 1).await;
        let body = and(good(), json!({ "idempotencyKey": "k", "startedAt": "2025-12-31T12:00:00Z", "prFixItem": { "id": " i ", "generation": 2 } }));
        let first = report(&app, body.clone()).await.expect(200);
        assert!(first.get("duplicate").is_none());
        // Meanwhile the start is too long ago to be believed; it is the same report all the same.
        app.advance(Duration::from_hours(13));
        let again = app.post("/api/agents/CODER/tasks/report", and(body.clone(), json!({ "idempotencyKey": " k ", "prFixItem": { "generation": 2, "id": "i", "x": 1 }, "y": 2 }))).await.expect(200);
        assert_eq!((&again["duplicate"], &again["agentRunId"], &again["prFixResolution"]), (&json!(true), &first["agentRunId"], &first["prFixResolution"]));
        assert!(again["report"].get("startedAt").is_none());
        for other in [json!({ "outcome": "failed" }), json!({ "startedAt": "2025-12-31T12:00:00.000Z" }), json!({ "issueNumber": 1 })] {
            let refused = report(&app, and(body.clone(), other)).await.expect(409);
            assert_eq!(refused["error"], "idempotencyKey was already used with a different report payload for agent coder");
        }
        assert!(app.post("/api/agents/other/tasks/report", body.clone()).await.expect(200).get("duplicate").is_none(), "keys are the agent's");
        report(&app, good()).await.expect(200);
        report(&app, good()).await.expect(200);
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE run_type = 'implement'").await, 4, "without a key each counts");
        app.db.sql("DELETE FROM runs WHERE agent_key = 'coder'").await;
        let refused = report(&app, body).await.expect(409);
        assert_eq!(refused["error"], "idempotencyKey is claimed but has no recorded result");
    }

    async fn one_of_many_at_once_is_recorded(db) {
        let app = Arc::new(with_issues(db, 1).await);
        for round in 0..5 {
            let barrier = Arc::new(Barrier::new(12));
            let mut racers = JoinSet::new();
            for n in 0..12 {
                let (app, barrier) = (Arc::clone(&app), Arc::clone(&barrier));
                let summary = if n < 8 { "one" } else { "other" };
                let body = and(good(), json!({ "idempotencyKey": format!("k{round}"), "summary": summary, "repoFullName": API, "pullRequestNumber": 3 }));
                racers.spawn(async move {
                    let request = app.request("POST", PATH, MAINTAINER).body(body.to_string());
                    barrier.wait().await;
                    send(request).await
                });
            }
            let answers = racers.join_all().await;
            let told: Vec<_> = answers.iter().filter(|answer| answer.status == 200).map(Answer::json).collect();
            let refused = answers.iter().filter(|answer| answer.status == 409).count();
            assert!(matches!(told.len(), 4 | 8) && told.len() + refused == 12, "round {round}");
            assert_eq!(told.iter().filter(|told| told.get("duplicate").is_none()).count(), 1, "round {round}");
            assert!(told.iter().all(|one| one["agentRunId"] == told[0]["agentRunId"]));
        }
        assert_eq!(app.db.count("SELECT count(*) FROM reports").await, 5);
        assert_eq!(app.db.count("SELECT count(*) FROM runs WHERE run_type = 'implement'").await, 5);
        assert_eq!(app.db.count("SELECT count(*) FROM reports WHERE run_id IS NULL OR state <> 'settled'").await, 0);
    }

    async fn what_a_crash_left_unsettled_is_settled_by_the_retry_or_the_scheduler(db) {
        let app = with_issues(db, 1).await;
        let body = |key: &str| and(good(), json!({ "idempotencyKey": key, "repoFullName": API, "pullRequestNumber": 3 }));
        let first = report(&app, body("a")).await.expect(200);
        report(&app, body("b")).await.expect(200);
        // As if the process had died between the record and the settlement.
        app.db.sql("UPDATE reports SET state = 'pending', resolution = NULL, settled_at = NULL").await;
        let again = report(&app, body("a")).await.expect(200);
        assert_eq!((&again["duplicate"], &again["agentRunId"], &again["prFixResolution"]), (&json!(true), &first["agentRunId"], &first["prFixResolution"]));
        assert_eq!(app.db.texts("SELECT state FROM reports ORDER BY idempotency_key").await, ["settled", "pending"]);
        assert_eq!(dispatch::engine::reports::settle_pending(&app.engine).await.expect("the database"), 0, "its own request may be at it");
        app.advance(Duration::from_secs(61));
        assert_eq!(dispatch::engine::reports::settle_pending(&app.engine).await.expect("the database"), 1);
        assert_eq!(app.db.count("SELECT count(*) FROM reports WHERE state = 'settled' AND settled_at IS NOT NULL AND resolution IS NOT NULL").await, 2);
    }

    async fn old_reports_are_forgotten_with_their_runs(db) {
        let app = with_issues(db, 1).await;
        report(&app, and(good(), json!({ "idempotencyKey": "k" }))).await.expect(200);
        app.advance(Duration::from_hours(29 * 24));
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM reports WHERE run_id IS NOT NULL").await, 1);
        app.advance(Duration::from_hours(2 * 24));
        app.prune().await;
        assert_eq!(app.db.count("SELECT count(*) FROM reports").await, 0);
        assert!(report(&app, and(good(), json!({ "idempotencyKey": "k" }))).await.expect(200).get("duplicate").is_none());
    }

    async fn workers_report_for_their_agent(db) {
        let app = with_issues(db, 1).await;
        post_as(&app, BOUND, "/api/agents/bound/tasks/report", good()).await.expect(200);
        assert_eq!(post_as(&app, BOUND, PATH, good()).await.expect(403)["code"], "other_agent");
        post_as(&app, UNBOUND, PATH, good()).await.expect(200);
        assert_eq!(post_as(&app, MAINTAINER, "/api/agents/a%20b/tasks/report", good()).await.expect(400)["field"], "agentName");
    }
}
