//! Work: the words of `agent-work` for claims, through the front door (`design.md` section 3,
//! `contract/agents.md` 5.2 and 6).

#[path = "../claims/field.rs"]
mod field;
#[path = "../support/mod.rs"]
mod support;

mod active;
mod interleaved;
mod late;
mod lists;
mod lost;
mod model;
mod operate;
mod progress;
mod property;
mod race;
mod refusals;
mod reports;
mod start;
mod sweep;

use serde_json::{Value, json};

use field::{API, and, post_as};
use support::{Answer, App};

/// The id of an issue.
async fn id(app: &App, number: i64) -> Value {
    let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
    state["issueId"].clone()
}

async fn start(app: &App, number: i64, agent: &str) -> Answer {
    app.post("/api/agent-work/start", json!({ "agentName": agent, "issueId": id(app, number).await })).await
}

/// Work on something that is no issue.
async fn start_free(app: &App, agent: &str) -> Answer {
    app.post("/api/agent-work/start", json!({ "agentName": agent })).await
}

async fn checkpoint(app: &App, agent: &str, checkpoint: &str, more: Value) -> Answer {
    let body = and(json!({ "agentName": agent, "checkpoint": checkpoint }), more);
    app.post("/api/agent-work/checkpoint", body).await
}

async fn finish(app: &App, agent: &str, state: &str, more: Value) -> Answer {
    app.post("/api/agent-work/finish", and(json!({ "agentName": agent, "state": state }), more)).await
}

/// What names a claim: out of the answer that granted it.
fn shown(granted: &Value) -> Value {
    json!({ "claimId": granted["claimId"], "fence": granted["fence"] })
}

async fn operate(app: &App, body: Value) -> Answer {
    app.post("/api/agent-work", body).await
}

async fn active(app: &App, agent: &str) -> Value {
    app.get(&format!("/api/agents/{agent}/active-work")).await.expect(200)
}

/// The history of all claims, in the order it was made: agent, action, state.
async fn history(app: &App) -> Vec<String> {
    let all = "SELECT c.agent_name || ' ' || h.action || ' ' || h.state FROM claim_history h
        JOIN claims c ON c.id = h.claim_id ORDER BY h.at, h.id";
    app.db.texts(all).await
}

/// The actions of the audit log with their actors, oldest first.
async fn audited(app: &App) -> Vec<String> {
    app.db.texts("SELECT actor || ' ' || action FROM audit_log ORDER BY at, action DESC, id").await
}

/// The end of each claim that ended, by fence.
async fn ends(app: &App) -> Vec<String> {
    app.db
        .texts("SELECT agent_name || ' ' || end_reason FROM claims WHERE ended_at IS NOT NULL ORDER BY fence")
        .await
}

async fn as_worker(app: &App, path: &str, body: Value) -> Answer {
    post_as(app, support::BOUND, path, body).await
}
