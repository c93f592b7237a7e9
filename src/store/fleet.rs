//! Agents as operators see them: when each was heard of, and what it has.

use crate::{
    domain::{ids::AgentName, time::Timestamp},
    store::{ReadTx, Result},
};

/// An agent with what lists show of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AgentRow {
    pub name: AgentName,
    pub first_seen_at: Timestamp,
    /// Its newest run of any type.
    pub heard_at: Option<Timestamp>,
    /// Its newest heartbeat that is kept.
    pub beat_at: Option<Timestamp>,
    pub beat_status: Option<String>,
    pub next_beat_at: Option<Timestamp>,
    /// Claims that have not ended.
    pub claims: i64,
    /// Pull requests that it was handed.
    pub fixes: i64,
}

/// Each agent costs a few looks into indexes, whatever the tables hold. The newest heartbeat is looked up for each column of
/// it: a join would let PostgreSQL read all runs, and the index of types all heartbeats (`|| ''` keeps it out).
const ROWS: &str = "SELECT a.name, a.first_seen_at,
    (SELECT r.created_at FROM runs r WHERE r.agent_key = a.agent_key
        ORDER BY r.created_at DESC, r.id DESC LIMIT 1) AS heard_at,
    (SELECT r.created_at FROM runs r WHERE r.agent_key = a.agent_key AND r.run_type || '' = 'heartbeat'
        ORDER BY r.created_at DESC, r.id DESC LIMIT 1) AS beat_at,
    (SELECT r.status FROM runs r WHERE r.agent_key = a.agent_key AND r.run_type || '' = 'heartbeat'
        ORDER BY r.created_at DESC, r.id DESC LIMIT 1) AS beat_status,
    (SELECT r.next_heartbeat_at FROM runs r WHERE r.agent_key = a.agent_key AND r.run_type || '' = 'heartbeat'
        ORDER BY r.created_at DESC, r.id DESC LIMIT 1) AS next_beat_at,
    (SELECT count(*) FROM claims c WHERE c.ended_at IS NULL AND c.agent_key = a.agent_key) AS claims,
    (SELECT count(*) FROM pr_fix_items f
        WHERE f.status = 'QUEUED' AND f.holder_key IS NOT NULL AND f.holder_key = a.agent_key) AS fixes
    FROM agents a WHERE ";

/// Agents by name, those behind `after`; one more than `limit` where more follow.
pub async fn list(tx: &mut ReadTx, after: Option<&AgentName>, limit: i64) -> Result<Vec<AgentRow>> {
    let mut sql = tx.build(ROWS);
    sql.push("a.agent_key > ").push_bind(after.map(AgentName::key).unwrap_or_default());
    sql.push(" ORDER BY a.agent_key LIMIT ").push_bind(limit + 1);
    sql.done().fetch_all().await
}

/// One agent.
pub async fn find(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<AgentRow>> {
    let mut sql = tx.build(ROWS);
    sql.push("a.agent_key = ").push_bind(agent.key());
    sql.done().fetch_optional().await
}
