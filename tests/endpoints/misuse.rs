//! Asked rightly, asked again, and asked wrongly in every way that all endpoints have in common.

use serde_json::{Map, Value, json};

use super::{
    scene,
    table::{ENDPOINTS, Endpoint, Scene, Tier},
};
use crate::{
    each_db,
    support::{BOUND, MAINTAINER, app::send},
};

/// The fields of the body as the server describes it, with a value of the wrong type for each.
fn wrong_types(endpoint: &Endpoint) -> Vec<(String, Value)> {
    let document = serde_json::to_value(dispatch::http::openapi()).expect("JSON");
    let template = endpoint.path.replace("{agent}", "{agentName}").replace("{issue}", "{issueId}");
    let schema =
        &document["paths"][&template]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let Some(to) = schema["$ref"].as_str() else { return Vec::new() };
    let schema = document.pointer(to.trim_start_matches('#')).expect("a schema");
    let values = [
        ("string", json!("nonsense")),
        ("integer", json!(7)),
        ("boolean", json!(true)),
        ("object", json!({})),
        ("array", json!([7])),
    ];
    let mut wrong = Vec::new();
    for (name, field) in schema["properties"].as_object().expect("properties") {
        let kinds = kinds(&document, field);
        let others = values.iter().filter(|(kind, _)| !kinds.contains(kind));
        wrong.extend(others.map(|(_, value)| (name.clone(), value.clone())));
    }
    wrong
}

/// The types that a field may have.
fn kinds(document: &Value, schema: &Value) -> String {
    if let Some(to) = schema["$ref"].as_str() {
        return kinds(document, document.pointer(to.trim_start_matches('#')).expect("a schema"));
    }
    match schema["oneOf"].as_array() {
        Some(either) => either.iter().map(|schema| kinds(document, schema)).collect(),
        None => schema["type"].to_string(),
    }
}

/// Everything that is a text in a body, and far too long.
fn oversized(body: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let texts = body.iter().filter(|(_, value)| value.is_string());
    texts
        .map(|(name, _)| {
            let mut body = body.clone();
            body.insert(name.clone(), json!("x".repeat(300_000)));
            (name.clone(), body)
        })
        .collect()
}

async fn unchanged(scene: &Scene, before: &[String], what: &str) {
    assert_eq!(scene.rows().await, before, "{what} changed something");
}

