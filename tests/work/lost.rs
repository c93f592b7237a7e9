//! Late writers: whoever lost a claim is refused on every path, and learns to whom.

use serde_json::{Value, json};

use super::{active, as_worker, checkpoint, finish, id, operate, shown, start};
use crate::{
    each_db,
    field::*,
    support::{Answer, App, UNBOUND},
};

/// Every way of a holder to write that shows its claim; a heartbeat is one, too.
async fn write_all(app: &App, number: i64, agent: &str, claim: &Value) -> Vec<(&'static str, Answer)> {
    let named = and(named(app, number, agent).await, shown(claim));
    let status = and(named.clone(), json!({ "status": "in-review" }));
    vec![
        ("checkpoint", checkpoint(app, agent, "PR_OPENED", shown(claim)).await),
        ("done", checkpoint(app, agent, "DONE", shown(claim)).await),
        ("finish", finish(app, agent, "DONE", shown(claim)).await),
        ("finish released", finish(app, agent, "RELEASED", shown(claim)).await),
        ("finish noted", finish(app, agent, "BLOCKED", shown(claim)).await),
        ("status", app.post("/api/issues/status", status).await),
        ("unclaim", app.post("/api/issues/unclaim", named).await),
    ]
}

pub(super) async fn assert_lost(app: &App, number: i64, agent: &str, claim: &Value, holder: Value) {
    let before = app.db.texts(CLAIMS).await;
    for (what, answer) in write_all(app, number, agent, claim).await {
        let refused = answer.expect(409);
        assert_eq!(
            (&refused["code"], &refused["holder"]),
            (&json!("claim_lost"), &holder),
            "{what}: {refused}"
        );
        assert!(refused["lostAt"].is_string(), "{what}: {refused}");
    }
    let mut named = shown(claim);
    for checkpoint in [None, Some("pr_opened"), Some("work_complete")] {
        named["checkpoint"] = json!(checkpoint);
        let lease = renew(app, agent, json!([named])).await;
        assert_eq!(
            (&lease[0]["state"], &lease[0]["expiresAt"]),
            (&json!("lost"), &Value::Null),
            "{checkpoint:?}"
        );
    }
    // Who holds it now is not put aside by who held it before.
    if holder != Value::Null {
        for refused in [start(app, number, agent).await, claim_of(app, number, agent).await] {
            assert_eq!((&refused.expect(409)["holder"], &refused.json()["code"]), (&holder, &json!("held")));
        }
    }
    // A report is the record of what was, and no write to the claim.
    let path = format!("/api/agents/{agent}/tasks/report");
    let told =
        json!({ "taskType": "implement", "outcome": "failed", "repoFullName": API, "issueNumber": number });
    app.post(&path, told).await.expect(200);
    assert_eq!(app.db.texts(CLAIMS).await, before, "a late writer changes nothing");
}

const CLAIMS: &str =
    "SELECT id || state || checkpoint || expires_at || coalesce(end_reason, '') FROM claims ORDER BY fence";

async fn claim_of(app: &App, number: i64, agent: &str) -> Answer {
    claim(app, number, agent).await
}

