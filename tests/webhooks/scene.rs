//! A server that GitHub tells what happens, by deliveries of its own or by the test's hand.

use std::time::{Duration, Instant};

use dispatch::{engine::webhooks::Door, github::webhook::Secrets};
use github_sim::WebhookDelivery;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    SECRET,
    support::{
        Answer, App, AppBuilder, TestDb,
        app::{engine_settings, send},
        world,
    },
};

pub const PATH: &str = "/api/github/webhook";
/// Nobody listens there: what is sent to it is kept by the simulator, for the test to post.
const NOWHERE: &str = "http://127.0.0.1:9/";
const PATIENCE: Duration = Duration::from_secs(20);

pub fn builder(repos: &[&str]) -> AppBuilder {
    let mut engine = engine_settings();
    engine.webhooks = Door::Signed(Secrets::parse(SECRET).expect("a secret"));
    AppBuilder { repos: repos.iter().map(|&name| name.to_owned()).collect(), engine, ..AppBuilder::default() }
}

/// A server with loaded repositories, whose webhooks lead to it.
pub async fn listening(db: TestDb, repos: &[&str]) -> App {
    let app = builder(repos).start(db).await;
    app.beat("coder").await;
    for name in repos {
        app.sim.repo(name).add_webhook(&app.url(PATH), SECRET);
    }
    told(&app).await;
    app.sim.reset_counters();
    app
}

/// The same, but the test delivers.
pub async fn by_hand(db: TestDb, repos: &[&str]) -> App {
    let app = builder(repos).start(db).await;
    app.beat("coder").await;
    for name in repos {
        app.sim.repo(name).add_webhook(NOWHERE, SECRET);
    }
    app.sim.webhooks_idle().await;
    app.sim.reset_counters();
    app
}

/// `sha256=…` of a body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    let tag = mac.chain_update(body).finalize().into_bytes();
    tag.iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A signed delivery.
pub fn delivery(app: &App, event: &str, guid: &str, body: impl Into<Vec<u8>>) -> reqwest::RequestBuilder {
    let body = body.into();
    let request = app.request("POST", PATH, "no token of ours");
    let request = request.header("x-github-event", event).header("x-github-delivery", guid);
    request.header("x-hub-signature-256", signature(SECRET, &body)).body(body)
}

pub async fn post(app: &App, event: &str, guid: &str, payload: &Value) -> Answer {
    send(delivery(app, event, guid, payload.to_string())).await
}

/// What the simulator wanted to deliver since the deliveries of `known`, oldest first.
pub async fn undelivered(app: &App, known: usize) -> Vec<WebhookDelivery> {
    app.sim.webhooks_idle().await;
    app.sim.webhook_deliveries().split_off(known)
}

/// Posts deliveries in this order, one after the other; the state of each receipt.
pub async fn post_all<'d>(
    app: &App,
    deliveries: impl IntoIterator<Item = &'d WebhookDelivery>,
) -> Vec<String> {
    let mut states = Vec::new();
    for it in deliveries {
        let answer = send(delivery(app, &it.event, &it.guid, it.payload.to_vec())).await;
        states.push(answer.expect(202)["state"].as_str().expect("a state").to_owned());
    }
    states
}

/// Waits until everything that happened was delivered, and everything that was delivered came to its end.
pub async fn told(app: &App) {
    app.sim.webhooks_idle().await;
    settled(app).await;
}

/// Waits until no delivery is pending.
pub async fn settled(app: &App) {
    until(app, "nothing is pending", |rows| rows.iter().all(|row| row["state"] != "pending")).await;
}

/// Waits for what the list of deliveries shows.
pub async fn until(app: &App, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let rows = rows(app).await;
        if is_so(&rows) {
            return rows;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n{rows:#?}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// All deliveries, newest first.
pub async fn rows(app: &App) -> Vec<Value> {
    app.get("/api/deliveries").await.expect(200).as_array().expect("an array").clone()
}

/// One delivery.
pub async fn row(app: &App, guid: &str) -> Value {
    let rows = rows(app).await;
    rows.into_iter().find(|row| row["deliveryId"] == guid).unwrap_or_else(|| panic!("no delivery {guid}"))
}

/// The cache is as GitHub is, and GitHub was asked nothing.
pub async fn assert_same_for_free(app: &App, repo: &str, what: &str) {
    told(app).await;
    let (cached, expected) = (world::cached(app, repo).await, world::expected(app, repo, &[]));
    assert_eq!(cached, expected, "after {what}");
    let asked = app.sim.counters().by_kind;
    assert!(asked.is_empty(), "after {what} GitHub was asked: {asked:?}");
}

/// A payload as GitHub frames it.
pub fn framed(app: &App, repo: &str, action: &str, more: &Value) -> Value {
    let mut payload = json!({
        "action": action,
        "repository": { "id": app.sim.repo(repo).id(), "full_name": repo },
        "sender": { "login": "octocat" },
    });
    payload.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
    payload
}
