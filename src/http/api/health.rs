//! Probes: `/api/health` (the contract's), `/healthz` (is the process alive) and `/readyz` (can it serve).

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

use crate::http::App;

/// Probes wait a second; the answer must be there before.
const PING_LIMIT: Duration = Duration::from_millis(700);

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct About {
    pub version: &'static str,
    /// `legacy`, `basic`, `oidc` or `disabled`.
    pub auth_mode: &'static str,
}

/// The answer of the probes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    ok: bool,
    database: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_mode: Option<&'static str>,
}

/// `{ok, database, version, authMode}`; 503 when the database does not answer.
pub async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let ok = database_answers(&app).await;
    let health = Health {
        ok,
        database: if ok { "ok" } else { "error" },
        version: app.about.version,
        auth_mode: ok.then_some(app.about.auth_mode),
    };
    (if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}

/// The process answers.
pub async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "ok": true }))
}

/// The process can serve: as [`health`].
pub async fn ready(app: State<App>) -> (StatusCode, Json<Health>) {
    health(app).await
}

async fn database_answers(app: &App) -> bool {
    let db = app.engine.db().clone();
    // The probe gives up waiting; the statement itself is never cut off.
    let ping = app.engine.tasks().spawn(async move { db.ping().await });
    matches!(tokio::time::timeout(PING_LIMIT, ping).await, Ok(Ok(Ok(()))))
}
