//! The MCP server, probes, cron jobs, and names that work nowhere.

use std::time::{Duration, Instant};

use dispatch::domain::ids::IssueId;
use futures_util::future::join_all;
use github_sim::{Fault, FaultKind};
use serde_json::json;

use super::{API, built, client::Client, named, with_issues};
use crate::{
    each_db,
    support::{App, AppBuilder, app::engine_settings},
};

each_db! {
    async fn the_mcp_server_finds_any_issue_of_a_repository_by_its_number(db) {
        let mut builder = AppBuilder { points_per_minute: 0, ..AppBuilder::default() };
        builder.sim = builder.sim.without_limits();
        let app = built(builder, db, 1_020).await;
        let client = Client::new(&app);
        let list = client.get("/api/issues?repo=acme/api").await.expect(200);
        let list = list.as_array().expect("a bare array");
        assert_eq!(list.len(), 1_020, "the whole repository");
        let issue = list.iter().find(|issue| issue["number"] == 1_017).expect("any of them");
        assert!(issue["id"].is_string() && issue["labels"].is_array(), "{issue}");
        assert_eq!(issue["title"], "Issue 1016");
        assert_eq!(issue["url"], "https://github.com/acme/api/issues/1017");
        assert_eq!((issue.get("currentLane"), &issue["repository"]["fullName"]), (Some(&json!(null)), &json!(API)));
        let body = json!({ "issueId": issue["id"], "repoFullName": API, "issueNumber": 1_017, "agentName": "mcp" });
        client.post("/api/issues/claim", body).await.expect(200);
    }

    async fn probes_are_answered_within_a_second_without_credentials(db) {
        let app = with_issues(db, 1).await;
        let probe = Client::with_token(&app, None);
        let in_time = async |what: &str| {
            for _ in 0..5 {
                let began = Instant::now();
                assert_eq!(probe.get("/api/health").await.expect(200)["ok"], true, "{what}");
                assert!(began.elapsed() < Duration::from_secs(1), "{what}: {:?}", began.elapsed());
            }
        };
        in_time("at rest").await;
        app.sim.fault(Fault::new(FaultKind::Hang));
        in_time("GitHub hangs").await;
        let mut tx = app.engine.db().write().await.expect("a transaction");
        let issue = IssueId("none".to_owned());
        dispatch::store::claims::lock_issue(&mut tx, &issue).await.expect("the lock");
        in_time("somebody writes").await;
    }

    async fn a_cron_job_meets_no_4xx_and_no_5xx(db) {
        let settings = dispatch::engine::Settings {
            heartbeat_deadline: Duration::from_millis(300),
            ..engine_settings()
        };
        let app = built(AppBuilder { engine: settings, ..AppBuilder::default() }, db, 1).await;
        let jobs = ["/api/sync", "/api/sync/scheduled", "/api/agents/cron/heartbeat"];
        let all = async |app: &App, what: &str| {
            for path in jobs {
                app.advance(Duration::from_mins(20));
                let client = Client::new(app);
                for answer in join_all((0..3).map(|_| client.post(path, json!({})))).await {
                    assert_eq!(answer.status, 200, "{what}: {path}: {}", answer.text);
                }
            }
            Client::new(app).post("/api/agent-work/sweep", json!({})).await.expect(200);
        };
        all(&app, "all is well").await;
        let faults = [FaultKind::Status(500), FaultKind::BadCredentials, FaultKind::Forbidden, FaultKind::Reset, FaultKind::Hang];
        for kind in faults {
            let fault = app.sim.fault(Fault::new(kind.clone()));
            all(&app, &format!("{kind:?}")).await;
            app.sim.clear_fault(fault);
        }
        Client::new(&app).call("DELETE", "/api/automation/repos/acme/api", None).await.expect(200);
        all(&app, "no repository").await;
    }

    async fn a_slash_in_an_agent_name_works_nowhere(db) {
        let app = with_issues(db, 1).await;
        let client = Client::new(&app);
        for path in ["next-task", "queue", "active-work", "work-summary"] {
            assert_eq!(client.get(&format!("/api/agents/a%2Fb/{path}")).await.expect(400)["field"], "agentName", "{path}");
            client.get(&format!("/api/agents/a/b/{path}")).await.expect(404);
        }
        let body = named(&client, 1, "a/b").await;
        for path in ["/api/issues/claim", "/api/issues/unclaim", "/api/agent-work/start"] {
            assert_eq!(client.post(path, body.clone()).await.expect(400)["field"], "agentName", "{path}");
        }
        assert_eq!(app.db.count("SELECT count(*) FROM claims").await, 0);
    }
}