each_db! {
    async fn a_lease_that_ran_out_is_lost_once_it_is_taken_back(db) {
        let app = with_issues(db, 1).await;
        let old = start(&app, 1, "old").await.expect(201);
        checkpoint(&app, "old", "BRANCH_CREATED", shown(&old)).await.expect(200);
        app.advance(TTL);
        checkpoint(&app, "old", "CHANGES_MADE", shown(&old)).await.expect(200);
        app.advance(TTL);
        app.beat("other").await;
        assert_lost(&app, 1, "old", &old, Value::Null).await;
        let taken = claim(&app, 1, "new").await.expect(200);
        assert_lost(&app, 1, "old", &old, json!("new")).await;
        assert_eq!(active(&app, "old").await["hasActiveWork"], false);
        assert_labels(&app, 1, &["agent/new", "bug", "status/in-progress"]).await;
        assert!(taken["fence"].as_i64() > old["fence"].as_i64());
        checkpoint(&app, "new", "PR_OPENED", shown(&taken)).await.expect(200);
    }

    async fn whatever_took_it_the_old_holder_is_refused(db) {
        let app = with_issues(db, 3).await;
        let mut old = Vec::new();
        for number in 1..=3 {
            old.push(start(&app, number, &format!("old-{number}")).await.expect(201));
        }
        app.post("/api/issues/claim", and(named(&app, 1, "new").await, json!({ "force": true }))).await.expect(200);
        operate(&app, json!({ "action": "reassign", "workId": old[1]["id"], "newAgentName": "new" })).await.expect(200);
        operate(&app, json!({ "action": "release", "workId": old[2]["id"] })).await.expect(200);
        assert_lost(&app, 1, "old-1", &old[0], json!("new")).await;
        assert_lost(&app, 2, "old-2", &old[1], json!("new")).await;
        assert_lost(&app, 3, "old-3", &old[2], Value::Null).await;
        assert_sound(&app).await;
    }

    async fn a_wrong_fence_or_anothers_claim_is_refused(db) {
        let app = with_issues(db, 1).await;
        let own = start(&app, 1, "coder").await.expect(201);
        let fence = own["fence"].as_i64().unwrap();
        for (agent, claim) in [
            ("coder", json!({ "claimId": own["claimId"], "fence": fence + 1 })),
            ("thief", json!({ "claimId": own["claimId"], "fence": fence })),
            ("coder", json!({ "claimId": "none", "fence": fence })),
        ] {
            assert_eq!(checkpoint(&app, agent, "DONE", claim.clone()).await.expect(409)["code"], "claim_lost", "{agent} {claim}");
            assert_eq!(finish(&app, agent, "DONE", claim.clone()).await.expect(409)["code"], "claim_lost", "{agent} {claim}");
        }
        checkpoint(&app, "coder", "DONE", json!({ "claimId": own["claimId"] })).await.expect(200);
    }

    async fn workers_are_fenced_without_showing_anything(db) {
        let app = with_issues(db, 2).await;
        let body = json!({ "agentName": "bound", "checkpoint": "PR_OPENED" });
        let nothing = as_worker(&app, "/api/agent-work/checkpoint", body.clone()).await.expect(404);
        assert_eq!(nothing["error"], "No active work found for agent");
        start(&app, 1, "bound").await.expect(201);
        as_worker(&app, "/api/agent-work/checkpoint", body.clone()).await.expect(200);
        app.post("/api/issues/claim", and(named(&app, 1, "thief").await, json!({ "force": true }))).await.expect(200);
        for (path, body) in [("checkpoint", body.clone()), ("finish", json!({ "agentName": "bound", "state": "DONE" }))] {
            let late = as_worker(&app, &format!("/api/agent-work/{path}"), body).await.expect(409);
            assert_eq!((&late["code"], &late["holder"]), (&json!("claim_lost"), &json!("thief")), "{path}");
        }
        assert_eq!(post_as(&app, UNBOUND, "/api/agent-work/checkpoint", body.clone()).await.expect(409)["code"], "claim_lost");
        // An operator is not fenced: there is just nothing to move on.
        app.post("/api/agent-work/checkpoint", body.clone()).await.expect(404);
        start(&app, 2, "bound").await.expect(201);
        as_worker(&app, "/api/agent-work/finish", json!({ "agentName": "bound", "state": "DONE" })).await.expect(200);
        assert_eq!(as_worker(&app, "/api/agent-work/checkpoint", body).await.status, 404, "it ended that itself");
    }

    async fn workers_report_for_their_agent_only(db) {
        let app = with_issues(db, 1).await;
        start(&app, 1, "other").await.expect(201);
        let bodies = [("checkpoint", json!({ "agentName": "other", "checkpoint": "DONE" })), ("finish", json!({ "agentName": "other", "state": "DONE" }))];
        for (path, body) in bodies {
            let path = format!("/api/agent-work/{path}");
            assert_eq!(as_worker(&app, &path, body.clone()).await.expect(403)["code"], "other_agent");
            // `contract/agents.md` 1.5 does not tie the shared token here.
            let body = and(body, json!({ "claimId": "none" }));
            assert_eq!(post_as(&app, UNBOUND, &path, body).await.status, 409);
        }
        assert_eq!(id(&app, 1).await, active(&app, "other").await["context"]["issueId"]);
    }
}
