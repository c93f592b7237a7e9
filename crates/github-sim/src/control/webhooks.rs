//! Webhooks and their faults, set by other processes.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{parse, refusal};
use crate::Sim;
use crate::access::Permission;
use crate::api::Reply;
use crate::server::Ask;
use crate::webhooks::WebhookFaults;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum WebhookChange {
    Add { repo: String, url: String, secret: String },
    Remove { repo: String, id: u64 },
    App { app: u64, url: String, secret: String },
    Faults(WebhookFaults),
    Lose { count: u32 },
    Permit { token: String, permission: Permission },
}

/// `POST /_sim/webhooks`
pub(super) fn apply(sim: &Sim, ask: &Ask) -> Result<Reply, Reply> {
    let done = match parse(ask)? {
        WebhookChange::Add { repo, url, secret } => {
            must_be_there(sim, &repo)?;
            json!({ "id": sim.repo(&repo).add_webhook(&url, &secret) })
        }
        WebhookChange::Remove { repo, id } => {
            must_be_there(sim, &repo)?;
            let repo = sim.repo(&repo);
            if !repo.webhooks().contains(&id) {
                return Err(refusal(StatusCode::NOT_FOUND, &format!("no webhook {id}")));
            }
            repo.remove_webhook(id);
            json!({ "ok": true })
        }
        WebhookChange::App { app, url, secret } => {
            if sim.core.access.lock().apps.app(app).is_none() {
                return Err(refusal(StatusCode::NOT_FOUND, &format!("no app {app}")));
            }
            sim.app_handle(app).set_webhook(&url, &secret);
            json!({ "ok": true })
        }
        WebhookChange::Faults(faults) => {
            sim.webhook_faults(faults);
            json!({ "ok": true })
        }
        WebhookChange::Lose { count } => {
            sim.lose_webhooks(count);
            json!({ "ok": true })
        }
        WebhookChange::Permit { token, permission } => {
            if !sim.core.access.lock().permit_hooks(&token, permission) {
                return Err(refusal(StatusCode::NOT_FOUND, "no such token"));
            }
            json!({ "ok": true })
        }
    };
    Ok(Reply::ok(&done))
}

fn must_be_there(sim: &Sim, repo: &str) -> Result<(), Reply> {
    match sim.find_repo(repo) {
        Some(_) => Ok(()),
        None => Err(refusal(StatusCode::NOT_FOUND, &format!("no repository {repo:?}"))),
    }
}
