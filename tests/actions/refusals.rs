//! What is asked wrongly: each refusal with its text and its field, and nothing changed by any.

use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{App, BOUND, MAINTAINER, UNBOUND, app::send},
};

/// A wrong request: the path, what differs from a right one (`null` leaves a field out), the field that is named, the text.
type Wrong = (&'static str, Value, &'static str, &'static str);

/// What a right request needs besides the issue.
fn right(path: &str) -> Value {
    match path {
        "move" => drag("ready", "in-progress"),
        "label" | "unlabel" => json!({ "label": "x" }),
        "comment" => json!({ "body": "Hello" }),
        "actions" => json!({ "action": "assign_agent", "value": "agent/coder" }),
        "unassign" => json!({ "action": "unassign_agent" }),
        "groom" => json!({ "action": "escalate", "actor": "ann" }),
        _ => json!({ "repo": API, "decomposed": true, "actor": "ann" }),
    }
}

const PATHS: [&str; 8] =
    ["move", "label", "unlabel", "comment", "actions", "unassign", "groom", "actions/decompose"];

fn missing() -> Vec<Wrong> {
    let all = [
        (
            "move",
            "Missing required fields",
            &["issueId", "repoFullName", "issueNumber", "oldLabels", "newLabels"][..],
        ),
        (
            "label",
            "Missing required fields: issueId, repoFullName, issueNumber, label",
            &["issueId", "repoFullName", "issueNumber", "label"],
        ),
        (
            "unlabel",
            "Missing required fields: issueId, repoFullName, issueNumber, label",
            &["issueId", "repoFullName", "issueNumber", "label"],
        ),
        (
            "comment",
            "Missing required fields: issueId, repoFullName, issueNumber, body",
            &["issueId", "repoFullName", "issueNumber", "body"],
        ),
        (
            "actions",
            "Missing required fields: action, value, issueId, repoFullName, issueNumber",
            &["action", "value", "issueId", "repoFullName", "issueNumber"],
        ),
        (
            "unassign",
            "Missing required fields: issueId, repoFullName, issueNumber, action",
            &["issueId", "repoFullName", "issueNumber", "action"],
        ),
        (
            "groom",
            "Missing required fields: repoFullName, issueNumber, action",
            &["repoFullName", "issueNumber", "action"],
        ),
        (
            "actions/decompose",
            "Missing required fields: repo, issueNumber, decomposed",
            &["repo", "issueNumber", "decomposed"],
        ),
    ];
    let each = |(path, text, fields): (&'static str, &'static str, &'static [&'static str])| {
        fields.iter().map(move |field| (path, json!({ *field: null }), *field, text))
    };
    all.into_iter().flat_map(each).collect()
}

