//! Refusals: their words, their rows in the audit log, and how many of those there are.

use std::time::Duration;

use serde_json::json;

use crate::{
    API, audited, each_db,
    support::{Answer, App, BOUND, MAINTAINER, UNBOUND, app::send},
};

async fn beat(app: &App, agent: &str, token: &str) -> Answer {
    send(app.request("POST", &format!("/api/agents/{agent}/heartbeat"), token)).await
}

each_db! {
    async fn a_bound_worker_acts_for_its_agent_only(db) {
        let app = App::with_repos(db, &[API]).await;
        for own in ["bound", "BOUND", "Bound"] {
            assert_eq!(beat(&app, own, BOUND).await.expect(200)["agentName"], "bound");
        }
        let answer = beat(&app, "Other", BOUND).await;
        let body = answer.expect(403);
        assert_eq!(body["error"], "Worker token is bound to agent \"bound\" and may not act for \"Other\"");
        assert_eq!(body["code"], "other_agent");
        assert_eq!(app.get("/api/agent-runs?agent=other").await.expect(200), json!([]));
        let rows = audited(&app, "worker_scope_denied").await;
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!((row["actor"].as_str(), row["success"].as_bool()), (Some("bound"), Some(false)));
        assert_eq!(row["repoFullName"], "unknown");
        assert_eq!(row["errorMessage"], body["error"]);
        assert_eq!(row["issue"], json!(null));
    }

    async fn others_beat_for_any_agent(db) {
        let app = App::with_repos(db, &[API]).await;
        for token in [UNBOUND, MAINTAINER] {
            for agent in ["bound", "other", "never-seen"] {
                assert_eq!(beat(&app, agent, token).await.expect(200)["status"], "ok");
            }
        }
        assert_eq!(app.get("/api/audit").await.expect(200), json!([]));
    }

    async fn scope_refusals_are_recorded_ten_times_a_minute(db) {
        let app = App::with_repos(db, &[API]).await;
        for n in 0..15 {
            beat(&app, &format!("other-{n}"), BOUND).await.expect(403);
        }
        assert_eq!(audited(&app, "worker_scope_denied").await.len(), 10);
        app.advance(Duration::from_secs(59));
        beat(&app, "other", BOUND).await.expect(403);
        assert_eq!(audited(&app, "worker_scope_denied").await.len(), 10);
        app.advance(Duration::from_secs(1));
        beat(&app, "other", BOUND).await.expect(403);
        assert_eq!(audited(&app, "worker_scope_denied").await.len(), 11);
    }

    async fn tier_refusals_are_recorded_once_a_minute_for_each_route(db) {
        let app = App::with_repos(db, &[API]).await;
        let ask = |method, path: &str| send(app.request(method, path, BOUND).header("x-agent-name", "boss"));
        for _ in 0..3 {
            ask("GET", "/api/audit").await.expect(403);
            ask("POST", "/api/repos").await.expect(403);
            ask("GET", "/api/repos").await.expect(403);
        }
        let rows = audited(&app, "auth_tier_denied").await;
        let mut notes: Vec<_> = rows.iter().map(|row| row["notes"].as_str().unwrap()).collect();
        notes.sort_unstable();
        assert_eq!(notes, ["GET /api/audit", "GET /api/repos", "POST /api/repos"]);
        for row in &rows {
            // A bound worker cannot choose its name by a header.
            assert_eq!((row["actor"].as_str(), row["success"].as_bool()), (Some("bound"), Some(false)));
            assert_eq!(row["repoFullName"], "unknown");
            assert!(row["errorMessage"].as_str().unwrap().starts_with("Forbidden:"), "{row}");
        }
        app.advance(Duration::from_mins(1));
        ask("GET", "/api/audit").await.expect(403);
        assert_eq!(audited(&app, "auth_tier_denied").await.len(), 4);
    }

    async fn tier_refusals_are_recorded_ten_times_a_minute_for_each_actor(db) {
        let app = App::with_repos(db, &[API]).await;
        for n in 0..15 {
            let path = format!("/api/automation/repos/acme/repo-{n}");
            send(app.request("DELETE", &path, BOUND)).await.expect(403);
        }
        assert_eq!(audited(&app, "auth_tier_denied").await.len(), 10);
        app.advance(Duration::from_secs(1));
        // Another actor has a count of its own.
        send(app.request("GET", "/api/audit", UNBOUND).header("x-agent-name", " scout ")).await.expect(403);
        send(app.request("GET", "/api/audit", UNBOUND)).await.expect(403);
        let rows = audited(&app, "auth_tier_denied").await;
        let actors: Vec<_> = rows.iter().take(2).map(|row| row["actor"].as_str().unwrap()).collect();
        assert_eq!((rows.len(), actors.contains(&"scout"), actors.contains(&"agent")), (12, true, true));
    }

    async fn a_refusal_stands_when_it_cannot_be_recorded(db) {
        let app = App::with_repos(db, &[API]).await;
        app.db.sql("ALTER TABLE audit_log RENAME TO audit_gone").await;
        send(app.request("GET", "/api/audit", BOUND)).await.expect(403);
        beat(&app, "other", BOUND).await.expect(403);
        app.db.sql("ALTER TABLE audit_gone RENAME TO audit_log").await;
        assert_eq!(app.get("/api/audit").await.expect(200), json!([]));
    }
}
