//! The `renew` verb: keeps the claims of a living agent alive.

use super::Engine;
use crate::{
    domain::{ids::AgentName, notice::Notice},
    store,
};

/// Renews the agent's claims. There are no claims yet, so it finds none.
#[expect(
    clippy::unused_async,
    reason = "a verb like the others: with claims and the outbox it asks the database"
)]
pub async fn renew(_engine: &Engine, _agent: &AgentName) -> store::Result<Vec<Notice>> {
    Ok(Vec::new())
}
