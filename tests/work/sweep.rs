//! `POST /api/agent-work/sweep`: recovery by hand.

use std::sync::Arc;

use dispatch::{domain::ids::IssueId, store::claims};
use serde_json::json;

use super::{as_worker, checkpoint, history, id, start, start_free};
use crate::{each_db, field::*};

const SWEEP: &str = "/api/agent-work/sweep";

each_db! {
    async fn what_ran_out_is_taken_back(db) {
        let app = with_issues(db, 3).await;
        lease(&app, 1, "one").await.expect(200);
        lease(&app, 2, "two").await.expect(200);
        claim(&app, 3, "held").await.expect(200);
        app.post("/api/agent-work/start", json!({ "agentName": "free", "lease": true })).await.expect(201);
        let nothing = app.post(SWEEP, json!({})).await;
        assert_eq!(nothing.text, "{\"success\":true,\"examined\":0,\"released\":0,\"skipped\":0,\"errors\":[]}");
        app.advance(TTL);
        let swept = app.post(SWEEP, json!({})).await.expect(200);
        assert_eq!(swept, json!({ "success": true, "examined": 3, "released": 3, "skipped": 0, "errors": [] }));
        assert_labels(&app, 1, &["bug", "status/ready"]).await;
        assert_labels(&app, 2, &["bug", "status/ready"]).await;
        assert_labels(&app, 3, &["agent/held", "bug", "status/in-progress"]).await;
        let audit = app.db.texts("SELECT actor || ' ' || action FROM audit_log WHERE action LIKE 'stale%'").await;
        assert_eq!(audit, ["system stale_agentwork_released"; 3]);
        assert_eq!(app.post(SWEEP, json!({})).await.expect(200)["examined"], 0);
        assert_eq!(as_worker(&app, SWEEP, json!({})).await.expect(403)["code"], "maintainer_required");
    }

    async fn one_sweep_at_a_time(db) {
        let app = Arc::new(with_issues(db, 1).await);
        let work = start(&app, 1, "coder").await.expect(201);
        checkpoint(&app, "coder", "PR_OPENED", json!({})).await.expect(200);
        app.advance(TTL);
        // Whoever sweeps first stands here until the test lets go.
        let mut tx = app.engine.db().write().await.expect("a transaction");
        let issue = IssueId(work["issueId"].as_str().unwrap().to_owned());
        claims::lock_issue(&mut tx, &issue).await.expect("the lock");
        let mut sweeps = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let app = Arc::clone(&app);
            sweeps.spawn(async move { app.post(SWEEP, json!({})).await });
        }
        let first = sweeps.join_next().await.expect("an answer").expect("its task");
        assert_eq!(first.expect(409)["error"], "Stale work sweep is already running");
        assert_eq!(first.json()["locked"], true);
        drop(tx);
        let second = sweeps.join_next().await.expect("an answer").expect("its task");
        assert_eq!(second.expect(200)["released"], 1);
        assert_eq!(id(&app, 1).await, work["issueId"]);
    }

    async fn free_work_runs_out_like_a_claim(db) {
        let app = with_issues(db, 1).await;
        start_free(&app, "coder").await.expect(201);
        app.advance(std::time::Duration::from_hours(24));
        assert_eq!(app.post(SWEEP, json!({})).await.expect(200)["released"], 1);
        assert_eq!(history(&app).await, ["coder start CLAIMED", "coder stale STALE"]);
    }
}
