//! A heartbeat that asks for the next task.

use serde_json::{Value, json};

use super::field::*;
use crate::{
    each_db,
    support::{Answer, App, MAINTAINER, app::send},
};

async fn beat(app: &App, body: Value, key: Option<&str>) -> Answer {
    let mut request = app.request("POST", "/api/agents/me/heartbeat", MAINTAINER).body(body.to_string());
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    send(request).await
}

each_db! {
    async fn a_heartbeat_names_the_next_task_when_it_is_asked_to(db) {
        let app = with(db, vec![ready("a"), ready("b")]).await;
        put(&app, 2, "cloud").await;
        assert!(beat(&app, json!({}), None).await.expect(200).get("next").is_none());
        let any = beat(&app, json!({ "want": {} }), None).await.expect(200);
        assert_eq!(any["next"], next(&app, "me", "").await, "the same object as next-task's");
        let cloud = beat(&app, json!({ "want": { "lane": "CLOUD" } }), None).await.expect(200);
        assert_eq!(cloud["next"], next(&app, "me", "?lane=cloud").await);
        assert_eq!(cloud["next"]["issue"]["number"], 2);
        let idle = beat(&app, json!({ "want": { "lane": "frontier" } }), None).await.expect(200);
        assert_eq!(idle["next"], json!({ "type": "idle", "shouldRun": false, "reason": "No work available" }));
        assert!(any.as_object().unwrap().keys().any(|name| name == "nextHeartbeatAt"));
    }

    async fn the_task_is_told_what_the_pass_itself_found(db) {
        let app = with(db, vec![ready("a")]).await;
        app.sim.repo(API).close_issue(1);
        app.sim.repo(API).open_issue(ready("new"));
        app.tick();
        let answer = beat(&app, json!({ "want": {} }), None).await.expect(200);
        assert_eq!(answer["next"]["issue"]["number"], 2);
    }

    async fn a_replay_names_the_same_task(db) {
        let app = with(db, vec![ready("a"), ready("b")]).await;
        let body = json!({ "want": { "lane": "local" } });
        let first = beat(&app, body.clone(), Some("k1")).await;
        first.expect(200);
        claim(&app, 1, "other").await;
        let again = beat(&app, body, Some("k1")).await;
        assert_eq!((again.header("idempotent-replay"), &again.text), (Some("true"), &first.text));
        let other = beat(&app, json!({ "want": { "lane": "cloud" } }), Some("k1")).await;
        other.expect(409);
    }

    async fn a_wish_of_the_wrong_form_is_refused_and_no_pass_runs(db) {
        let app = with(db, vec![]).await;
        let before = app.db.count("SELECT count(*) FROM runs").await;
        for (want, field) in [
            (json!(true), "want"),
            (json!([]), "want"),
            (json!({ "lane": 1 }), "want.lane"),
            (json!({ "lane": "nope" }), "want.lane"),
        ] {
            assert_eq!(beat(&app, json!({ "want": want }), None).await.expect(400)["field"], field);
        }
        let refused = beat(&app, json!({ "want": { "lane": "nope" } }), None).await.expect(400);
        assert_eq!(refused["error"], "Invalid lane: \"nope\". Must be one of: local, cloud, frontier, backlog");
        beat(&app, json!({ "want": null }), None).await.expect(200);
        assert_eq!(app.db.count("SELECT count(*) FROM runs").await, before + 1);
    }
}
