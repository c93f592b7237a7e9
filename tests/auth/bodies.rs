//! Bodies: the Content-Type is not looked at, an empty one is `{}`, and a wrong one is 400 that names its field.

use serde_json::json;

use crate::{
    API, each_db,
    support::{Answer, App, MAINTAINER, app::send},
};

const BEAT: &str = "/api/agents/coder/heartbeat";

async fn post(app: &App, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    send(app.request("POST", path, MAINTAINER).body(body)).await
}

each_db! {
    async fn any_content_type_will_do(db) {
        let app = App::with_repos(db, &[API]).await;
        // What `curl -d '{}'` sends is the second.
        let types = [
            "text/plain", "application/x-www-form-urlencoded", "application/json", "application/json; charset=utf-8",
            "application/octet-stream", "multipart/form-data", "nonsense",
        ];
        for content_type in types {
            let ask = |path| app.request("POST", path, MAINTAINER).header("content-type", content_type);
            assert_eq!(send(ask(BEAT).body("{}")).await.expect(200)["status"], "ok", "{content_type}");
            assert_eq!(send(ask(BEAT)).await.expect(200)["status"], "ok", "{content_type}");
            let body = json!({ "repoFullName": API }).to_string();
            assert_eq!(send(ask("/api/sync").body(body)).await.expect(200)["success"], true, "{content_type}");
            send(ask("/api/sync/scheduled").body("{}")).await.expect(200);
        }
    }

    async fn no_content_type_and_no_body_will_do(db) {
        let app = App::with_repos(db, &[API]).await;
        for path in [BEAT, "/api/sync"] {
            send(app.request("POST", path, MAINTAINER)).await.expect(200);
            for body in ["", " ", "\r\n\t ", "{}", " { } ", r#"{"unknown":[1,{"deep":null}]}"#] {
                post(&app, path, body).await.expect(200);
            }
        }
    }

    async fn what_is_not_a_json_object_is_400(db) {
        let app = App::with_repos(db, &[API]).await;
        let bad: [&[u8]; 11] = [
            b"{", b"}", b"[]", b"null", b"1", b"\"x\"", b"{}x", b"{'a':1}", b"\xef\xbb\xbf{}", b"{\"a\":\"\xff\"}", b"\0",
        ];
        let posts = [
            BEAT, "/api/sync", "/api/sync/scheduled", "/api/issues/refresh", "/api/repos", "/api/automation/repos",
            "/api/agent-runs",
        ];
        for path in posts {
            for body in bad {
                let answer = post(&app, path, body).await;
                let error = answer.expect(400)["error"].clone();
                let want = if path == "/api/sync" { "Malformed JSON in request body" } else { "Invalid JSON body" };
                assert_eq!(error, want, "{path} {:?}", String::from_utf8_lossy(body));
            }
        }
        let deep = "[".repeat(100_000);
        assert_eq!(post(&app, BEAT, format!("{{\"a\":{deep}")).await.status, 400);
        assert_eq!(app.get("/api/agent-runs").await.expect(200), json!([]));
    }

    async fn a_known_field_of_the_wrong_type_is_named(db) {
        let app = App::with_repos(db, &[API]).await;
        let run = |name: &str, value: serde_json::Value| {
            let mut run =
                json!({ "agentName": "a", "runType": "x", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
            run[name] = value;
            ("/api/agent-runs", name.to_owned(), run)
        };
        let field = |path, name: &str, body| (path, name.to_owned(), body);
        let cases = [
            field("/api/sync", "repoFullName", json!({ "repoFullName": 5 })),
            field("/api/sync", "repoFullName", json!({ "repoFullName": "acme" })),
            field("/api/sync", "sweep", json!({ "sweep": "yes" })),
            field("/api/sync", "sweep", json!({ "sweep": 1 })),
            field("/api/sync/scheduled", "issues", json!({ "issues": "false" })),
            field("/api/sync/scheduled", "automation", json!({ "automation": [] })),
            field("/api/issues/refresh", "repoFullName", json!({ "repoFullName": true, "issueNumber": 1 })),
            field("/api/issues/refresh", "issueNumber", json!({ "repoFullName": API, "issueNumber": "1" })),
            field("/api/issues/refresh", "issueNumber", json!({ "repoFullName": API, "issueNumber": 1.5 })),
            field("/api/repos", "fullName", json!({ "fullName": 7 })),
            field("/api/automation/repos", "fullName", json!({ "fullName": {} })),
            run("agentName", json!(1)),
            run("runType", json!([])),
            run("status", json!(true)),
            run("startedAt", json!(1_767_225_600)),
            run("finishedAt", json!({})),
            run("summary", json!(1)),
            run("errorMessage", json!([])),
            run("touchedIssueUrls", json!("https://github.com/acme/api/issues/1")),
            run("touchedIssueUrls", json!([1])),
            run("issueId", json!(12)),
            run("outcome", json!(1)),
        ];
        for (path, name, body) in cases {
            let answer = app.post(path, body.clone()).await;
            let error = answer.expect(400);
            assert_eq!(error["field"], name.as_str(), "{path} {body}: {error}");
            let message = error["error"].as_str().unwrap();
            assert!(message.contains(&name), "{path} {body}: {message}");
        }
    }

    async fn the_heartbeat_names_its_fields_of_the_wrong_type(db) {
        let app = App::with_repos(db, &[API]).await;
        let cases = [
            ("claims", json!({ "claims": 5 })),
            ("claims", json!({ "claims": {} })),
            ("claims", json!({ "claims": ["x"] })),
            ("want", json!({ "want": "x" })),
            ("want", json!({ "want": [] })),
        ];
        for (name, body) in cases {
            let error = app.post(BEAT, body.clone()).await.expect(400);
            assert_eq!(error["field"], name, "{body}: {error}");
        }
        app.post(BEAT, json!({ "claims": null, "want": null })).await.expect(200);
        app.post(BEAT, json!({ "claims": [], "want": {} })).await.expect(200);
    }
}
