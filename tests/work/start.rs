//! Starting: an issue becomes the agent's claim; work of its own needs none.

use github_sim::{Fault, FaultKind};
use serde_json::{Value, json};

use super::{audited, ends, history, id, operate, start, start_free};
use crate::{
    each_db,
    field::*,
    support::{BOUND, UNBOUND},
};

/// The fields of a row, in the order of the contract.
const ROW: [&str; 14] = [
    "id",
    "agentName",
    "issueId",
    "runId",
    "state",
    "checkpoint",
    "branch",
    "prUrl",
    "leaseExpiresAt",
    "lastHeartbeatAt",
    "summary",
    "blockerReason",
    "createdAt",
    "updatedAt",
];

each_db! {
    async fn an_issue_is_claimed_by_starting_it(db) {
        let app = with_issues(db, 1).await;
        let body = json!({ "agentName": " Coder ", "issueId": id(&app, 1).await, "runId": "run-7", "branch": "fix/1", "extra": 1 });
        let answer = app.post("/api/agent-work/start", body).await;
        let row = answer.expect(201);
        let places: Vec<_> = ROW.iter().map(|name| answer.text.find(&format!("\"{name}\":"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}", answer.text);
        let begun = "2026-01-01T00:00:00.000Z";
        let until = "2026-01-01T00:30:00.000Z";
        let want = json!({
            "id": row["id"], "agentName": "Coder", "issueId": id(&app, 1).await, "runId": "run-7", "state": "CLAIMED",
            "checkpoint": "CLAIMED", "branch": "fix/1", "prUrl": null, "leaseExpiresAt": until, "lastHeartbeatAt": begun,
            "summary": null, "blockerReason": null, "createdAt": begun, "updatedAt": begun,
            "claimId": row["id"], "fence": row["fence"], "expiresAt": until,
        });
        assert_eq!(row, want);
        assert!(row["id"].is_string() && row["fence"].as_i64() > Some(0));
        assert_labels(&app, 1, &["agent/Coder", "bug", "status/in-progress"]).await;
        assert_eq!(history(&app).await, ["Coder start CLAIMED"]);
        assert_eq!(audited(&app).await, ["Coder claim_issue", "Coder agent_work_started"]);
        let rows = app.get("/api/audit").await.expect(200);
        let begun = rows.as_array().unwrap().iter().find(|row| row["action"] == "agent_work_started").expect("a row");
        assert_eq!((&begun["repoFullName"], &begun["issueId"]), (&json!(""), &row["issueId"]));
        let by_claim = claim(&app, 1, "coder").await.expect(200);
        assert_eq!((&by_claim["claimId"], &by_claim["fence"]), (&row["id"], &row["fence"]), "one claim in both words");
    }

    async fn starting_what_one_has_goes_on_with_it(db) {
        let app = with_issues(db, 1).await;
        let granted = claim(&app, 1, "coder").await.expect(200);
        app.advance(std::time::Duration::from_mins(29));
        // GitHub is not asked for what is the agent's already.
        let fault = app.sim.fault(Fault::new(FaultKind::Status(500)));
        let body = json!({ "agentName": "CODER", "issueId": id(&app, 1).await, "branch": "fix/1" });
        let row = app.post("/api/agent-work/start", body).await.expect(201);
        app.sim.clear_fault(fault);
        assert_eq!((&row["claimId"], &row["fence"], &row["branch"]), (&granted["claimId"], &granted["fence"], &json!("fix/1")));
        assert_eq!(row["expiresAt"], "2026-01-01T00:59:00.000Z");
        let again = start(&app, 1, "coder").await.expect(201);
        assert_eq!((&again["id"], &again["branch"]), (&row["id"], &json!("fix/1")), "what is not said stays");
        assert_eq!(history(&app).await, ["coder claim CLAIMED", "coder start CLAIMED", "coder start CLAIMED"]);
        assert_eq!(audited(&app).await, ["coder claim_issue", "coder agent_work_started", "coder agent_work_started"]);
        assert_eq!(app.db.texts("SELECT terms FROM claims").await, ["held"]);
    }

    async fn a_lease_is_a_matter_of_asking(db) {
        let app = with_issues(db, 1).await;
        let body = json!({ "agentName": "coder", "issueId": id(&app, 1).await, "lease": true });
        app.post("/api/agent-work/start", body).await.expect(201);
        app.post("/api/agent-work/start", json!({ "agentName": "other", "lease": true })).await.expect(201);
        assert_eq!(app.db.texts("SELECT terms FROM claims").await, ["leased", "leased"]);
        app.advance(TTL);
        let beat = app.beat("third").await;
        assert!(beat["summary"].as_str().unwrap().contains("2 claims recovered"), "{beat}");
        assert_eq!(ends(&app).await, ["coder expired", "other expired"]);
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
    }

    async fn what_another_has_is_refused_with_its_holder(db) {
        let app = with_issues(db, 2).await;
        claim(&app, 1, "one").await.expect(200);
        app.sim.repo(API).add_label(2, "agent/three");
        app.next_beat("loader").await;
        let held = start(&app, 1, "two").await.expect(409);
        assert_eq!(held["error"], "Issue is held by one; start other work, or claim it with force");
        assert_eq!((&held["code"], &held["holder"]), (&json!("held"), &json!("one")));
        assert_eq!(start(&app, 2, "two").await.expect(409)["holder"], "three");
        assert_eq!(start_free(&app, "two").await.expect(201)["issueId"], Value::Null);
        assert_eq!(start(&app, 1, "two").await.status, 409);
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 2, "a refusal releases nothing");
        assert_sound(&app).await;
    }

    async fn only_what_start_made_ends_when_other_work_starts(db) {
        let app = with_issues(db, 4).await;
        claim(&app, 1, "coder").await.expect(200);
        start(&app, 1, "coder").await.expect(201);
        start(&app, 2, "coder").await.expect(201);
        app.tick();
        let free = start_free(&app, "coder").await.expect(201);
        assert_eq!(ends(&app).await, ["coder superseded"]);
        assert_labels(&app, 1, &["agent/coder", "bug", "status/in-progress"]).await;
        assert_labels(&app, 2, &["bug", "status/ready"]).await;
        start_free(&app, "other").await.expect(201);
        app.tick();
        start(&app, 3, "coder").await.expect(201);
        let ended = app.db.texts("SELECT id FROM claims WHERE ended_at IS NOT NULL ORDER BY fence").await;
        assert_eq!(ended.last().map(String::as_str), free["id"].as_str());
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL AND agent_key = 'coder'").await, 2);
        assert!(history(&app).await.contains(&"coder released_by_new_claim RELEASED".to_owned()));
        assert_eq!(audited(&app).await.iter().filter(|row| *row == "coder agent_work_released").count(), 2);
    }

    async fn reassigned_work_is_not_dropped_by_starting(db) {
        let app = with_issues(db, 2).await;
        let given = start(&app, 1, "one").await.expect(201);
        operate(&app, json!({ "action": "reassign", "workId": given["id"], "newAgentName": "two" })).await.expect(200);
        start(&app, 2, "two").await.expect(201);
        assert_eq!(ends(&app).await, ["one reassigned"]);
    }

    async fn what_cannot_be_started_says_why(db) {
        let app = with_issues(db, 3).await;
        app.sim.repo(API).close_issue(2);
        app.sim.repo(API).add_label(3, "status/done");
        app.next_beat("loader").await;
        let start = async |body: Value| app.post("/api/agent-work/start", body).await;
        let missing = "Missing required field: agentName (string)";
        let cases = [
            (json!({}), 400, "agentName", missing),
            (json!({ "agentName": "" }), 400, "agentName", missing),
            (json!({ "agentName": 7 }), 400, "agentName", missing),
            (json!({ "agentName": "a/b" }), 400, "agentName", "agentName: an agent name is 1 to 44"),
            (json!({ "agentName": "a", "issueId": 1 }), 400, "issueId", "issueId must be a string"),
            (json!({ "agentName": "a", "runId": [] }), 400, "runId", "runId must be a string"),
            (json!({ "agentName": "a", "branch": {} }), 400, "branch", "branch must be a string"),
            (json!({ "agentName": "a", "branch": "b".repeat(1_001) }), 400, "branch", "branch must be at most 1000 characters"),
            (json!({ "agentName": "a", "lease": "yes" }), 400, "lease", "lease must be true or false"),
            (json!({ "agentName": "a", "runId": "a\0b" }), 400, "runId", "runId must not hold the character U+0000"),
            (json!({ "agentName": "a", "issueId": id(&app, 2).await }), 400, "issueId", "Cannot claim a closed issue"),
            (json!({ "agentName": "a", "issueId": id(&app, 3).await }), 400, "issueId", "Cannot claim a done issue"),
        ];
        for (body, code, field, words) in cases {
            let refused = start(body.clone()).await.expect(code);
            assert!(refused["error"].as_str().unwrap().starts_with(words), "{body}: {refused}");
            assert_eq!(refused["field"], field, "{body}");
        }
        let unknown = start(json!({ "agentName": "a", "issueId": "none" })).await.expect(404);
        assert_eq!(unknown["error"], "Issue not found in local cache");
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 0);
        assert_eq!(audited(&app).await, ["system mark_done"], "of the closed issue only");
        // `null` counts as absent.
        start(json!({ "agentName": "a", "issueId": null, "runId": null })).await.expect(201);
    }

    async fn without_githubs_word_nothing_starts(db) {
        let app = with_issues(db, 1).await;
        app.advance(std::time::Duration::from_mins(1));
        let fault = app.sim.fault(Fault::new(FaultKind::Status(500)));
        let refused = start(&app, 1, "coder").await.expect(503);
        assert!(refused["error"].as_str().unwrap().starts_with("Could not verify live GitHub labels: "), "{refused}");
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 0);
        app.sim.clear_fault(fault);
        app.advance(std::time::Duration::from_mins(5));
        start(&app, 1, "coder").await.expect(201);
    }

    async fn workers_start_for_their_agent_only(db) {
        let app = with_issues(db, 1).await;
        let own = json!({ "agentName": "bound", "issueId": id(&app, 1).await });
        let other = post_as(&app, BOUND, "/api/agent-work/start", json!({ "agentName": "other" })).await.expect(403);
        assert_eq!(other["error"], "Worker token is bound to agent \"bound\" and may not act for \"other\"");
        assert_eq!(post_as(&app, UNBOUND, "/api/agent-work/start", own.clone()).await.expect(403)["code"], "unbound_token");
        post_as(&app, BOUND, "/api/agent-work/start", own).await.expect(201);
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE action = 'worker_scope_denied'").await, 2);
    }
}
