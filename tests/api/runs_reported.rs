//! `POST /api/agent-runs`: a run that an agent or operator reports as a whole.

use serde_json::{Value, json};

use crate::{API, each_db, rows, support::App};

const OUTCOMES: [&str; 6] =
    ["PR_OPENED", "PR_UPDATED", "FOLLOW_UP_CREATED", "DESIGN_COMMENT_POSTED", "DECOMPOSED_SKIPPED", "STUCK"];

/// A run that is good, with one field changed.
fn run(name: &str, value: impl Into<Value>) -> Value {
    let mut run = json!({
        "agentName": "coder", "runType": "report", "status": "anything", "startedAt": "2026-01-01T00:00:00Z",
    });
    run[name] = value.into();
    run
}

async fn refused(app: &App, run: &Value) -> Value {
    app.post("/api/agent-runs", run.clone()).await.expect(400)
}

each_db! {
    async fn a_reported_run_is_answered_and_listed_as_it_was_given(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("other").await;
        let state = app.get("/api/issues/state?repo=acme/api&number=1").await.expect(200);
        let urls = json!(["https://github.com/acme/web/pull/9", "http://x.test/1", "https://github.com/acme/web/pull/9"]);
        let given = json!({
            "agentName": "Coder", "runType": " escalated ", "status": "done", "startedAt": "2026-01-01T01:02:03.456+01:00",
            "finishedAt": "2026-01-01T00:05:00Z", "summary": "Ünïcode ✓ \"quoted\"\nlines", "errorMessage": "why",
            "touchedIssueUrls": urls, "issueId": state["issueId"], "outcome": "PR_OPENED", "notes": "dropped",
            "unknown": [1],
        });
        app.tick();
        let mut row = app.post("/api/agent-runs", given).await.expect(201);
        let listed = app.get("/api/agent-runs?agent=coder").await.expect(200);
        assert_eq!(rows(&listed), std::slice::from_ref(&row));
        assert!(row["id"].take().as_str().is_some_and(|id| !id.is_empty()));
        assert_eq!(row, json!({
            "id": null, "agentName": "Coder", "runType": "escalated", "status": "done",
            "startedAt": "2026-01-01T00:02:03.456Z", "finishedAt": "2026-01-01T00:05:00.000Z",
            "summary": "Ünïcode ✓ \"quoted\"\nlines", "errorMessage": "why", "notes": null, "touchedIssueUrls": urls,
            "createdAt": "2026-01-01T00:00:10.000Z", "issueId": state["issueId"], "outcome": "PR_OPENED", "warnings": [],
            "errors": [],
        }));
    }

    async fn the_least_that_makes_a_run(db) {
        let app = App::with_repos(db, &[]).await;
        let row = app.post("/api/agent-runs", run("summary", Value::Null)).await.expect(201);
        for absent in ["finishedAt", "summary", "errorMessage", "issueId", "outcome"] {
            assert_eq!(row[absent], Value::Null, "{absent}");
        }
        assert_eq!(row["touchedIssueUrls"], json!([]));
        for outcome in OUTCOMES {
            let row = app.post("/api/agent-runs", run("outcome", outcome)).await.expect(201);
            assert_eq!(row["outcome"], outcome);
        }
    }

    async fn what_is_missing_is_named(db) {
        let app = App::with_repos(db, &[]).await;
        for name in ["agentName", "runType", "status", "startedAt"] {
            for empty in [Value::Null, json!(""), json!(" ")] {
                let error = refused(&app, &run(name, empty)).await;
                assert_eq!((error["error"].as_str(), error["field"].as_str()), (Some("Missing required fields"), Some(name)));
            }
        }
        assert_eq!(refused(&app, &json!({})).await["error"], "Missing required fields");
        assert_eq!(app.get("/api/agent-runs").await.expect(200), json!([]));
    }

    async fn what_is_wrong_is_named_in_the_contracts_words(db) {
        let app = App::with_repos(db, &[]).await;
        let urls = "touchedIssueUrls must be an array of http(s) URLs";
        for bad in [
            json!("https://x.test"), json!({}), json!([1]), json!([null]), json!([""]), json!(["x"]), json!(["ftp://x.test"]),
            json!(["https://"]), json!(["javascript:alert(1)"]), json!(["https://good.test", "//x.test"]),
        ] {
            let error = refused(&app, &run("touchedIssueUrls", bad.clone())).await;
            assert_eq!((error["error"].as_str(), error["field"].as_str()), (Some(urls), Some("touchedIssueUrls")), "{bad}");
        }
        for bad in ["", "stuck", "DONE", "PR_OPENED "] {
            let error = refused(&app, &run("outcome", bad)).await;
            let want = format!("Invalid outcome: \"{bad}\". Valid values: {}", OUTCOMES.join(", "));
            assert_eq!((error["error"].as_str(), error["field"].as_str()), (Some(want.as_str()), Some("outcome")));
        }
        for name in ["startedAt", "finishedAt"] {
            for bad in ["yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "1767225600000", "2026-01-01T00:00:00"] {
                assert_eq!(refused(&app, &run(name, bad)).await["field"], name, "{bad}");
            }
        }
        for bad in ["a b", "a/b", "-x", &"a".repeat(45)] {
            assert_eq!(refused(&app, &run("agentName", bad)).await["field"], "agentName");
        }
        for bad in ["no-such-issue", ""] {
            assert_eq!(refused(&app, &run("issueId", bad)).await["field"], "issueId", "{bad:?}");
        }
        assert_eq!(app.get("/api/agent-runs").await.expect(200), json!([]));
    }

    async fn what_is_too_long_is_named(db) {
        let app = App::with_repos(db, &[]).await;
        let text = |length: usize| "ü".repeat(length);
        for (name, most) in [("runType", 100), ("status", 100), ("summary", 20_000), ("errorMessage", 20_000)] {
            app.post("/api/agent-runs", run(name, text(most))).await.expect(201);
            let error = refused(&app, &run(name, text(most + 1))).await;
            assert_eq!(error["field"], name);
            assert!(error["error"].as_str().unwrap().contains(&most.to_string()), "{error}");
        }
        for name in ["issueId", "agentName"] {
            assert_eq!(refused(&app, &run(name, text(101))).await["field"], name);
        }
        let many: Vec<String> = (0..1_001).map(|n| format!("https://x.test/{n}")).collect();
        assert_eq!(refused(&app, &run("touchedIssueUrls", many)).await["field"], "touchedIssueUrls");
        let long = vec![format!("https://x.test/{}", "a".repeat(3_000))];
        assert_eq!(refused(&app, &run("touchedIssueUrls", long)).await["field"], "touchedIssueUrls");
    }
}
