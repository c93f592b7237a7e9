//! Acknowledgements: whose they are, and what they are worth.

use serde_json::json;

use super::field::*;
use crate::{
    each_db,
    support::{BOUND, MAINTAINER, UNBOUND, app::send},
};

each_db! {
    async fn an_agent_says_that_it_has_begun(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        assert_eq!(next_pr(&app, "Coder").await, Some(4));
        let first = ack(&app, 4, 1, "coder").await.expect(200);
        assert_eq!(first["acknowledged"], true);
        assert_eq!((&first["item"]["handoutAcks"], &first["item"]["agentHandouts"]), (&json!(["Coder@1"]), &json!(["Coder@1"])));
        assert_eq!(ack(&app, 4, 1, "coder").await.expect(200), json!({ "acknowledged": true, "alreadyAcknowledged": true }));
        assert_eq!(audited(&app, "pr_fix_ack").await, 1);
        let about = app.get("/api/audit?agent=coder&action=pr_fix_ack").await.expect(200);
        assert_eq!(about.as_array().map(Vec::len), Some(1), "{about}");
        assert_eq!(history(&app, 4).await, ["enqueue QUEUED", "ack QUEUED"]);
    }

    async fn what_is_not_theirs_to_begin(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        assert_eq!(ack(&app, 5, 1, "coder").await.expect(404)["error"], "pr-fix item not found");
        assert_eq!(ack(&app, 4, 2, "coder").await.expect(409)["reason"], "generation-mismatch");
        assert_eq!(ack(&app, 4, 1, "coder").await.expect(409)["reason"], "not-stamped");
        next_pr(&app, "coder").await;
        assert_eq!(ack(&app, 4, 1, "other").await.expect(403)["reason"], "not-handed");
        mark(&app, 4, "BLOCKED", json!({})).await.expect(200);
        assert_eq!(ack(&app, 4, 1, "coder").await.expect(409)["reason"], "not-queued");
        assert_eq!(audited(&app, "pr_fix_ack").await, 0);
    }

    async fn nobody_acknowledges_for_others(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        next_pr(&app, "bound").await;
        let body = |agent: &str| json!({ "repo": API, "pr": 4, "generation": 1, "agentName": agent });
        assert_eq!(post_as(&app, BOUND, "ack", body("other")).await.expect(403)["code"], "other_agent");
        assert_eq!(post_as(&app, UNBOUND, "ack", body("bound")).await.expect(403)["code"], "unbound_token");
        let named = async |header: &str| {
            let request = app.request("POST", "/api/pr-fix-queue/ack", MAINTAINER).header("x-agent-name", header);
            send(request.body(body("bound").to_string())).await
        };
        assert_eq!(named("other").await.expect(400)["field"], "agentName");
        named("BOUND").await.expect(200);
        assert_eq!(post_as(&app, BOUND, "ack", body("bound")).await.expect(200)["alreadyAcknowledged"], true);
    }

    async fn it_lengthens_the_hand_out(db) {
        let app = with(db).await;
        enqueue(&app, 4, "k", json!({})).await;
        next_pr(&app, "coder").await;
        app.advance(TIMEOUT / 2);
        ack(&app, 4, 1, "coder").await.expect(200);
        app.advance(TIMEOUT / 2);
        assert_eq!(next_pr(&app, "other").await, None);
        // So does another one.
        ack(&app, 4, 1, "coder").await.expect(200);
        app.advance(ALMOST);
        assert_eq!(next_pr(&app, "other").await, None);
        assert_eq!(next_pr(&app, "coder").await, Some(4));
    }
}