fn wrong() -> Vec<Wrong> {
    let long = "x".repeat(51);
    let mut wrong = vec![
        (
            "move",
            json!({ "newLabels": ["status/odd"] }),
            "newLabels",
            "Invalid status label: status/odd. Allowed: status/backlog, status/ready, status/in-progress, status/in-review, status/blocked, status/done",
        ),
        (
            "move",
            json!({ "oldLabels": ["bug", "status/"] }),
            "oldLabels",
            "Invalid status label: status/. Allowed: status/backlog, status/ready, status/in-progress, status/in-review, status/blocked, status/done",
        ),
        (
            "move",
            json!({ "newLabels": "status/ready" }),
            "newLabels",
            "newLabels must be an array of strings, 100 at most",
        ),
        (
            "move",
            json!({ "oldLabels": [1] }),
            "oldLabels",
            "oldLabels must be an array of strings, 100 at most",
        ),
        (
            "move",
            json!({ "newLabels": vec!["a"; 101] }),
            "newLabels",
            "newLabels must be an array of strings, 100 at most",
        ),
        (
            "label",
            json!({ "label": "  " }),
            "label",
            "Missing required fields: issueId, repoFullName, issueNumber, label",
        ),
        ("label", json!({ "label": long }), "label", "label must be at most 50 characters"),
        ("label", json!({ "label": "a\nb" }), "label", "label must be one line of text"),
        ("label", json!({ "label": ["x"] }), "label", "label must be a string"),
        ("label", json!({ "action": 7 }), "action", "action must be a string"),
        ("unlabel", json!({ "label": "x".repeat(51) }), "label", "label must be at most 50 characters"),
        (
            "comment",
            json!({ "body": " \n" }),
            "body",
            "Missing required fields: issueId, repoFullName, issueNumber, body",
        ),
        ("comment", json!({ "body": "é".repeat(32_501) }), "body", "body must be at most 65000 bytes"),
        ("comment", json!({ "body": {} }), "body", "body must be a string"),
        ("comment", json!({ "body": "a\u{0}b" }), "body", "body must not hold the character U+0000"),
        (
            "actions",
            json!({ "action": "assign" }),
            "action",
            "Invalid action: assign. Allowed: assign_agent, assign_owner",
        ),
        ("actions", json!({ "value": "owner/ann" }), "value", "value must start with agent/"),
        ("actions", json!({ "action": "assign_owner" }), "value", "value must start with owner/"),
        ("actions", json!({ "value": "agent/" }), "value", "value must be agent/ and a name"),
        (
            "actions",
            json!({ "value": "agent/a b" }),
            "value",
            "value: an agent name is 1 to 44 characters: a letter or digit, then letters, digits, '.', '_' or '-'",
        ),
        (
            "actions",
            json!({ "action": "assign_owner", "value": "owner/ " }),
            "value",
            "value must be owner/ and a name",
        ),
        ("actions", json!({ "force_claim": "yes" }), "force_claim", "force_claim must be true or false"),
        (
            "unassign",
            json!({ "action": "assign_agent" }),
            "action",
            "Invalid action: assign_agent. Allowed: unassign_agent, unassign_owner",
        ),
        ("unassign", json!({}), "action", "Issue has no agent/* label"),
        (
            "groom",
            json!({ "action": "Escalate" }),
            "action",
            "action: one of promote_to_ready, escalate, mark_not_ready, mark_needs_info, mark_blocked",
        ),
        (
            "groom",
            json!({ "groomingSummary": "x".repeat(2_001) }),
            "groomingSummary",
            "groomingSummary must be at most 2000 characters",
        ),
        ("groom", json!({ "blockedReason": 7 }), "blockedReason", "blockedReason must be a string"),
        (
            "groom",
            json!({ "repoFullName": "acme" }),
            "repoFullName",
            "repoFullName: write it as owner/name, for example octocat/hello-world",
        ),
        (
            "groom",
            json!({ "issueNumber": 2 }),
            "issueId",
            "issueId does not match repoFullName/issueNumber; expected acme/api#1",
        ),
        ("groom", json!({ "actor": null }), "actor", "Missing required field: actor"),
        ("groom", json!({ "agentName": "coder" }), "actor", "actor and agentName name two; send one of them"),
        ("actions/decompose", json!({ "actor": null }), "actor", "Missing required field: actor"),
        (
            "actions/decompose",
            json!({ "agentName": "coder" }),
            "actor",
            "actor and agentName name two; send one of them",
        ),
        (
            "actions/decompose",
            json!({ "decomposed": "true" }),
            "decomposed",
            "decomposed must be true or false",
        ),
        (
            "actions/decompose",
            json!({ "followUpUrls": ["javascript:alert(1)"] }),
            "followUpUrls",
            "followUpUrls must be an array of http addresses, 100 at most",
        ),
        (
            "actions/decompose",
            json!({ "followUpUrls": vec!["https://x.example"; 101] }),
            "followUpUrls",
            "followUpUrls must be an array of http addresses, 100 at most",
        ),
        (
            "actions/decompose",
            json!({ "followUpUrls": [format!("https://x.example/{}", "x".repeat(500))] }),
            "followUpUrls",
            "followUpUrls must be an array of http addresses, 100 at most",
        ),
        (
            "actions/decompose",
            json!({ "note": "x".repeat(2_001) }),
            "note",
            "note must be at most 2000 characters",
        ),
    ];
    let named = ["move", "label", "unlabel", "comment", "actions", "unassign"];
    for path in named {
        wrong.push((path, json!({ "issueId": 7 }), "issueId", "issueId must be a string"));
        wrong.push((
            path,
            json!({ "issueId": "x".repeat(101) }),
            "issueId",
            "issueId must be at most 100 characters",
        ));
    }
    for path in PATHS {
        wrong.push((
            path,
            json!({ "issueNumber": "1" }),
            "issueNumber",
            "issueNumber must be a positive integer",
        ));
        wrong.push((
            path,
            json!({ "issueNumber": 0 }),
            "issueNumber",
            "issueNumber must be a positive integer",
        ));
        wrong.push((
            path,
            json!({ "actor": "x".repeat(101) }),
            "actor",
            "actor must be at most 100 characters",
        ));
    }
    // A label or unlabel goes by the id alone.
    for path in ["move", "comment", "actions", "unassign"] {
        wrong.push((
            path,
            json!({ "issueNumber": 2 }),
            "issueId",
            "issueId does not match repoFullName/issueNumber; expected acme/api#1",
        ));
        wrong.push((
            path,
            json!({ "repoFullName": "acme/web" }),
            "issueId",
            "issueId does not match repoFullName/issueNumber; expected acme/api#1",
        ));
    }
    wrong
}

