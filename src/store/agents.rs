//! `agents`: names as they were first spelled.

use crate::{
    domain::{ids::AgentName, time::Timestamp},
    store::{ReadTx, Result, WriteTx},
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

/// The first spelling of a name that was seen before.
pub async fn find_spelling(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<AgentName>> {
    let found: Option<(AgentName,)> =
        tx.query("SELECT name FROM agents WHERE agent_key = $1").bind(agent.key()).fetch_optional().await?;
    Ok(found.map(|(name,)| name))
}

/// When these agents were heard of last, by their keys; those that never were are left out.
pub async fn list_last_heard(tx: &mut ReadTx, keys: &[String]) -> Result<Vec<(String, Timestamp)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "SELECT a.agent_key,
                (SELECT r.created_at FROM runs r WHERE r.agent_key = a.agent_key ORDER BY r.created_at DESC, r.id DESC LIMIT 1)
         FROM agents a WHERE a.agent_key IN ",
    );
    sql.push_list(keys.iter().map(String::as_str));
    let rows: Vec<(String, Option<Timestamp>)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().filter_map(|(key, at)| Some((key, at?))).collect())
}

/// Every agent that was seen, by name.
pub async fn list(tx: &mut ReadTx, limit: i64) -> Result<Vec<AgentName>> {
    let rows: Vec<(AgentName,)> =
        tx.query("SELECT name FROM agents ORDER BY agent_key LIMIT $1").bind(limit).fetch_all().await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}
