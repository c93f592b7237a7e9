//! The words of refusals that several endpoints have in common.

use std::time::Duration;

use github_sim::{Fault, FaultKind};
use serde_json::{Value, json};

use super::{scene, table::ENDPOINTS};
use crate::{
    each_db,
    support::{MAINTAINER, app::send},
};

const NAMED: &str = "Missing required fields: issueId, repoFullName, issueNumber, agentName";
const STATUS: &str = "Missing required fields: issueId, repoFullName, issueNumber, status";
const AGENT: &str = "Missing required field: agentName (string)";

each_db! {
    async fn bodies_that_are_no_objects_are_told_so(db) {
        let scene = scene(db, "coder").await;
        let before = scene.rows().await;
        let with_body = ENDPOINTS.iter().filter(|endpoint| endpoint.method == "POST" && !endpoint.path.ends_with("/sweep"));
        for endpoint in with_body {
            // The contract's words for this one route.
            let wanted = if endpoint.path.ends_with("/requeue") { "Invalid JSON" } else { "Invalid JSON body" };
            for body in ["{", "[]", "null", "7", "\"x\"", "{}x", "{\"agentName\":}", "\u{0}"] {
                let request = scene.app.request("POST", &scene.fill(endpoint.path), MAINTAINER).body(body);
                let refused = send(request).await.expect(400);
                let words = refused["error"].as_str().expect("words");
                assert!(words.starts_with(wanted), "{} {body}: {words}", endpoint.path);
            }
        }
        assert_eq!(scene.rows().await, before);
    }

    async fn what_is_missing_is_named(db) {
        let scene = scene(db, "coder").await;
        let before = scene.rows().await;
        let cases: [(&str, &[&str], &str); 8] = [
            ("/api/issues/claim", &["issueId", "repoFullName", "issueNumber", "agentName"], NAMED),
            ("/api/issues/unclaim", &["issueId", "repoFullName", "issueNumber", "agentName"], NAMED),
            ("/api/issues/status", &["issueId", "repoFullName", "issueNumber", "status"], STATUS),
            ("/api/agent-work/start", &["agentName"], AGENT),
            ("/api/agent-work/checkpoint", &["agentName"], AGENT),
            ("/api/agent-work/finish", &["agentName"], AGENT),
            ("/api/agent-work", &["action"], "Unknown action"),
            ("/api/agents/{agent}/tasks/report", &["taskType"], "Invalid taskType. Must be one of: implement, followup-pr, groom"),
        ];
        for (path, fields, words) in cases {
            let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.path == path).expect("an endpoint");
            for field in fields {
                for nothing in [None, Some(Value::Null), Some(json!("")), Some(json!("  "))] {
                    if *field == "issueNumber" && nothing.as_ref().is_some_and(Value::is_string) {
                        continue;
                    }
                    let mut body = scene.body(endpoint);
                    match &nothing {
                        Some(value) => drop(body.insert((*field).to_owned(), value.clone())),
                        None => drop(body.remove(*field)),
                    }
                    let refused = scene.ask_with(endpoint, MAINTAINER, &scene.fill(path), body).await.expect(400);
                    let told = (refused["error"].as_str(), refused["field"].as_str());
                    assert_eq!(told, (Some(words), Some(*field)), "{path}: {nothing:?}");
                }
            }
        }
        let missing = scene.app.get("/api/issues/claimed").await.expect(400);
        assert_eq!(missing["error"], "Missing required query parameter: agentName");
        assert_eq!(scene.rows().await, before);
    }

    async fn an_issue_that_is_not_the_one_named_is_told(db) {
        let scene = scene(db, "coder").await;
        let before = scene.rows().await;
        let words = "issueId does not match repoFullName/issueNumber; expected acme/api#1";
        for path in ["/api/issues/claim", "/api/issues/unclaim"] {
            for (field, other) in [("issueNumber", json!(2)), ("repoFullName", json!("acme/web")), ("repoFullName", json!("nonsense"))] {
                let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.path == path).expect("an endpoint");
                let mut body = scene.body(endpoint);
                body.insert(field.to_owned(), other);
                let refused = scene.ask_with(endpoint, MAINTAINER, path, body).await.expect(400);
                assert_eq!(refused["error"], words, "{path}, another {field}");
            }
        }
        assert_eq!(scene.rows().await, before);
    }

    async fn without_githubs_word_it_is_503_and_nothing_changes(db) {
        let scene = scene(db, "coder").await;
        let issue = scene.app.get("/api/issues/state?repo=acme/api&number=2").await.expect(200)["issueId"].clone();
        let before = scene.rows().await;
        scene.app.advance(Duration::from_secs(16));
        scene.app.sim.fault(Fault::new(FaultKind::Status(500)));
        let named = json!({ "issueId": issue, "repoFullName": "acme/api", "issueNumber": 2, "agentName": "coder", "status": "ready" });
        for path in ["/api/issues/claim", "/api/issues/status", "/api/agent-work/start"] {
            let refused = scene.app.post(path, named.clone()).await.expect(503);
            let words = refused["error"].as_str().expect("words");
            assert!(words.starts_with("Could not verify live GitHub labels: "), "{path}: {words}");
        }
        assert_eq!(scene.rows().await, before);
    }
}
