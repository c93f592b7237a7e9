//! What Dispatch asks about webhooks: with a token, and as an App.

use std::{sync::Arc, time::Duration};

use dispatch::{
    engine::{self, hooks, webhooks::Door},
    github::webhook::Secrets,
};
use github_sim::{Exchange, Fault, FaultKind, Match, Permission};
use serde_json::json;

use crate::{
    client::{API, WEB, builder},
    support::{App, AppBuilder, TestDb, app::engine_settings},
};

const SECRET: &str = "a-secret-of-webhooks-4c1e";

fn receiving() -> AppBuilder {
    let secrets = Secrets::parse(SECRET).expect("a secret");
    let engine = engine::Settings { webhooks: Door::Signed(secrets), ..engine_settings() };
    AppBuilder { engine, ..builder() }
}

/// A webhook that is added and removed, and what did not come: delivered again, or taken from GitHub's record.
pub async fn by_a_token() -> Vec<Exchange> {
    let app = receiving().start(TestDb::sqlite().await).await;
    let place = format!("/api/webhooks/{API}");
    app.post(&place, json!({ "url": app.url("") })).await.expect(201);
    app.post(&place, json!({ "url": app.url("") })).await.expect(200);
    miss(&app, "deliveries.redeliver").await;
    app.get(&place).await.expect(200);
    app.delete(&place).await.expect(200);
    app.sim.exchanges()
}

pub async fn by_an_app() -> Vec<Exchange> {
    let mut builder = receiving();
    let (sim, clock) = builder.simulator().await;
    for repo in [API, WEB] {
        sim.create_repo(repo);
    }
    let app = sim.create_app(7);
    let installation = app.install("acme", Permission::Write);
    builder.app = Some((app.private_key_pem(), format!("acme:{installation}")));
    let server = builder.start_with(Arc::new(TestDb::sqlite().await), sim, clock).await;
    app.set_webhook(&server.url("/api/github/webhook"), SECRET);
    miss(&server, "app_deliveries.redeliver").await;
    server.sim.exchanges()
}

/// Two deliveries are lost; one of them is not delivered again.
async fn miss(app: &App, redelivery: &'static str) {
    app.sim.webhooks_idle().await;
    app.sim.lose_webhooks(2);
    app.sim.repo(API).open_issue("One");
    app.sim.repo(API).set_title(1, "Another");
    app.sim.webhooks_idle().await;
    app.sim.fault(Fault::new(FaultKind::Reset).on(Match::kind(redelivery)).times(1));
    for _ in 0..3 {
        app.advance(Duration::from_mins(5));
        hooks::look(&app.engine).await.expect("the database");
        app.sim.webhooks_idle().await;
    }
}
