//! `idempotency_keys`: which request a key stands for.

use crate::{
    domain::{
        ids::{AgentName, RunId},
        time::Timestamp,
    },
    store::{Result, WriteTx},
};

/// A key that an earlier request used.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UsedKey {
    pub body_hash: String,
    pub run_id: RunId,
}

/// Takes the key for a run, unless somebody has it: then that use is returned.
pub async fn take(
    tx: &mut WriteTx,
    agent: &AgentName,
    key: &str,
    body_hash: &str,
    run: &RunId,
    now: Timestamp,
) -> Result<Option<UsedKey>> {
    let taken = tx
        .query(
            "INSERT INTO idempotency_keys (agent_key, key, body_hash, run_id, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agent_key, key) DO NOTHING",
        )
        .bind(agent.key())
        .bind(key)
        .bind(body_hash)
        .bind(run)
        .bind(now)
        .execute()
        .await?;
    if taken == 1 {
        return Ok(None);
    }
    tx.query("SELECT body_hash, run_id FROM idempotency_keys WHERE agent_key = $1 AND key = $2")
        .bind(agent.key())
        .bind(key)
        .fetch_optional()
        .await
}

/// Hands the key of an interrupted run to a new one; false when another request was faster.
pub async fn hand_over(
    tx: &mut WriteTx,
    agent: &AgentName,
    key: &str,
    from: &RunId,
    to: (&RunId, &str),
    now: Timestamp,
) -> Result<bool> {
    let moved = tx
        .query(
            "UPDATE idempotency_keys SET run_id = $1, body_hash = $2, created_at = $3
             WHERE agent_key = $4 AND key = $5 AND run_id = $6",
        )
        .bind(to.0)
        .bind(to.1)
        .bind(now)
        .bind(agent.key())
        .bind(key)
        .bind(from)
        .execute()
        .await?;
    Ok(moved == 1)
}

/// Forgets keys taken before `cutoff`, at most `limit` at once.
pub async fn prune(tx: &mut WriteTx, cutoff: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM idempotency_keys WHERE (agent_key, key) IN
            (SELECT agent_key, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)",
    )
    .bind(cutoff)
    .bind(limit)
    .execute()
    .await
}
