//! Agents as operators see them: when each was heard of, and what it has.

use crate::{
    domain::{ids::AgentName, run::HEARTBEAT, time::Timestamp},
    store::{ReadTx, Result, db::Builder},
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

/// Each agent costs a look into five indexes, whatever the tables hold.
const ROWS: &str = "SELECT a.name, a.first_seen_at,
    (SELECT r.created_at FROM runs r WHERE r.agent_key = a.agent_key ORDER BY r.created_at DESC, r.id DESC LIMIT 1)
        AS heard_at,
    b.created_at AS beat_at, b.status AS beat_status, b.next_heartbeat_at AS next_beat_at,
    (SELECT count(*) FROM claims c WHERE c.ended_at IS NULL AND c.agent_key = a.agent_key) AS claims,
    (SELECT count(*) FROM pr_fix_items f
        WHERE f.status = 'QUEUED' AND f.holder_key IS NOT NULL AND f.holder_key = a.agent_key) AS fixes
    FROM agents a LEFT JOIN runs b ON b.id = (SELECT r.id FROM runs r WHERE r.agent_key = a.agent_key AND r.run_type = ";

const OF_AGENTS: &str = " ORDER BY r.created_at DESC, r.id DESC LIMIT 1) WHERE ";

fn rows(tx: &mut ReadTx) -> Builder<'_> {
    let mut sql = tx.build(ROWS);
    sql.push_bind(HEARTBEAT).push(OF_AGENTS);
    sql
}

/// Agents by name, those behind `after`; one more than `limit` where more follow.
pub async fn list(tx: &mut ReadTx, after: Option<&AgentName>, limit: i64) -> Result<Vec<AgentRow>> {
    let mut sql = rows(tx);
    sql.push("a.agent_key > ").push_bind(after.map(AgentName::key).unwrap_or_default());
    sql.push(" ORDER BY a.agent_key LIMIT ").push_bind(limit + 1);
    sql.done().fetch_all().await
}

/// One agent.
pub async fn find(tx: &mut ReadTx, agent: &AgentName) -> Result<Option<AgentRow>> {
    let mut sql = rows(tx);
    sql.push("a.agent_key = ").push_bind(agent.key());
    sql.done().fetch_optional().await
}
