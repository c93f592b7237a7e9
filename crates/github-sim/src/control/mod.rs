//! The control API under `/_sim`: what the library offers, for other processes, in JSON.

mod apps;
mod change;
mod faults;
mod mutate;
mod webhooks;

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Sim;
use crate::api::Reply;
use crate::server::Ask;

const HELP: &str = "\
github-sim control API (takes no part in limits and counters)

GET    /_sim                          this text
GET    /_sim/counters                 requests, quota, writes
POST   /_sim/reset                    counters and request log from zero
GET    /_sim/requests                 the latest requests
GET    /_sim/issues?repo=acme/api     every issue as it is now
POST   /_sim/latency                  {\"ms\": 80}
POST   /_sim/mutate                   one change or a list of them, {\"repo\": \"acme/api\", \"op\": ...}
         create_repo | delete_repo | archive | disable_issues | enable_issues
         rename_repo {to} | set_private {private}
         open_issue {title, body?, labels?, assignees?} | edit {number, title?, body?}
         close | reopen | touch | delete {number} | transfer {number, to}
         add_label | remove_label {number, label} | assign | unassign {number, login}
         comment {number, body, author?} | block | unblock {number, blocker, blocker_repo?}
         rename_label {label, to} | delete_label {label} | unarchive
         open_pull {title, branch} | close_pull | merge_pull {number}
POST   /_sim/apps                     {\"op\": ...}
         create {id, public_key?}, answers the private_key if it made one
         install {app, account, permission?}, answers {\"id\"} of the installation
         suspend | unsuspend | uninstall | revoke_tokens {installation} | grant {installation, permission}
POST   /_sim/webhooks                 {\"op\": ...}
         add {repo, url, secret}, answers {\"id\"} | remove {repo, id} | app {app, url, secret}
         faults {seed?, lost?, doubled?, reordered?, patience_ms?, delay_ms?, at_once?} | lose {count}
         permit {token, permission}, what a token may do with webhooks
GET    /_sim/webhooks                 events, deliveries, sent, accepted, lost, ..., waiting (0: all were attempted)
GET    /_sim/webhooks/deliveries      every attempt to deliver
POST   /_sim/faults                   {\"fault\": \"status\", \"status\": 503, \"on\": {\"repo\", \"kind\", \"method\",
                                      \"path_contains\"}, \"times\": 1, \"after\": 0}, answers {\"id\": 0}
         status {status, body?} | hang | reset | truncate | wrong_json | not_json
         slow_body {chunk, every_ms} | delay {ms} | held | lost_answer | primary_limit
         secondary_limit {status?, retry_after?} | bad_credentials | forbidden
         redirect_elsewhere {url}
GET    /_sim/faults?id=0              {\"hits\": 1}
DELETE /_sim/faults                   end all faults
";

/// Whether a request is for the control API.
pub(crate) fn is_for(ask: &Ask) -> bool {
    ask.path == "/_sim" || ask.path.starts_with("/_sim/")
}

/// Answers a control request.
pub(crate) fn answer(sim: &Sim, ask: &Ask) -> Reply {
    let place = ask.path.trim_start_matches("/_sim").trim_matches('/');
    match (ask.method.as_str(), place) {
        ("GET", "") => Reply::raw(StatusCode::OK, "text/plain; charset=utf-8", HELP),
        ("GET", "counters") => Reply::ok(&sim.counters()),
        ("GET", "requests") => Reply::ok(&sim.requests()),
        ("GET", "issues") => issues(sim, ask),
        ("POST", "reset") => {
            sim.reset_counters();
            done()
        }
        ("POST", "latency") => latency(sim, ask).unwrap_or_else(|refused| refused),
        ("POST", "mutate") => mutate::all(sim, ask).unwrap_or_else(|refused| refused),
        ("POST", "apps") => apps::apply(sim, ask).unwrap_or_else(|refused| refused),
        ("POST", "webhooks") => webhooks::apply(sim, ask).unwrap_or_else(|refused| refused),
        ("GET", "webhooks") => Reply::ok(&sim.webhook_counters()),
        ("GET", "webhooks/deliveries") => Reply::ok(&sim.webhook_deliveries()),
        ("POST", "faults") => faults::set(sim, ask).unwrap_or_else(|refused| refused),
        ("GET", "faults") => faults::hits(sim, ask),
        ("DELETE", "faults") => {
            sim.clear_faults();
            done()
        }
        _ => refusal(StatusCode::NOT_FOUND, "no such control; see GET /_sim"),
    }
}

fn issues(sim: &Sim, ask: &Ask) -> Reply {
    let name = ask.param("repo").unwrap_or_default();
    match sim.find_repo(&name) {
        Some(_) => Reply::ok(&sim.repo(&name).issues()),
        None => refusal(StatusCode::NOT_FOUND, &format!("no repository {name:?}")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LatencyBody {
    ms: u64,
}

fn latency(sim: &Sim, ask: &Ask) -> Result<Reply, Reply> {
    let body: LatencyBody = parse(ask)?;
    sim.set_latency(Duration::from_millis(body.ms));
    Ok(done())
}

fn done() -> Reply {
    Reply::ok(&json!({ "ok": true }))
}

fn refusal(status: StatusCode, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": message }))
}

fn parse<T: DeserializeOwned>(ask: &Ask) -> Result<T, Reply> {
    serde_json::from_slice(&ask.body).map_err(|error| refusal(StatusCode::BAD_REQUEST, &error.to_string()))
}
