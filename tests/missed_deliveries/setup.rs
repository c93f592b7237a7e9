//! `/api/webhooks/{owner}/{name}`.

use github_sim::Permission;
use serde_json::{Value, json};

use crate::{
    each_db,
    hooked::{API, SECRET, asked, builder, delivered, started},
    support::{App, AppBuilder, app::engine_settings},
};

const PLACE: &str = "/api/webhooks/acme/api";

async fn status(app: &App) -> Value {
    app.get(PLACE).await.expect(200)
}

each_db! {
    async fn a_webhook_is_added_once_and_removed(db) {
        let app = started(db).await;
        let before = status(&app).await;
        assert_eq!((&before["hook"], &before["alive"], &before["received"]), (&json!(null), &json!(false), &json!(true)));
        let added = app.post(PLACE, json!({ "url": app.url("") })).await;
        assert!(!added.text.contains(SECRET), "{}", added.text);
        let added = added.expect(201);
        assert_eq!((&added["created"], &added["hook"]["url"]), (&json!(true), &json!(app.url("/api/github/webhook"))));
        // The ping came, so the secret is the right one.
        delivered(&app).await;
        let after = status(&app).await;
        assert_eq!((&after["alive"], &after["hook"]["lastStatus"], &after["problem"]), (&json!(true), &json!(202), &json!(null)));
        let again = app.post(PLACE, json!({ "url": app.url("") })).await.expect(200);
        assert_eq!((&again["created"], &again["hook"]["id"]), (&json!(false), &added["hook"]["id"]));
        // Another address is the same webhook's.
        let moved = app.post(PLACE, json!({ "url": app.url("/api/issues/webhook") })).await.expect(200);
        assert_eq!((&moved["created"], &moved["hook"]["id"]), (&json!(false), &added["hook"]["id"]));
        app.sim.repo(API).set_title(1, "Changed");
        delivered(&app).await;
        assert_eq!(app.db.texts("SELECT title FROM issues WHERE number = 1").await, ["Changed"]);
        assert_eq!(app.delete(PLACE).await.expect(200), json!({ "repoFullName": API, "removed": true }));
        assert!(app.sim.repo(API).webhooks().is_empty());
        app.delete(PLACE).await.expect(404);
        let actions = app.db.texts("SELECT action FROM audit_log WHERE action LIKE 'webhook%' ORDER BY id").await;
        assert_eq!(actions, ["webhook_added", "webhook_added", "webhook_added", "webhook_removed"]);
    }

    async fn one_that_is_gone_on_github_is_made_anew(db) {
        let app = started(db).await;
        let added = app.post(PLACE, json!({ "url": app.url("") })).await.expect(201);
        app.sim.repo(API).remove_webhook(added["hook"]["id"].as_u64().expect("a number"));
        let problem = status(&app).await["problem"].as_str().map(str::to_owned);
        assert!(problem.is_some_and(|words| words.contains("gone on GitHub")));
        app.post(PLACE, json!({ "url": app.url("") })).await.expect(201);
        assert_eq!(status(&app).await["problem"], json!(null));
        // Removed by somebody else meanwhile: as good as removed.
        app.sim.repo(API).remove_webhook(app.sim.repo(API).webhooks()[0]);
        app.delete(PLACE).await.expect(200);
    }

    async fn what_cannot_be_is_said_in_words(db) {
        let app = started(db).await;
        for url in ["", "dispatch.example.com", "ftp://example.com", "https://me:word@example.com"] {
            let refused = app.post(PLACE, json!({ "url": url })).await.expect(400);
            assert_eq!(refused["field"], "url", "{refused}");
        }
        app.post(PLACE, json!({ "url": 7 })).await.expect(400);
        app.post("/api/webhooks/acme/other", json!({ "url": app.url("") })).await.expect(404);
        app.get("/api/webhooks/acme/other").await.expect(404);
        for (permission, words) in [(Permission::None, "403"), (Permission::Read, "403")] {
            app.sim.token_hooks(&app.sim.token(), permission);
            let refused = app.post(PLACE, json!({ "url": app.url("") })).await.expect(502);
            let said = refused["error"].as_str().expect("words");
            assert!(said.contains(words) && said.contains("Webhooks (read and write)"), "{said}");
        }
        assert_eq!(asked(&app, "hooks.create"), 1, "GitHub was asked, and made none");
        assert!(app.sim.repo(API).webhooks().is_empty());
    }

    async fn without_a_secret_none_is_added(db) {
        let app = AppBuilder { engine: engine_settings(), ..builder() }.start(db).await;
        let refused = app.post(PLACE, json!({ "url": app.url("") })).await.expect(409);
        assert!(refused["error"].as_str().is_some_and(|words| words.contains("WEBHOOK_SECRET")), "{refused}");
        assert_eq!(status(&app).await["received"], json!(false));
        assert_eq!(app.sim.counters().requests, 0);
    }
}
