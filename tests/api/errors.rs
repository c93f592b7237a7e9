//! What is no route, no method or no body: JSON all the same, with the request's id.

use serde_json::{Value, json};

use crate::{
    API, each_db,
    support::{Answer, App, MAINTAINER, app::send},
};

const LIMIT: usize = 1024 * 1024;

/// Asserts that an error has the form of all errors.
#[track_caller]
fn assert_error(answer: &Answer, status: u16) -> Value {
    let body = answer.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert!(body["requestId"].as_str().is_some_and(|id| id.len() == 36), "{body}");
    assert_eq!(body["requestId"].as_str(), answer.header("x-request-id"));
    body
}

each_db! {
    async fn what_is_no_route_is_404(db) {
        let app = App::with_repos(db, &[API]).await;
        let paths = [
            "/no/page", "/api", "/api/", "/api/nothing", "/api/issues/", "/api/agents/coder", "/api/agents/coder/heartbeat/",
            "/api/automation/repos/acme", "/healthz/x", "/%FF", "/api/issues%2Fstate",
        ];
        for path in paths {
            for method in ["GET", "POST", "DELETE"] {
                let answer = send(app.request(method, path, MAINTAINER)).await;
                assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
                assert_error(&answer, 404);
            }
        }
        let long = format!("/api/{}", "x".repeat(10_000));
        assert_error(&app.get(&long).await, 404);
    }

    async fn what_is_no_method_of_a_route_is_405_and_says_which_are(db) {
        let app = App::with_repos(db, &[API]).await;
        let cases = [
            ("GET", "/api/agents/coder/heartbeat", "POST"),
            ("PUT", "/api/agents/coder/heartbeat", "POST"),
            ("POST", "/api/issues", "GET,HEAD"),
            ("DELETE", "/api/automation/repos", "GET,HEAD,POST"),
            ("GET", "/api/automation/repos/acme/api", "DELETE"),
            ("PATCH", "/api/audit", "GET,HEAD"),
            ("OPTIONS", "/api/sync", "POST"),
            ("POST", "/healthz", "GET,HEAD"),
        ];
        for (method, path, allowed) in cases {
            let answer = send(app.request(method, path, MAINTAINER)).await;
            let body = assert_error(&answer, 405);
            assert!(body["error"].as_str().unwrap().contains("Allow"), "{body}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    }

    async fn a_path_that_is_not_utf_8_is_400(db) {
        let app = App::with_repos(db, &[API]).await;
        for path in ["/api/automation/repos/acme/%FF", "/api/automation/repos/%FF/api", "/api/automation/repos/a%2Fb/c"] {
            let body = assert_error(&app.delete(path).await, 400);
            assert_eq!(body["field"], "repo", "{path}");
        }
        assert_error(&app.post("/api/agents/%FF/heartbeat", json!({})).await, 400);
    }

    async fn a_body_over_a_mebibyte_is_413_and_one_of_a_mebibyte_is_read(db) {
        let app = App::with_repos(db, &[API]).await;
        let of = |length: usize| format!("{{\"x\":\"{}\"}}", "a".repeat(length - 8));
        for path in ["/api/agents/coder/heartbeat", "/api/sync", "/api/sync/scheduled"] {
            assert_eq!(send(app.request("POST", path, MAINTAINER).body(of(LIMIT))).await.status, 200, "{path}");
        }
        let posts = [
            "/api/agents/coder/heartbeat", "/api/sync", "/api/sync/scheduled", "/api/issues/refresh", "/api/repos",
            "/api/automation/repos", "/api/agent-runs",
        ];
        for path in posts {
            let answer = send(app.request("POST", path, MAINTAINER).body(of(LIMIT + 1))).await;
            assert_eq!(assert_error(&answer, 413)["code"], "body_too_large", "{path}");
        }
        // Without a Content-Length the limit holds as well.
        let chunks = (0..20).map(|_| Ok::<_, std::io::Error>("a".repeat(LIMIT / 16)));
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let answer = send(app.request("POST", "/api/sync", MAINTAINER).body(body)).await;
        assert_error(&answer, 413);
        let runs = app.get("/api/agent-runs").await.expect(200);
        assert_eq!(runs.as_array().unwrap().len(), 1, "only the heartbeat that was small enough ran");
    }

    async fn every_answer_has_an_id_of_its_own(db) {
        let app = App::with_repos(db, &[API]).await;
        let mut ids = Vec::new();
        for path in ["/healthz", "/api/issues", "/api/nothing", "/api/issues?limit=x"] {
            let request = app.request("GET", path, MAINTAINER).header("x-request-id", "mine");
            ids.push(send(request).await.header("x-request-id").unwrap().to_owned());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4, "{ids:?}");
    }

    async fn what_the_database_cannot_do_is_503_and_names_nothing_of_it(db) {
        let app = App::with_repos(db, &[API]).await;
        app.db.sql("ALTER TABLE issues RENAME TO issues_gone").await;
        let body = assert_error(&app.get("/api/issues").await, 503);
        assert_eq!((body["error"].as_str(), body["code"].as_str()), (Some("The database failed"), Some("database_failed")));
        assert!(!body.to_string().contains("issues"), "{body}");
        app.db.sql("ALTER TABLE issues_gone RENAME TO issues").await;
        app.get("/api/issues").await.expect(200);
    }
}
