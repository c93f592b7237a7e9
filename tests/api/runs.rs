//! `GET /api/agent-runs`: rows and filters.

use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};

use crate::{API, WEB, each, each_db, rows, support::App};

async fn report(app: &App, agent: &str, run_type: &str, status: &str) -> Value {
    let run = json!({ "agentName": agent, "runType": run_type, "status": status, "startedAt": "2025-12-31T00:00:00Z" });
    app.tick();
    app.post("/api/agent-runs", run).await.expect(201)
}

each_db! {
    async fn the_row_of_a_heartbeat_says_what_its_answer_said(db) {
        let app = App::with_repos(db, &[API, WEB]).await;
        app.sim.repo(API).open_issue("One");
        app.sim.repo(WEB).open_issue("Two");
        let changed = app.beat("Coder").await;
        app.tick();
        app.sim.fault(Fault::new(FaultKind::Status(404)).on(Match::repo(API)).times(1));
        let warned = app.next_beat("Coder").await;
        app.delete("/api/automation/repos/acme/api").await.expect(200);
        app.delete("/api/automation/repos/acme/web").await.expect(200);
        let failed = app.next_beat("coder").await;
        assert_eq!([&changed["status"], &warned["status"], &failed["status"]], ["ok", "warning", "error"]);
        let runs = app.get("/api/agent-runs").await.expect(200);
        assert_eq!(rows(&runs).len(), 3);
        for (row, beat) in rows(&runs).iter().zip([failed, warned, changed]) {
            let error = beat["errors"].as_array().unwrap().first().cloned().unwrap_or(Value::Null);
            assert_eq!(*row, json!({
                "id": beat["runId"], "agentName": "Coder", "runType": "heartbeat", "status": beat["status"],
                "startedAt": beat["startedAt"], "finishedAt": beat["finishedAt"], "summary": beat["summary"],
                "errorMessage": error, "notes": null, "touchedIssueUrls": beat["touchedIssueUrls"],
                "createdAt": beat["startedAt"], "issueId": null, "outcome": null, "warnings": beat["warnings"],
                "errors": beat["errors"], "nextHeartbeatAt": beat["nextHeartbeatAt"],
            }));
        }
    }

    async fn filters_are_joined(db) {
        let app = App::with_repos(db, &[API]).await;
        report(&app, "coder", "report", "done").await;
        report(&app, "Coder", "report", "failed").await;
        report(&app, "scribe", "report", "done").await;
        report(&app, "coder", "groom", "done").await;
        app.next_beat("coder").await;
        let cases = [
            ("", 5), ("?agent=CODER", 4), ("?agent=scribe", 1), ("?agent=nobody", 0), ("?runType=report", 3),
            ("?runType=heartbeat", 1), ("?runType=REPORT", 0), ("?status=done", 3), ("?status=ok", 1),
            ("?agent=coder&runType=report", 2), ("?agent=coder&runType=report&status=done", 1),
            ("?agent=&runType=&status=&unknown=x", 5), ("?runType=x'%20OR%20'1'='1", 0), ("?status=running", 0),
        ];
        for (query, count) in cases {
            let runs = app.get(&format!("/api/agent-runs{query}")).await.expect(200);
            assert_eq!(rows(&runs).len(), count, "{query}");
            assert!(each(&runs, "createdAt").is_sorted_by(|a, b| a >= b), "{query}");
        }
        for bad in ["a%20b", "%2F", "-a"] {
            assert_eq!(app.get(&format!("/api/agent-runs?agent={bad}")).await.expect(400)["field"], "agent");
        }
        let newest = app.get("/api/agent-runs?limit=1").await.expect(200);
        assert_eq!((rows(&newest).len(), newest[0]["runType"].as_str()), (1, Some("heartbeat")));
    }
}
