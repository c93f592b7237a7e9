//! What operators do to the work of others: release it, give it to another.

use serde_json::{Value, json};

use super::{active, as_worker, checkpoint, ends, finish, history, id, operate, shown, start, start_free};
use crate::{each_db, field::*};

each_db! {
    async fn released_work_is_free_again(db) {
        let app = with_issues(db, 2).await;
        let work = start(&app, 1, "one").await.expect(201);
        checkpoint(&app, "one", "CHANGES_MADE", json!({ "summary": "half way" })).await.expect(200);
        let free = start_free(&app, "two").await.expect(201);
        app.tick();
        let answer = operate(&app, json!({ "action": "release", "workId": work["id"] })).await.expect(200);
        assert_eq!(answer, json!({ "success": true, "reason": "Released by operator" }));
        app.tick();
        let answer = operate(&app, json!({ "action": "release", "workId": free["id"], "reason": "not needed" })).await.expect(200);
        assert_eq!(answer["reason"], "not needed");
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        assert_eq!(ends(&app).await, ["one withdrawn", "two withdrawn"]);
        assert_eq!(history(&app).await.iter().filter(|row| row.ends_with("released RELEASED")).count(), 2);
        assert_eq!(app.db.texts("SELECT summary FROM claims WHERE agent_key = 'one'").await, ["half way"]);
        let why = "SELECT h.summary FROM claim_history h WHERE h.action = 'released' ORDER BY h.at, h.id";
        assert_eq!(app.db.texts(why).await, ["Released by operator", "not needed"]);
        let rows = app.get(&format!("/api/audit?repo={API}&limit=1")).await.expect(200);
        assert_eq!((&rows[0]["action"], &rows[0]["notes"]), (&json!("agent_work_released"), &json!("one held it: Released by operator")));
        assert!(!rows[0]["afterLabels"].as_array().unwrap().contains(&json!("agent/one")), "{}", rows[0]);
        for id in [&work["id"], &free["id"]] {
            let again = operate(&app, json!({ "action": "release", "workId": id })).await.expect(400);
            assert_eq!(again["error"], "Work is already completed or released");
        }
    }

    async fn a_stale_lease_is_released_by_the_id_of_the_list(db) {
        let app = with_issues(db, 2).await;
        claim(&app, 1, "batch").await.expect(200);
        app.advance(TTL);
        let stale = app.get("/api/agent-work").await.expect(200)["staleLeases"][0]["id"].clone();
        assert!(stale.as_str().unwrap().starts_with("lease-"));
        operate(&app, json!({ "action": "release", "leaseId": stale })).await.expect(200);
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        let rows = app.get(&format!("/api/audit?repo={API}&limit=1")).await.expect(200);
        assert_eq!(rows[0]["action"], "lease_released");
        assert_eq!(operate(&app, json!({ "action": "release", "leaseId": stale })).await.expect(404)["error"], "Lease not found");
        let both = start(&app, 2, "coder").await.expect(201);
        operate(&app, json!({ "action": "release", "workId": both["id"], "leaseId": both["id"] })).await.expect(200);
        assert_eq!(app.db.count("SELECT count(*) FROM claims WHERE ended_at IS NULL").await, 0);
    }

    async fn stale_work_is_put_away(db) {
        let app = with_issues(db, 1).await;
        let work = lease(&app, 1, "coder").await.expect(200);
        app.advance(TTL);
        app.beat("x").await;
        let listed = async || app.get("/api/agent-work").await.expect(200)["activeWork"].as_array().unwrap().len();
        assert_eq!(listed().await, 1, "stale work stays in sight");
        app.tick();
        operate(&app, json!({ "action": "release", "workId": work["claimId"] })).await.expect(200);
        assert_eq!(listed().await, 0);
        assert_eq!(history(&app).await, ["coder claim CLAIMED", "coder stale STALE", "coder released RELEASED"]);
        assert_eq!(ends(&app).await, ["coder expired"], "how it ended stays on record");
    }

    async fn an_agent_is_released_as_a_whole_or_from_one_issue(db) {
        let app = with_issues(db, 3).await;
        for number in 1..=3 {
            claim(&app, number, "Coder").await.expect(200);
        }
        start_free(&app, "coder").await.expect(201);
        claim(&app, 3, "coder").await.expect(200);
        let one = json!({ "action": "release", "agentName": "coder", "issueId": id(&app, 2).await, "reason": "why" });
        let answer = operate(&app, one.clone()).await.expect(200);
        assert_eq!(answer, json!({ "success": true, "reason": "why", "releasedLeases": 1, "releasedWork": 0 }));
        assert_eq!(operate(&app, one).await.expect(200)["releasedLeases"], 0);
        let all = json!({ "action": "release", "agentName": "CODER", "releaseAll": true });
        let answer = operate(&app, all.clone()).await.expect(200);
        assert_eq!((&answer["releasedLeases"], &answer["releasedWork"]), (&json!(2), &json!(1)));
        let nothing = operate(&app, all).await.expect(200);
        assert_eq!((&nothing["releasedLeases"], &nothing["releasedWork"]), (&json!(0), &json!(0)));
        for number in 1..=3 {
            assert_labels(&app, number, &["bug", "status/ready"]).await;
        }
        assert_eq!(history(&app).await.iter().filter(|row| row.ends_with("released_by_operator RELEASED")).count(), 4);
        assert_eq!(app.db.count("SELECT count(*) FROM audit_log WHERE action = 'orphan_work_released'").await, 4);
    }

    async fn reassigned_work_is_a_new_attempt_of_another(db) {
        let app = with_issues(db, 2).await;
        let old = start(&app, 1, "one").await.expect(201);
        checkpoint(&app, "one", "PR_OPENED", json!({ "summary": "open", "branch": "fix/1", "prUrl": "https://github.com/acme/api/pull/3" })).await.expect(200);
        status(&app, 1, "in-review").await.expect(200);
        start(&app, 2, "Two").await.expect(201);
        app.tick();
        let answer = operate(&app, json!({ "action": "reassign", "workId": old["id"], "newAgentName": "two" })).await.expect(200);
        let work = &answer["work"];
        assert_eq!(answer["success"], true);
        assert_eq!((&work["agentName"], &work["state"], &work["lastHeartbeatAt"]), (&json!("Two"), &json!("CLAIMED"), &json!("2026-01-01T00:00:10.000Z")));
        assert_eq!((&work["branch"], &work["checkpoint"], &work["summary"]), (&json!("fix/1"), &json!("PR_OPENED"), &json!("open")));
        assert_eq!(work["issue"], json!({ "number": 1, "repository": { "fullName": API } }));
        assert_ne!(work["id"], old["id"], "an attempt is a row");
        assert_eq!(ends(&app).await, ["one reassigned", "Two superseded"]);
        assert_labels(&app, 1, &["agent/Two", "bug", "status/in-review"]).await;
        assert_labels(&app, 2, &["bug", "status/ready"]).await;
        let told = history(&app).await;
        for row in ["one reassigned RELEASED", "Two reassigned CLAIMED", "Two released_by_reassignment RELEASED"] {
            assert!(told.iter().any(|told| told == row), "{row}: {told:?}");
        }
        assert_eq!(checkpoint(&app, "one", "DONE", shown(&old)).await.expect(409)["holder"], "Two");
        assert_eq!(active(&app, "two").await["context"]["nextAction"], "check_pr_status");
        let mine = checkpoint(&app, "two", "feedback_received", json!({})).await.expect(200);
        assert_eq!(mine["id"], work["id"]);
        assert!(mine["fence"].as_i64() > old["fence"].as_i64());
        let rows = app.get(&format!("/api/audit?repo={API}")).await.expect(200);
        let row = rows.as_array().unwrap().iter().find(|row| row["action"] == "agent_work_reassigned").expect("a row");
        assert_eq!(row["beforeLabels"], json!(["bug", "agent/one", "status/in-review"]));
        assert_eq!(row["afterLabels"], json!(["bug", "status/in-review", "agent/Two"]));
        assert_sound(&app).await;
    }

    async fn what_went_stale_may_be_given_out_again_while_its_issue_is_free(db) {
        let app = with_issues(db, 1).await;
        let old = lease(&app, 1, "one").await.expect(200);
        app.advance(TTL);
        app.beat("x").await;
        let give = json!({ "action": "reassign", "workId": old["claimId"], "newAgentName": "two" });
        operate(&app, give.clone()).await.expect(200);
        assert_eq!(shown_labels(&app).await, ["agent/two", "bug", "status/ready"]);
        let held = operate(&app, give.clone()).await.expect(409);
        assert_eq!((&held["holder"], &held["error"]), (&json!("two"), &json!("Issue is held by two; reassign that work")));
        unclaim(&app, 1, "two").await.expect(200);
        app.sim.repo(API).close_issue(1);
        app.next_beat("x").await;
        assert_eq!(operate(&app, give).await.expect(400)["error"], "Cannot claim a closed issue");
    }

    async fn free_work_is_reassigned_too(db) {
        let app = with_issues(db, 1).await;
        let old = start_free(&app, "one").await.expect(201);
        let answer = operate(&app, json!({ "action": "reassign", "workId": old["id"], "newAgentName": "two", "reason": "tired" })).await.expect(200);
        assert_eq!((&answer["work"]["issueId"], &answer["work"]["issue"]), (&Value::Null, &Value::Null));
        let notes = app.db.texts("SELECT notes FROM audit_log WHERE action = 'agent_work_reassigned'").await;
        assert!(notes[0].starts_with("from one to two, claim ") && notes[0].ends_with(": tired"), "{notes:?}");
    }

    async fn what_is_wrong_is_named(db) {
        let app = with_issues(db, 1).await;
        let done = start(&app, 1, "one").await.expect(201);
        finish(&app, "one", "DONE", json!({})).await.expect(200);
        let release = |more: Value| and(json!({ "action": "release" }), more);
        let reassign = |more: Value| and(json!({ "action": "reassign" }), more);
        let cases = [
            (json!({}), 400, "Unknown action"),
            (json!({ "action": "drop" }), 400, "Unknown action"),
            (json!({ "action": 1 }), 400, "Unknown action"),
            (release(json!({})), 400, "Missing workId, leaseId, or agentName"),
            (release(json!({ "workId": 1 })), 400, "workId must be a string"),
            (release(json!({ "workId": "none" })), 404, "Work item not found"),
            (release(json!({ "leaseId": "none" })), 404, "Lease not found"),
            (release(json!({ "workId": done["id"] })), 400, "Work is already completed or released"),
            (release(json!({ "agentName": "one" })), 400, "Missing required field: issueId, or set releaseAll: true"),
            (release(json!({ "agentName": "one", "releaseAll": false })), 400, "Missing required field: issueId, or set releaseAll: true"),
            (release(json!({ "agentName": "one", "releaseAll": "yes" })), 400, "releaseAll must be true or false"),
            (release(json!({ "agentName": "a b", "releaseAll": true })), 400, "agentName: an agent name is 1 to 44"),
            (release(json!({ "workId": "x", "reason": 1 })), 400, "reason must be a string"),
            (reassign(json!({})), 400, "Missing workId"),
            (reassign(json!({ "workId": "x" })), 400, "Missing newAgentName"),
            (reassign(json!({ "workId": "x", "newAgentName": "a b" })), 400, "newAgentName: an agent name is 1 to 44"),
            (reassign(json!({ "workId": "none", "newAgentName": "two" })), 404, "Work item not found"),
            (reassign(json!({ "workId": done["id"], "newAgentName": "two" })), 400, "Work is already completed or released"),
        ];
        for (body, code, words) in cases {
            let refused = operate(&app, body.clone()).await.expect(code);
            assert!(refused["error"].as_str().unwrap().starts_with(words), "{body}: {refused}");
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 1);
        for body in [release(json!({ "workId": done["id"] })), json!({})] {
            assert_eq!(as_worker(&app, "/api/agent-work", body).await.expect(403)["code"], "maintainer_required");
        }
    }
}

async fn shown_labels(app: &crate::support::App) -> Vec<String> {
    crate::field::shown(app, 1).await
}
