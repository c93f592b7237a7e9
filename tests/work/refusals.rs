//! What is refused, in which words, and that no body makes a 500.

use serde_json::json;

use super::{checkpoint, finish, start};
use crate::{
    each_db,
    field::*,
    support::{MAINTAINER, app::send},
};

const POSTS: [&str; 4] =
    ["/api/agent-work", "/api/agent-work/start", "/api/agent-work/checkpoint", "/api/agent-work/finish"];

each_db! {
    async fn bodies_that_are_no_objects_are_told_so(db) {
        let app = with_issues(db, 1).await;
        for path in POSTS {
            for (text, words) in [("{", "Invalid JSON body"), ("", "Invalid JSON body"), ("[]", "Invalid JSON body"), ("7", "Invalid JSON body")] {
                let refused = send(app.request("POST", path, MAINTAINER).body(text)).await.expect(400);
                assert!(refused["error"].as_str().unwrap().starts_with(words), "{path} {text}: {refused}");
            }
        }
        for path in &POSTS[1..] {
            let refused = send(app.request("POST", path, MAINTAINER).body("[]")).await.expect(400);
            assert_eq!(refused["error"], "Invalid JSON body: expected an object");
        }
    }

    async fn checkpoints_are_checked(db) {
        let app = with_issues(db, 1).await;
        start(&app, 1, "coder").await.expect(201);
        let good = json!({ "agentName": "coder", "checkpoint": "PR_OPENED" });
        let reason = "blockerReason is required (a non-empty string) when checkpoint is BLOCKED";
        let cases = [
            (json!({ "checkpoint": "DONE" }), "agentName", "Missing required field: agentName (string)"),
            (json!({ "agentName": "coder" }), "checkpoint", "Missing required field: checkpoint (string)"),
            (and(good.clone(), json!({ "checkpoint": 7 })), "checkpoint", "checkpoint must be a string"),
            (and(good.clone(), json!({ "checkpoint": "LATER" })), "checkpoint", "Invalid checkpoint: \"LATER\". Must be one of: CLAIMED, REPO_PREPARED, "),
            (and(good.clone(), json!({ "checkpoint": "BLOCKED" })), "blockerReason", reason),
            (and(good.clone(), json!({ "checkpoint": "stuck", "blockerReason": " " })), "blockerReason", reason),
            (and(good.clone(), json!({ "blockerReason": 1 })), "blockerReason", "blockerReason must be a string"),
            (and(good.clone(), json!({ "summary": 1 })), "summary", "summary must be a string"),
            (and(good.clone(), json!({ "summary": "s".repeat(20_001) })), "summary", "summary must be at most 20000 characters"),
            (and(good.clone(), json!({ "prUrl": "javascript:alert(1)" })), "prUrl", "prUrl must be an http(s) URL"),
            (and(good.clone(), json!({ "claimId": 1 })), "claimId", "claimId must be a string"),
            (and(good.clone(), json!({ "claimId": "x", "fence": "1" })), "fence", "fence must be a positive integer"),
        ];
        for (body, field, words) in cases {
            let refused = app.post("/api/agent-work/checkpoint", body.clone()).await.expect(400);
            assert!(refused["error"].as_str().unwrap().starts_with(words), "{body}: {refused}");
            assert_eq!(refused["field"], field, "{body}");
        }
        assert_eq!(app.db.texts("SELECT checkpoint FROM claims").await, ["issue_claimed"], "a refusal changes nothing");
        checkpoint(&app, "nobody", "DONE", json!({})).await.expect(404);
        app.post("/api/agent-work/checkpoint", good).await.expect(200);
    }

    async fn ends_are_checked(db) {
        let app = with_issues(db, 1).await;
        start(&app, 1, "coder").await.expect(201);
        let names = "Must be one of: CLAIMED, IN_PROGRESS, BLOCKED, DONE, RELEASED, STALE";
        let cases = [
            (json!({ "state": "DONE" }), "agentName", "Missing required field: agentName (string)".to_owned()),
            (json!({ "agentName": "coder" }), "state", "Missing required field: state (string)".to_owned()),
            (json!({ "agentName": "coder", "state": true }), "state", "state must be a string".to_owned()),
            (json!({ "agentName": "coder", "state": "GONE" }), "state", format!("Invalid state: \"GONE\". {names}")),
            (json!({ "agentName": "coder", "state": "DONE", "summary": [] }), "summary", "summary must be a string".to_owned()),
        ];
        for (body, field, words) in cases {
            let refused = app.post("/api/agent-work/finish", body.clone()).await.expect(400);
            assert_eq!((refused["error"].as_str(), refused["field"].as_str()), (Some(words.as_str()), Some(field)), "{body}");
        }
        assert_eq!(finish(&app, "nobody", "DONE", json!({})).await.expect(404)["error"], "No active work found for agent");
        finish(&app, "coder", "DONE", json!({})).await.expect(200);
    }
}
