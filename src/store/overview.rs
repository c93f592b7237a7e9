//! What an operator is to see first: where issues stand, which claims end soon, what waits longest, and what failed.

use crate::{
    domain::{
        ids::{AgentName, IssueNumber, RunId},
        labels::Status,
        repo::RepoName,
        run::Tone,
        time::Timestamp,
    },
    store::{ReadTx, Result},
};

/// How many open issues a lane has, by their column.
pub async fn count_by_lane(tx: &mut ReadTx) -> Result<Vec<(String, Status, i64)>> {
    tx.query(
        "SELECT lane, COALESCE(status, 'backlog') AS place, count(*) FROM issues WHERE shown = TRUE
         GROUP BY lane, COALESCE(status, 'backlog') ORDER BY lane, place",
    )
    .fetch_all()
    .await
}

/// A claim of an issue that ends soon, or whose time is up.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Ending {
    pub agent: AgentName,
    pub repo: RepoName,
    pub number: IssueNumber,
    pub title: String,
    pub expires_at: Timestamp,
}

/// Claims whose time is up before `before`, where a clock runs; the first to end first.
pub async fn list_ending(tx: &mut ReadTx, before: Timestamp, limit: i64) -> Result<Vec<Ending>> {
    tx.query(
        "SELECT c.agent_name AS agent, r.full_name AS repo, i.number, i.title, c.expires_at
         FROM claims c JOIN issues i ON i.id = c.issue_id JOIN repositories r ON r.id = i.repository_id
         WHERE c.ended_at IS NULL AND c.expires_at < $1
           AND (i.status IS NULL OR i.status NOT IN ('in-review', 'blocked'))
         ORDER BY c.expires_at, c.id LIMIT $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all()
    .await
}

/// An issue that nobody has taken.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    pub repo: RepoName,
    pub number: IssueNumber,
    pub title: String,
    pub created_at: Timestamp,
}

/// The ready issues that nobody has, the oldest first.
pub async fn list_oldest_ready(tx: &mut ReadTx, limit: i64) -> Result<Vec<Waiting>> {
    tx.query(
        "SELECT r.full_name AS repo, i.number, i.title, i.created_at
         FROM issues i JOIN repositories r ON r.id = i.repository_id
         WHERE i.shown = TRUE AND COALESCE(i.status, 'backlog') = 'ready' AND i.agent IS NULL
         ORDER BY i.created_at, i.id LIMIT $1",
    )
    .bind(limit)
    .fetch_all()
    .await
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Failure {
    pub id: RunId,
    pub agent: AgentName,
    pub run_type: String,
    pub created_at: Timestamp,
    pub said: Option<String>,
}

/// Runs that failed since then, the newest first.
pub async fn list_failures(tx: &mut ReadTx, since: Timestamp, limit: i64) -> Result<Vec<Failure>> {
    let mut sql = tx.build(
        "SELECT id, agent_name AS agent, run_type, created_at, COALESCE(error_message, summary) AS said FROM runs
         WHERE status IN ",
    );
    sql.push_list(Tone::Failed.stored());
    sql.push(" AND created_at >= ").push_bind(since);
    sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit);
    sql.done().fetch_all().await
}
