//! Who may deliver what (`contract/operations.md` 1.11).

use dispatch::{engine::webhooks::Door, github::webhook::Secrets};
use serde_json::{Value, json};

use crate::{
    API, SECRET, each_db,
    scene::{PATH, builder, delivery, framed, post, rows, signature},
    support::{Answer, App, BOUND, MAINTAINER, app::send},
};

const PATHS: [&str; 3] = [PATH, "/api/issues/webhook", "/api/pr-followup/webhook"];

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, says: &str) {
    let body = answer.expect(status);
    let message = body["error"].as_str().expect("a message");
    assert!(message.contains(says), "{message}");
    assert!(!answer.text.contains(SECRET), "{}", answer.text);
}

/// A delivery without the right to be one.
fn bare(app: &App, path: &str, event: &str, body: &str) -> reqwest::RequestBuilder {
    app.request("POST", path, "no token of ours").header("x-github-event", event).body(body.to_owned())
}

/// Deliveries that metrics count as refused.
async fn refused(app: &App) -> i64 {
    let metrics = app.get("/metrics").await.text;
    let lines = metrics.lines().filter(|line| {
        line.starts_with("dispatch_webhook_deliveries_total") && line.contains("result=\"refused\"")
    });
    lines.map(|line| line.rsplit(' ').next().expect("a value").parse::<i64>().expect("a number")).sum()
}