/// Everything that a refusal must leave as it was.
async fn everything(app: &App) -> (Value, Vec<i64>) {
    let mut counts = Vec::new();
    for table in ["label_edits", "outbox", "lane_history", "audit_log", "claims"] {
        counts.push(app.db.count(&format!("SELECT count(*) FROM {table}")).await);
    }
    (app.get("/api/issues").await.expect(200), counts)
}

each_db! {
    async fn what_is_wrong_is_named_and_changes_nothing(db) {
        let app = with_issues(db, 2).await;
        let before = everything(&app).await;
        for (path, differs, field, text) in missing().into_iter().chain(wrong()) {
            let body = and(right(path), differs.clone());
            // In this order: what differs may be what names the issue.
            let body = and(and(named(&app, 1).await, body), json!({}));
            let refused = app.post(&format!("/api/issues/{path}"), body).await.expect(400);
            assert_eq!((&refused["error"], &refused["field"]), (&json!(text), &json!(field)), "{path} {differs:.90}");
        }
        assert_eq!(everything(&app).await, before);
        assert_eq!(app.sim.counters().writes, 0);
    }

    async fn what_is_not_there_is_said(db) {
        let app = with_issues(db, 2).await;
        let gone = state(&app, 2).await["issueId"].clone();
        app.sim.repo(API).delete_issue(2);
        app.tick();
        app.post("/api/issues/refresh", json!({ "repoFullName": API, "issueNumber": 2 })).await.expect(502);
        let before = everything(&app).await;
        for path in ["move", "label", "unlabel", "comment", "actions", "unassign"] {
            for id in [&json!("none"), &gone] {
                let body = and(json!({ "issueId": id, "repoFullName": API, "issueNumber": 2 }), right(path));
                let refused = app.post(&format!("/api/issues/{path}"), body).await.expect(404);
                assert_eq!(refused["error"], format!("Issue not found: {}", id.as_str().unwrap()), "{path}");
            }
        }
        for (path, repo) in [("groom", "repoFullName"), ("actions/decompose", "repo")] {
            for (name, number) in [(API, 2), (API, 99), ("acme/none", 1)] {
                let body = and(right(path), json!({ repo: name, "issueNumber": number }));
                let refused = app.post(&format!("/api/issues/{path}"), body).await.expect(404);
                assert_eq!(refused["error"], "Issue not found in local cache", "{path} {name}#{number}");
            }
        }
        app.delete("/api/automation/repos/acme/api").await.expect(200);
        let untracked = json!({ "issueId": before.0[0]["id"], "repoFullName": API, "issueNumber": 1, "label": "x" });
        app.post("/api/issues/label", untracked).await.expect(404);
    }

    async fn bodies_that_are_none_are_refused(db) {
        let app = with_issues(db, 1).await;
        let too_large = json!({ "body": "x".repeat(1_100_000) }).to_string();
        for path in PATHS {
            for bad in ["", "{", "[]", "7", "null"] {
                let answer = send(app.request("POST", &format!("/api/issues/{path}"), MAINTAINER).body(bad)).await;
                assert_eq!(answer.expect(400)["error"], "Invalid JSON body", "{path} {bad:?}");
            }
            let answer = send(app.request("POST", &format!("/api/issues/{path}"), MAINTAINER).body(too_large.clone())).await;
            assert_eq!(answer.expect(413)["code"], "body_too_large", "{path}");
        }
    }

    async fn workers_are_refused_and_that_is_on_record(db) {
        let app = with_issues(db, 1).await;
        for token in [BOUND, UNBOUND] {
            for path in PATHS {
                let body = and(named(&app, 1).await, right(path));
                let request = app.request("POST", &format!("/api/issues/{path}"), token);
                let refused = send(request.body(body.to_string())).await.expect(403);
                assert_eq!(refused["code"], "maintainer_required", "{path}");
            }
            for (method, path) in [("GET", "untriaged"), ("GET", "actions/agents"), ("POST", "prune-closed")] {
                send(app.request(method, &format!("/api/issues/{path}"), token)).await.expect(403);
            }
        }
        assert!(count_audited(&app, "auth_tier_denied").await > 0);
        assert_eq!(shown(&app, 1).await, ["bug", "status/ready"]);
        assert_eq!(app.sim.counters().writes, 0);
    }
}
