//! The `renew` verb: keeps the claims of a living agent alive.

use super::Engine;
use crate::{
    domain::{ids::AgentName, notice::Notice},
    store,
};

/// Renews the agent's claims. There are no claims yet, so it finds none.
pub async fn renew(_engine: &Engine, _agent: &AgentName) -> store::Result<Vec<Notice>> {
    Ok(Vec::new())
}
