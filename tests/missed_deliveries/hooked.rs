//! A server that GitHub tells what changes.

use std::time::Duration;

use dispatch::engine::{self, hooks, webhooks::Door};
use dispatch::github::webhook::Secrets;

use crate::support::{App, AppBuilder, TestDb, app::engine_settings, world};

pub const API: &str = "acme/api";
pub const SECRET: &str = "a-secret-of-webhooks-0f3c";

/// The settings of a server that receives.
pub fn receiving() -> engine::Settings {
    let secrets = Secrets::parse(SECRET).expect("a secret");
    engine::Settings { webhooks: Door::Signed(secrets), ..engine_settings() }
}

pub fn builder() -> AppBuilder {
    AppBuilder { repos: vec![API.to_owned()], engine: receiving(), ..AppBuilder::default() }
}

/// One with three issues that are cached, and no webhook.
pub async fn started(db: TestDb) -> App {
    let app = builder().start(db).await;
    app.sim.repo(API).seed(3, |n| format!("Issue {n}"));
    app.next_beat("coder").await;
    app
}

/// The same with a webhook that somebody made on GitHub.
pub async fn hooked(db: TestDb) -> App {
    let app = started(db).await;
    app.sim.repo(API).add_webhook(&app.url("/api/github/webhook"), SECRET);
    delivered(&app).await;
    hooks::look(&app.engine).await.expect("the database");
    app.tick();
    app
}

/// Waits until GitHub sent everything, and it is applied.
pub async fn delivered(app: &App) {
    app.sim.webhooks_idle().await;
    while app.db.count("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'").await > 0 {
        tokio::task::yield_now().await;
    }
}

/// The job's next run: some minutes pass, it looks, and what it asked for comes.
pub async fn look(app: &App) {
    app.advance(Duration::from_mins(5));
    hooks::look(&app.engine).await.expect("the database");
    delivered(app).await;
}

/// How many missed deliveries there are whose state is this.
pub async fn missed(app: &App, state: &str) -> i64 {
    app.db.count(&format!("SELECT count(*) FROM missed_deliveries WHERE state = '{state}'")).await
}

pub fn asked(app: &App, kind: &str) -> u64 {
    app.sim.counters().by_kind.get(kind).copied().unwrap_or_default()
}

pub async fn assert_same(app: &App) {
    world::assert_same(app, API).await;
}