each_db! {
    async fn asked_rightly_and_again(db) {
        let mut scene = scene(db, "coder").await;
        for endpoint in &ENDPOINTS {
            scene.resume().await;
            let (once, again) = endpoint.codes;
            let first = scene.ask_rightly(endpoint).await;
            assert_eq!(first.status, once, "{endpoint:?}: {}", first.text);
            let second = scene.ask_rightly(endpoint).await;
            assert_eq!(second.status, again, "{endpoint:?}: {}", second.text);
            let doubled = "SELECT count(*) FROM (SELECT issue_id FROM claims WHERE ended_at IS NULL GROUP BY issue_id HAVING count(*) > 1) AS doubled";
            assert_eq!(scene.app.db.count(doubled).await, 0);
        }
    }

    async fn unknown_ids_are_404_and_told_in_the_contracts_words(db) {
        let scene = scene(db, "coder").await;
        let before = scene.rows().await;
        for endpoint in &ENDPOINTS {
            let mut asked = Vec::new();
            for id in ["none", "019b76da-a800-7000-8000-000000000000"] {
                if endpoint.path.contains("{issue}") {
                    asked.push((scene.fill(&endpoint.path.replace("{issue}", id)), scene.body(endpoint), "Issue not found in local cache".to_owned()));
                }
                let named = format!("Issue not found: {id}");
                let issue = if endpoint.acts_on_an_issue() { &named } else { "Issue not found in local cache" };
                for (field, words) in [("issueId", issue), ("workId", "Work item not found")] {
                    let mut body = scene.body(endpoint);
                    if body.insert(field.to_owned(), json!(id)).is_some() {
                        asked.push((scene.fill(endpoint.path), body, words.to_owned()));
                    }
                }
            }
            for (path, body, words) in asked {
                let refused = scene.ask_with(endpoint, MAINTAINER, &path, body).await.expect(404);
                assert_eq!(refused["error"], words, "{path}");
            }
        }
        unchanged(&scene, &before, "an unknown id").await;
    }

    async fn wrong_types_are_400_and_named_field_by_field(db) {
        let scene = scene(db, "coder").await;
        let before = scene.rows().await;
        let mut tried = 0;
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.method == "POST") {
            for (name, value) in wrong_types(endpoint) {
                // The contract lets this one be anything, and `null` be as good as nothing.
                if name == "startedAt" {
                    continue;
                }
                let mut body = scene.body(endpoint);
                body.insert(name.clone(), value.clone());
                let refused = scene.ask_with(endpoint, MAINTAINER, &scene.fill(endpoint.path), body).await;
                let place = format!("{name}: {value} at {}", endpoint.path);
                assert_eq!(refused.status, 400, "{place}: {}", refused.text);
                assert_eq!(refused.json()["field"], name, "{place}");
                tried += 1;
            }
        }
        assert!(tried > 100, "only {tried} were tried");
        unchanged(&scene, &before, "a wrong type").await;
    }

    async fn oversized_values_are_refused_and_none_is_a_500(db) {
        let scene = scene(db, "coder").await;
        let before = scene.rows().await;
        let long = "a".repeat(45);
        for endpoint in &ENDPOINTS {
            for (name, body) in oversized(&scene.body(endpoint)) {
                // The contract does not look at it: the issue is known by its id.
                let by_id = ["/api/issues/status", "/api/issues/label", "/api/issues/unlabel"];
                if name == "repoFullName" && by_id.contains(&endpoint.path) {
                    continue;
                }
                let refused = scene.ask_with(endpoint, MAINTAINER, &scene.fill(endpoint.path), body).await;
                assert!(matches!(refused.status, 400 | 404), "{name} at {}: {} {:.200}", endpoint.path, refused.status, refused.text);
                assert!(refused.text.len() < 2_000, "{name} at {}: what is too long is not sent back", endpoint.path);
            }
            if endpoint.path.contains("{agent}") {
                let path = scene.fill(&endpoint.path.replace("{agent}", &long));
                let refused = scene.ask_with(endpoint, MAINTAINER, &path, scene.body(endpoint)).await.expect(400);
                let field = if endpoint.path.contains("agent={agent}") { "agent" } else { "agentName" };
                assert_eq!(refused["field"], field, "{path}");
            }
            if endpoint.method == "POST" && !endpoint.path.ends_with("/sweep") {
                let body = format!("{{\"filler\":\"{}\"}}", "x".repeat(1 << 20));
                let request = scene.app.request("POST", &scene.fill(endpoint.path), MAINTAINER).body(body);
                assert_eq!(send(request).await.expect(413)["code"], "body_too_large", "{}", endpoint.path);
            }
            let mut body = scene.body(endpoint);
            if body.contains_key("issueNumber") {
                for number in ["9223372036854775808", "1e400", "-1", "0", "1.5"] {
                    body.insert("issueNumber".to_owned(), json!("here"));
                    let text = Value::Object(body.clone()).to_string().replace("\"here\"", number);
                    let request = scene.app.request("POST", endpoint.path, MAINTAINER).body(text);
                    assert_eq!(send(request).await.status, 400, "{number} at {}", endpoint.path);
                }
            }
        }
        unchanged(&scene, &before, "something oversized").await;
    }

    async fn anothers_token_is_403_and_changes_nothing(db) {
        let scene = scene(db, "other").await;
        let before = scene.rows().await;
        for endpoint in &ENDPOINTS {
            let names_nobody = !endpoint.path.contains("{agent}") && !endpoint.body.contains("{agent}");
            let refused = scene.ask(endpoint, BOUND).await;
            match endpoint.tier {
                Tier::Maintainer => assert_eq!(refused.expect(403)["code"], "maintainer_required", "{}", endpoint.path),
                // Who works on what is open to all.
                Tier::Worker if endpoint.path.starts_with("/api/agent-work?") => _ = refused.expect(200),
                Tier::Shared => _ = refused.expect(if endpoint.method == "GET" { 200 } else { 403 }),
                Tier::Worker => {
                    assert!(!names_nobody, "{}", endpoint.path);
                    let refused = refused.expect(403);
                    let words = "Worker token is bound to agent \"bound\" and may not act for \"other\"";
                    assert_eq!((&refused["error"], &refused["code"]), (&json!(words), &json!("other_agent")), "{}", endpoint.path);
                }
            }
        }
        unchanged(&scene, &before, "another's token").await;
        let denied = "SELECT count(*) FROM audit_log WHERE NOT success AND action IN ('worker_scope_denied', 'auth_tier_denied')";
        assert!(scene.app.db.count(denied).await > 5, "refusals are on record");
    }
}
