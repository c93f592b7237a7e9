//! What the routes refuse, with the field that breaks a rule.

use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{Answer, App, BOUND, MAINTAINER, UNBOUND, app::send},
};

/// A field of a good body is replaced, or taken out.
async fn with_field(app: &App, verb: &str, good: &Value, name: &str, value: Option<Value>) -> Answer {
    let mut body = good.clone();
    let fields = body.as_object_mut().expect("an object");
    match value {
        Some(value) => drop(fields.insert(name.to_owned(), value)),
        None => drop(fields.remove(name)),
    }
    post(app, verb, body).await
}

fn long(characters: usize) -> Value {
    json!("x".repeat(characters))
}

each_db! {
    async fn bad_values_are_named(db) {
        let app = with(db).await;
        let enqueued = evidence(4, "k");
        let marked = json!({ "repo": API, "pr": 4, "status": "STALE" });
        let requeued = json!({ "repo": API, "pr": 4 });
        let acked = json!({ "repo": API, "pr": 4, "generation": 1, "agentName": "coder" });
        let cases = [
            ("enqueue", &enqueued, "repo", json!("no-name"), "repo: write it as owner/name, for example octocat/hello-world"),
            ("enqueue", &enqueued, "repo", json!(7), "repo must be a string"),
            ("enqueue", &enqueued, "repo", json!(" "), "Missing required field: repo"),
            ("enqueue", &enqueued, "pr", json!("4"), "pr must be a positive integer"),
            ("enqueue", &enqueued, "pr", json!(0), "pr must be a positive integer"),
            ("enqueue", &enqueued, "pr", json!(4.5), "pr must be a positive integer"),
            ("enqueue", &enqueued, "reason", long(20_001), "reason must be at most 20000 characters"),
            ("enqueue", &enqueued, "reason", json!("\u{0}"), "reason must not hold the character U+0000"),
            ("enqueue", &enqueued, "feedback", json!([]), "feedback must be a string"),
            ("enqueue", &enqueued, "evidenceKey", long(501), "evidenceKey must be at most 500 characters"),
            ("enqueue", &enqueued, "issue", json!(-1), "issue must be a positive integer"),
            ("enqueue", &enqueued, "headSha", json!({}), "headSha must be a string"),
            ("enqueue", &enqueued, "lane", json!(1), "lane must be a string"),
            ("enqueue", &enqueued, "type", json!(true), "type must be a string"),
            ("mark", &marked, "status", json!("DONE"), "Invalid status"),
            ("mark", &marked, "generation", json!(0), "generation must be an integer >= 1"),
            ("mark", &marked, "generation", json!("1"), "generation must be an integer >= 1"),
            ("mark", &marked, "generation", json!(1.5), "generation must be an integer >= 1"),
            ("mark", &marked, "attemptHeadSha", json!("abcdef"), "Invalid attemptHeadSha"),
            ("mark", &marked, "attemptHeadSha", json!("xyz0123"), "Invalid attemptHeadSha"),
            ("mark", &marked, "attemptHeadSha", json!("a".repeat(41)), "Invalid attemptHeadSha"),
            ("mark", &marked, "attemptHeadSha", json!(7), "Invalid attemptHeadSha"),
            ("mark", &marked, "alreadyAddressed", json!("yes"), "alreadyAddressed must be a boolean"),
            ("mark", &marked, "alreadyAddressed", json!(true), "alreadyAddressed requires status FIXED"),
            ("mark", &marked, "evidence", json!(1), "evidence must be a string"),
            ("mark", &marked, "evidence", long(2_001), "evidence must be at most 2000 characters"),
            ("mark", &marked, "note", json!([]), "note must be a string"),
            ("requeue", &requeued, "isPrMergedOrClosed", json!(1), "isPrMergedOrClosed must be true or false"),
            ("requeue", &requeued, "note", json!(1), "note must be a string"),
            ("ack", &acked, "generation", json!(-1), "generation must be an integer >= 1"),
            ("ack", &acked, "agentName", json!("a b"), "agentName: an agent name is 1 to 44 characters: a letter or digit, then letters, digits, '.', '_' or '-'"),
        ];
        for (verb, good, field, value, error) in cases {
            let refused = with_field(&app, verb, good, field, Some(value.clone())).await.expect(400);
            assert_eq!((refused["error"].as_str(), refused["field"].as_str()), (Some(error), Some(field)), "{verb} {field} {value:.40}");
        }
        for (verb, good, fields) in [
            ("enqueue", &enqueued, &["repo", "pr", "reason", "feedback", "evidenceKey"][..]),
            ("mark", &marked, &["repo", "pr", "status"]),
            ("requeue", &requeued, &["repo", "pr"]),
            ("ack", &acked, &["repo", "pr", "generation", "agentName"]),
        ] {
            for field in fields {
                for nothing in [None, Some(Value::Null)] {
                    let refused = with_field(&app, verb, good, field, nothing).await.expect(400);
                    assert_eq!(refused["error"], format!("Missing required field: {field}"), "{verb}");
                    assert_eq!(refused["field"], *field, "{verb}");
                }
            }
        }
        assert_eq!(app.db.count("SELECT count(*) FROM pr_fix_items").await, 0, "nothing was written");
    }

    async fn bodies_that_are_no_json(db) {
        let app = with(db).await;
        for (verb, error) in [
            ("enqueue", "Invalid JSON body"),
            ("mark", "Invalid JSON body"),
            ("requeue", "Invalid JSON"),
            ("ack", "Invalid JSON body"),
        ] {
            for body in ["{", "", "[]", "7"] {
                let request = app.request("POST", &format!("/api/pr-fix-queue/{verb}"), MAINTAINER).body(body);
                assert_eq!(send(request).await.expect(400)["error"], error, "{verb} {body:?}");
            }
        }
    }

    async fn who_may_do_what(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        for token in [BOUND, UNBOUND] {
            for verb in ["enqueue", "requeue", "sweep"] {
                assert_eq!(post_as(&app, token, verb, evidence(4, "k")).await.expect(403)["code"], "maintainer_required", "{verb}");
            }
            let stale = json!({ "repo": API, "pr": 4, "status": "BLOCKED", "generation": 1 });
            post_as(&app, token, "mark", stale).await.expect(200);
        }
    }

    async fn what_is_not_there(db) {
        let app = with(db).await;
        assert_eq!(mark(&app, 4, "FIXED", json!({})).await.expect(404)["error"], "PR fix queue item not found");
        assert_eq!(requeue(&app, 4, json!({})).await.expect(404)["error"], "pr-fix item not found");
        assert_eq!(ack(&app, 4, 1, "coder").await.expect(404)["error"], "pr-fix item not found");
        assert_eq!(asked(&app), 0);
    }
}
