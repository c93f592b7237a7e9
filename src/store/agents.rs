//! `agents`: names as they were first spelled.

use crate::{
    domain::{ids::AgentName, time::Timestamp},
    store::{Result, WriteTx},
};

/// The first spelling of this name; this one, when it is new.
pub async fn first_spelling(tx: &mut WriteTx, agent: &AgentName, now: Timestamp) -> Result<AgentName> {
    let (name,): (AgentName,) = tx
        .query(
            "INSERT INTO agents (agent_key, name, first_seen_at) VALUES ($1, $2, $3)
             ON CONFLICT (agent_key) DO UPDATE SET agent_key = excluded.agent_key RETURNING name",
        )
        .bind(agent.key())
        .bind(agent)
        .bind(now)
        .fetch_one()
        .await?;
    Ok(name)
}
