//! What operators see of deliveries and do about them; how long they are kept, how they are counted.

use std::time::Duration;

use dispatch::{engine::webhooks, store::deliveries};
use github_sim::{Fault, FaultKind, Match};
use serde_json::{Value, json};

use crate::{
    API, each_db,
    scene::{by_hand, framed, post, post_all, row, rows, settled, undelivered, until},
    support::{App, BOUND, app::send, world},
};

const DAY: Duration = Duration::from_hours(24);

/// An edit of an issue that the cache has in another state of the same second.
async fn doubtful(app: &App) -> String {
    let repo = app.sim.repo(API);
    let known = app.sim.webhook_deliveries().len();
    repo.open_issue("First");
    repo.set_title(1, "Second");
    let told = undelivered(app, known).await;
    post_all(app, &told[..1]).await;
    settled(app).await;
    post_all(app, &told[1..2]).await;
    told[1].guid.clone()
}

async fn get(app: &App, query: &str) -> Vec<Value> {
    app.get(&format!("/api/deliveries?{query}")).await.expect(200).as_array().expect("rows").clone()
}

each_db! {
    async fn lists_filter_and_go_on(db) {
        let app = by_hand(db, &[API]).await;
        for n in 0..5 {
            let payload = framed(&app, API, "created", &json!({}));
            post(&app, if n % 2 == 0 { "star" } else { "watch" }, &format!("g-{n}"), &payload).await.expect(202);
            app.tick();
        }
        post(&app, "ping", "p", &json!({ "zen": "x" })).await.expect(202);
        let ids = |rows: &[Value]| -> Vec<String> {
            rows.iter().map(|row| row["deliveryId"].as_str().expect("an id").to_owned()).collect()
        };
        assert_eq!(ids(&rows(&app).await), ["p", "g-4", "g-3", "g-2", "g-1", "g-0"]);
        assert_eq!(ids(&get(&app, "event=watch").await), ["g-3", "g-1"]);
        assert_eq!(ids(&get(&app, "state=applied").await), ["p"]);
        assert_eq!(ids(&get(&app, "repo=ACME/api&event=star").await), ["g-4", "g-2", "g-0"]);
        assert_eq!(get(&app, "repo=acme/other").await, [] as [Value; 0]);
        let first = app.get("/api/deliveries?limit=4").await;
        let cursor = first.header("x-next-cursor").expect("more").to_owned();
        assert_eq!(first.json().as_array().expect("rows").len(), 4);
        assert_eq!(ids(&get(&app, &format!("limit=4&cursor={cursor}")).await), ["g-1", "g-0"]);
        assert_eq!(app.get("/api/deliveries?state=lost").await.expect(400)["field"], "state");
        send(app.request("GET", "/api/deliveries", BOUND)).await.expect(403);
        let shown = row(&app, "g-4").await;
        assert_eq!(shown["repoFullName"], API);
        assert_eq!((&shown["canRetry"], &shown["attempts"]), (&json!(false), &json!(0)));
    }

    async fn what_cannot_be_asked_is_tried_again_and_given_up(db) {
        let app = by_hand(db, &[API]).await;
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::repo(API)));
        let guid = doubtful(&app).await;
        for attempts in 1..8 {
            until(&app, "a try", |rows| {
                rows.iter().any(|row| row["deliveryId"] == guid.as_str() && row["attempts"] == attempts && row["reason"].is_string())
            })
            .await;
            // Later tries meet an open breaker too, which is no reason to give up earlier.
            app.advance(Duration::from_mins(16));
            webhooks::wake(&app.engine);
        }
        settled(&app).await;
        let failed = row(&app, &guid).await;
        assert_eq!((&failed["state"], &failed["canRetry"]), (&json!("failed"), &json!(true)), "{failed}");
        assert!(failed["reason"].as_str().expect("words").contains("GitHub"), "{failed}");
        app.sim.clear_faults();
        app.advance(Duration::from_hours(1));
        let path = format!("/api/deliveries/{guid}/retry");
        let retried = app.post(&path, json!({})).await.expect(200);
        assert_eq!((&retried["state"], &retried["attempts"]), (&json!("pending"), &json!(0)));
        settled(&app).await;
        assert_eq!(row(&app, &guid).await["state"], "applied");
        world::assert_same(&app, API).await;
        let audit = app.get("/api/audit?action=delivery_retried").await.expect(200);
        assert_eq!((audit.as_array().expect("rows").len(), &audit[0]["repoFullName"]), (1, &json!(API)));
        let again = app.post(&path, json!({})).await.expect(409);
        assert!(again["error"].as_str().expect("words").contains("applied once"));
        for unknown in ["none", "a%20b", "%FF"] {
            app.post(&format!("/api/deliveries/{unknown}/retry"), json!({})).await.expect(404);
        }
        let star = framed(&app, API, "created", &json!({}));
        post(&app, "star", "kept-not", &star).await.expect(202);
        let refused = app.post("/api/deliveries/kept-not/retry", json!({})).await.expect(409);
        assert!(refused["error"].as_str().expect("words").contains("not kept"));
    }

    async fn payloads_are_kept_for_a_day_and_rows_for_a_week(db) {
        let app = by_hand(db, &[API]).await;
        let known = app.sim.webhook_deliveries().len();
        app.sim.repo(API).open_issue("First");
        post_all(&app, &undelivered(&app, known).await).await;
        settled(&app).await;
        app.db.sql(
            "INSERT INTO webhook_deliveries (guid, event, received_at, payload, state, next_try_at, settled_at)
             SELECT 'failed', event, received_at, payload, 'failed', next_try_at, settled_at FROM webhook_deliveries",
        )
        .await;
        let with_payload = "SELECT count(*) FROM webhook_deliveries WHERE payload IS NOT NULL";
        app.prune().await;
        assert_eq!(app.db.count(with_payload).await, 2);
        app.advance(DAY + Duration::from_secs(1));
        app.prune().await;
        assert_eq!((app.db.count(with_payload).await, rows(&app).await.len()), (1, 2));
        app.advance(6 * DAY);
        app.prune().await;
        assert_eq!(rows(&app).await.len(), 1, "only what failed");
        app.advance(23 * DAY);
        app.prune().await;
        assert_eq!(rows(&app).await, [] as [Value; 0]);
    }

    async fn metrics_and_the_last_word_of_each_repository(db) {
        let app = by_hand(db, &[API, "acme/web"]).await;
        app.sim.fault(Fault::new(FaultKind::Status(502)).on(Match::repo(API)));
        let guid = doubtful(&app).await;
        until(&app, "a try", |rows| rows.iter().any(|row| row["deliveryId"] == guid.as_str() && row["reason"].is_string())).await;
        app.advance(Duration::from_secs(3));
        let metrics = app.get("/metrics").await.text;
        for line in [
            r#"dispatch_webhook_deliveries_total{event="issues",result="applied"} 1"#,
            "dispatch_webhook_pending 1.0",
            "dispatch_webhook_oldest_seconds 3.0",
        ] {
            assert!(metrics.lines().any(|other| other == line), "{line} is missing in\n{metrics}");
        }
        let mut tx = app.engine.db().read_once().await.expect("the database");
        let heard = deliveries::last_heard(&mut tx).await.expect("the database");
        assert_eq!(heard.len(), 1, "nothing was heard of acme/web");
        let at = heard.values().next().expect("one").0;
        assert_eq!(at, crate::support::START_MS);
        let guids = ["never-stored".parse().expect("an id"), guid.parse().expect("an id")];
        assert_eq!(deliveries::list_unknown(&mut tx, &guids).await.expect("the database"), guids[..1]);
    }
}
