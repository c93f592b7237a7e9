//! The check that every test's answers go through finds what it is there to find.

use serde_json::{Value, json};

use crate::{
    described,
    support::{Answer, spec::Spec},
};

const ISSUE_STATE: &str = "/api/issues/state";

fn answer(status: u16, body: &Value) -> Answer {
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("content-type", "application/json".parse().expect("a header"));
    headers.insert("x-request-id", "019b76da-a800-7c3f-8000-3b1c5ad0e001".parse().expect("a header"));
    Answer { status, headers, text: body.to_string() }
}

/// An answer of `GET /api/issues/state` that is as described.
fn good() -> Value {
    json!({
        "issueId": "019b76da-a800-7c3f-8000-3b1c5ad0e001", "repoFullName": "acme/api", "number": 1,
        "state": "open", "closedAt": null, "labels": ["agent/coder"], "version": "9f86d081884c7d659a2feaa0c55ad015",
    })
}

fn faults(answer: &Answer) -> Vec<String> {
    Spec::new(described()).faults("GET", ISSUE_STATE, answer)
}

#[track_caller]
fn assert_fault(answer: &Answer, says: &str) {
    let found = faults(answer);
    assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
}

#[test]
fn what_is_described_passes() {
    assert_eq!(faults(&answer(200, &good())), [""; 0]);
    let refusal = json!({ "error": "x", "requestId": "y", "code": "z", "field": "f", "hint": "h" });
    for status in [400, 401, 404, 429, 500, 503] {
        assert_eq!(faults(&answer(status, &refusal)), [""; 0], "{status}");
    }
}

#[test]
fn wrong_values_are_found() {
    let cases = [
        ("number", json!("1"), "at `/number`: \"1\" is not of type"),
        ("number", json!(0), "less than the minimum"),
        ("state", json!("reopened"), "is not one of"),
        ("closedAt", json!("yesterday"), "at `/closedAt`"),
        ("issueId", json!("one"), "\"uuid\""),
        ("repoFullName", json!("acme"), "does not match"),
        ("labels", json!([1]), "at `/labels/0`"),
        ("labels", json!(null), "null is not of type"),
    ];
    for (field, value, says) in cases {
        let mut body = good();
        body[field] = value;
        assert_fault(&answer(200, &body), says);
    }
}

#[test]
fn missing_and_undescribed_fields_are_found() {
    for field in good().as_object().expect("fields").keys() {
        let mut body = good();
        body.as_object_mut().expect("fields").remove(field);
        assert_fault(&answer(200, &body), &format!("\"{field}\" is a required property"));
    }
    let mut body = good();
    body["more"] = json!(1);
    assert_fault(&answer(200, &body), "'more' was unexpected");
    assert_fault(
        &answer(404, &json!({ "error": "x", "requestId": "y", "more": 1 })),
        "'more' was unexpected",
    );
}

#[test]
fn undescribed_fields_are_found_in_depth_and_beside_flattened_ones() {
    let spec = Spec::new(described());
    let sync = |body: &Value| spec.faults("POST", "/api/sync", &answer(200, body));
    let result = |more: Value| {
        let mut result = json!({ "repo": "acme/api", "synced": 1, "error": null });
        result.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        json!({ "success": true, "repos": 1, "syncedCount": 1, "results": [result] })
    };
    assert_eq!(sync(&result(json!({}))), [""; 0]);
    assert_ne!(sync(&result(json!({ "more": 1 }))), [""; 0]);
    let mut beside = result(json!({}));
    beside["more"] = json!(1);
    assert_ne!(sync(&beside), [""; 0]);
    // Either form of an answer, but no mixture.
    let beat = |body: &Value| spec.faults("POST", "/api/agents/a/heartbeat", &answer(503, body));
    assert_eq!(beat(&json!({ "error": "x", "requestId": "y" })), [""; 0]);
    assert_eq!(beat(&json!({ "error": "x", "requestId": "y", "status": "error" })).len(), 1);
}

#[test]
fn undescribed_statuses_headers_and_types_are_found() {
    assert_fault(&answer(201, &good()), "the status is not described");
    assert_fault(&answer(403, &json!({ "error": "x", "requestId": "y" })), "the status is not described");
    let with = |name: &'static str, value: &str| {
        let mut answer = answer(200, &good());
        answer.headers.insert(name, value.parse().expect("a header"));
        answer
    };
    assert_fault(&with("x-more", "1"), "the header x-more is not described");
    assert_fault(&with("content-type", "text/plain"), "`text/plain` is not described");
    let mut nameless = answer(200, &good());
    nameless.headers.remove("x-request-id");
    assert_fault(&nameless, "x-request-id is missing");
    let mut cut = answer(200, &good());
    cut.text.truncate(20);
    assert_fault(&cut, "not JSON");
}

#[test]
fn where_no_route_is_described_only_refusals_pass() {
    let spec = Spec::new(described());
    let refusal = json!({ "error": "x", "requestId": "y" });
    let faults =
        |method: &str, path: &str, status: u16| spec.faults(method, path, &answer(status, &refusal)).len();
    for path in ["/api/none", "/api/issues/", "/api/tokens/", "/api/agents/a/b/heartbeat"] {
        assert_eq!((faults("GET", path, 404), faults("GET", path, 200)), (0, 1), "{path}");
    }
    assert_eq!((faults("PUT", ISSUE_STATE, 405), faults("PUT", ISSUE_STATE, 404)), (0, 1));
    assert_eq!(spec.faults("GET", "/api/none", &answer(404, &json!({ "error": "x" }))).len(), 1);
}
