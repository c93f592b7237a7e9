//! Who may call what, for which agent and how often; and that no credential ever shows anywhere.

#[path = "../support/mod.rs"]
mod support;

mod agents;
mod bodies;
mod credentials;
mod denials;
mod routes;
mod secrets;

use support::{Answer, App, app::send};

const API: &str = "acme/api";

/// A request with exactly this `Authorization` header, or without any.
async fn with_authorization(app: &App, method: &str, path: &str, authorization: Option<&[u8]>) -> Answer {
    let request = support::app::client().request(method.parse().expect("a method"), app.url(path));
    let request = match authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    };
    send(request.body("{")).await
}

/// The rows of the audit log with this action, newest first.
async fn audited(app: &App, action: &str) -> Vec<serde_json::Value> {
    let rows = app.get("/api/audit?limit=1000").await.expect(200);
    let rows = rows.as_array().expect("an array").iter();
    rows.filter(|row| row["action"] == action).cloned().collect()
}
