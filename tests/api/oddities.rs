//! Values that databases stumble over: each is stored, finds nothing, or is a 400; none is a 5xx.

use serde_json::json;

use crate::{
    API, each_db, rows,
    support::{App, MAINTAINER, app::send},
};

/// Texts that somebody will send one day.
const ODD: [&str; 10] = [
    "\u{0}",
    "a\u{0}b",
    "'; DROP TABLE runs; --",
    "%_\\",
    "\u{202e}\u{feff}",
    "😀",
    "\u{fffd}\u{ffff}",
    "\r\n\t",
    "{}[]\"\\",
    "null",
];

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

each_db! {
    async fn odd_query_values_find_nothing_or_are_400(db) {
        let app = App::with_repos(db, &[API]).await;
        app.sim.repo(API).open_issue("One");
        app.beat("coder").await;
        let parameters = [
            "/api/issues?repo", "/api/issues?agent", "/api/issues?owner", "/api/issues?project", "/api/issues?priority",
            "/api/issues?decomposed", "/api/issues?includeClosed", "/api/issues?limit", "/api/issues?cursor",
            "/api/issues?unknown", "/api/issues/state?number=1&repo", "/api/issues/state?repo=acme/api&number",
            "/api/agent-runs?agent", "/api/agent-runs?runType", "/api/agent-runs?status", "/api/agent-runs?cursor",
            "/api/audit?repo", "/api/audit?cursor",
        ];
        for parameter in parameters {
            for odd in ODD {
                let answer = app.get(&format!("{parameter}={}", encoded(odd))).await;
                assert!(matches!(answer.status, 200 | 400 | 404), "{parameter}={odd:?}: {} {}", answer.status, answer.text);
                answer.json();
            }
        }
        assert_eq!(rows(&app.get("/api/issues").await.expect(200)).len(), 1);
    }

    async fn odd_texts_of_a_run_are_kept_or_are_400(db) {
        let app = App::with_repos(db, &[API]).await;
        for name in ["agentName", "runType", "status", "summary", "errorMessage", "issueId", "outcome"] {
            for odd in ODD {
                let mut run =
                    json!({ "agentName": "a", "runType": "x", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
                run[name] = odd.into();
                let answer = app.post("/api/agent-runs", run).await;
                match answer.status {
                    201 => assert_eq!(answer.json()[name].as_str().unwrap().trim(), odd.trim(), "{name}"),
                    400 => assert_eq!(answer.json()["field"], name, "{odd:?}"),
                    status => panic!("{name} {odd:?}: {status} {}", answer.text),
                }
            }
        }
        let mut run = json!({ "agentName": "a", "runType": "x", "status": "ok", "startedAt": "2026-01-01T00:00:00Z" });
        for odd in ODD {
            run["touchedIssueUrls"] = json!([format!("https://x.test/{odd}")]);
            let answer = app.post("/api/agent-runs", run.clone()).await;
            assert!(matches!(answer.status, 201 | 400), "{odd:?}: {} {}", answer.status, answer.text);
        }
        app.get("/api/agent-runs?limit=1000").await.expect(200);
    }

    async fn odd_headers_do_no_harm(db) {
        let app = App::with_repos(db, &[API]).await;
        let values: [&[u8]; 6] = [b"", b" ", b"\xff\xfe", b"a\tb", &[b'x'; 5_000], b"'; DROP TABLE runs; --"];
        for name in ["x-agent-name", "x-request-id", "accept", "accept-encoding", "user-agent", "if-none-match"] {
            for value in values {
                let request = app.request("POST", "/api/agents/coder/heartbeat", MAINTAINER).header(name, value);
                assert_eq!(send(request).await.status, 200, "{name} {value:?}");
            }
        }
        for value in values {
            let request = app.request("POST", "/api/automation/repos", MAINTAINER).header("x-agent-name", value);
            let answer = send(request.body(json!({ "fullName": "acme/web" }).to_string())).await;
            assert!(matches!(answer.status, 201 | 409), "{}", answer.text);
        }
    }

    async fn odd_issues_of_github_are_mirrored(db) {
        let app = App::with_repos(db, &[API]).await;
        for odd in ODD {
            // GitHub itself never sends a NUL.
            let odd = odd.replace('\u{0}', "");
            app.sim.repo(API).open_issue(github_sim::NewIssue::new(format!("T{odd}")).body(odd));
        }
        assert_eq!(app.beat("coder").await["status"], "ok");
        crate::support::world::assert_same(&app, API).await;
    }
}