each_db! {
    async fn what_is_not_signed_is_refused_and_only_counted(db) {
        let app = builder(&[API]).start(db).await;
        let body = framed(&app, API, "opened", &json!({})).to_string();
        let right = signature(SECRET, body.as_bytes());
        for path in PATHS {
            let no_event = app.request("POST", path, MAINTAINER).body(body.clone());
            let no_event = no_event.header("x-hub-signature-256", &right);
            assert_refused(&send(no_event).await, 400, "X-GitHub-Event is missing");
            assert_refused(&send(bare(&app, path, "issues", &body)).await, 401, "X-Hub-Signature-256 is missing");
            let changed = body.replacen("octocat", "octodog", 1);
            let wrong = [
                (&body, signature("webhook-secret-another", body.as_bytes())),
                (&changed, right.clone()),
                (&body, right.replace("sha256=", "sha1=")),
                (&body, right[..right.len() - 1].to_owned()),
                (&body, "sha256=nonsense".to_owned()),
            ];
            for (body, signature) in wrong {
                // A maintainer's token is no signature.
                let request = app.request("POST", path, MAINTAINER).header("x-github-event", "issues");
                let request = request.header("x-hub-signature-256", signature).body(body.clone());
                assert_refused(&send(request).await, 401, "signature is wrong");
            }
        }
        assert_eq!(rows(&app).await, [] as [Value; 0]);
        assert_eq!(refused(&app).await, 7 * 3);
    }

    async fn what_is_too_large_or_no_payload_is_refused(db) {
        let app = builder(&[API]).start(db).await;
        let large = format!("{{\"x\":\"{}\"}}", "a".repeat(26 * 1024 * 1024));
        let answer = send(delivery(&app, "issues", "large", large)).await;
        assert_refused(&answer, 413, "25 MiB");
        assert_eq!(answer.json()["code"], "body_too_large");
        for no_json in ["", "{", "payload=%7B%7D"] {
            let answer = send(delivery(&app, "issues", "none", no_json)).await;
            assert_refused(&answer, 400, "application/json");
        }
        for other in [json!([]), json!("text"), json!({ "action": "opened" }), framed(&app, API, "opened", &json!({}))] {
            assert_refused(&post(&app, "issues", "other", &other).await, 400, "form that GitHub documents for issues");
        }
        let payload = framed(&app, API, "yodelled", &json!({}));
        for (event, guid, says) in [("is sues", "a", "no name of an event"), ("issues", "a b", "X-GitHub-Delivery")] {
            assert_refused(&post(&app, event, guid, &payload).await, 400, says);
        }
        assert_eq!(rows(&app).await, [] as [Value; 0]);
        // More than other routes take is a payload still.
        let padding = json!({ "padding": "a".repeat(3 * 1024 * 1024) });
        let receipt = post(&app, "issues", "big", &framed(&app, API, "yodelled", &padding)).await.expect(202);
        assert_eq!(receipt["state"], "ignored");
        assert_eq!(refused(&app).await, 10);
    }

    async fn unknown_events_and_actions_are_ignored(db) {
        let app = builder(&[API]).start(db).await;
        let star = post(&app, "star", "g-1", &framed(&app, API, "created", &json!({}))).await.expect(202);
        assert_eq!(star, json!({ "deliveryId": "g-1", "event": "star", "action": "created", "state": "ignored" }));
        let odd = post(&app, "issues", "g-2", &framed(&app, API, "yodelled", &json!({}))).await.expect(202);
        assert_eq!((&odd["state"], &odd["action"]), (&json!("ignored"), &json!("yodelled")));
        let ping = post(&app, "ping", "g-3", &json!({ "zen": "Design for failure." })).await.expect(202);
        assert_eq!((&ping["state"], &ping["action"]), (&json!("applied"), &json!(null)));
        let known: Vec<Value> = rows(&app).await.into_iter().map(|row| row["state"].clone()).collect();
        assert_eq!(known.len(), 3);
        assert_eq!(app.db.count("SELECT count(*) FROM webhook_deliveries WHERE payload IS NOT NULL").await, 0);
    }

    async fn without_a_delivery_id_the_bytes_name_it(db) {
        let app = builder(&[API]).start(db).await;
        let body = framed(&app, API, "created", &json!({})).to_string();
        let mut ids = Vec::new();
        for state in ["ignored", "duplicate"] {
            let signed = bare(&app, PATH, "star", &body);
            let receipt = send(signed.header("x-hub-signature-256", signature(SECRET, body.as_bytes()))).await;
            assert_eq!(receipt.expect(202)["state"], state);
            ids.push(receipt.json()["deliveryId"].clone());
        }
        assert_eq!(ids[0], ids[1]);
    }

    async fn both_secrets_count_while_one_is_replaced(db) {
        let mut builder = builder(&[API]);
        let secrets = Secrets::parse(&format!("webhook-secret-new, {SECRET}")).expect("two secrets");
        builder.engine.webhooks = Door::Signed(secrets);
        let app = builder.start(db).await;
        let body = framed(&app, API, "created", &json!({})).to_string();
        for (secret, status) in [(SECRET, 202), ("webhook-secret-new", 202), ("webhook-secret-third", 401)] {
            let request = bare(&app, PATH, "star", &body);
            let request = request.header("x-hub-signature-256", signature(secret, body.as_bytes()));
            send(request).await.expect(status);
        }
    }

    async fn without_a_secret_nothing_is_received_but_by_a_gateway(db) {
        let app = App::with_repos(db, &[API]).await;
        let body = framed(&app, API, "created", &json!({})).to_string();
        for path in PATHS {
            let answer = send(bare(&app, path, "star", &body)).await;
            assert_refused(&answer, 503, "set WEBHOOK_SECRET, or WEBHOOK_GATEWAY_MODE=true");
            assert_eq!(answer.json()["code"], "webhooks_off");
        }
        let (db, sim, clock) = app.stop().await;
        let mut builder = builder(&[API]);
        builder.engine.webhooks = Door::Gateway;
        let app = builder.start_with(db, sim, clock).await;
        for path in PATHS {
            let from = |token: &str| {
                let request = app.request("POST", path, token).header("x-github-event", "star");
                request.header("x-github-delivery", path.replace('/', "-")).body(body.clone())
            };
            assert_refused(&send(from("wrong")).await, 401, "Unauthorized");
            assert_refused(&send(from(BOUND)).await, 403, "Forbidden");
            assert_eq!(send(from(MAINTAINER)).await.expect(202)["state"], "ignored");
        }
        assert_eq!(rows(&app).await.len(), 3);
    }
}
