//! Refusals in the audit log, throttled so that a client in a loop cannot flood it.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use super::Engine;
use crate::{
    domain::{
        access::{Caller, Denied, Tier},
        audit::{AuditAction, NewAudit},
        ids::AuditId,
        time::Timestamp,
    },
    store::{self, audit},
};

const MINUTE: Duration = Duration::from_mins(1);
/// Rows per actor and minute (`contract/agents.md` 1.5).
const PER_ACTOR: u32 = 10;
/// Actors and routes remembered at once; beyond that the oldest memory is dropped.
const REMEMBERED: usize = 10_000;

/// Which refusals were recorded lately.
#[derive(Debug, Default)]
pub struct Denials(Mutex<HashMap<String, (Timestamp, u32)>>);

impl Denials {
    /// Counts one more of `what` in this minute; false when `most` were recorded already.
    fn admit(&self, what: String, most: u32, now: Timestamp) -> bool {
        let mut lately = self.0.lock();
        if lately.len() >= REMEMBERED {
            lately.retain(|_, (since, _)| now.since(*since) < MINUTE);
        }
        if lately.len() >= REMEMBERED {
            return false;
        }
        let (since, count) = lately.entry(what).or_insert((now, 0));
        if now.since(*since) >= MINUTE {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= most
    }
}

/// Records that `caller` was refused at a route. Failing to record changes nothing for the caller.
pub async fn record_denial(engine: &Engine, caller: &Caller, denied: &Denied, method: &str, path: &str) {
    let actor = match denied {
        Denied::Unbound => "unbound-worker",
        Denied::Tier | Denied::OtherAgent { .. } => caller.actor(),
    };
    let now = engine.clock.now();
    let (action, per_route) = match denied {
        Denied::Tier => (AuditAction::AuthTierDenied, true),
        Denied::OtherAgent { .. } | Denied::Unbound => (AuditAction::WorkerScopeDenied, false),
    };
    let route_is_new = !per_route || engine.denials.admit(format!("{actor} {method} {path}"), 1, now);
    if !route_is_new || !engine.denials.admit(format!("{action:?} {actor}"), PER_ACTOR, now) {
        return;
    }
    let mut entry = NewAudit::repo(actor, &caller.token, action, "unknown");
    entry.success = false;
    if let Tier::Worker(agent) = &caller.tier {
        entry.agent = Some(agent.clone());
    }
    entry.error = Some(denied.to_string());
    entry.notes = Some(format!("{method} {path}"));
    if let Err(error) = insert(engine, now, &entry).await {
        tracing::warn!(%error, "a refusal could not be recorded");
    }
}

async fn insert(engine: &Engine, now: Timestamp, entry: &NewAudit) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, entry).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_per_minute() {
        let denials = Denials::default();
        let admit = |at| denials.admit("a".into(), 2, Timestamp(at));
        assert!(admit(0) && admit(1) && !admit(2) && !admit(59_999));
        assert!(admit(60_000));
    }
}
