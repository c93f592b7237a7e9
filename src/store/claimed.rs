//! The issues that carry an agent's label.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{AgentName, IssueId, IssueNumber},
        labels::Status,
        page::DEFAULT_LIMIT,
        repo::RepoName,
    },
    store::{ReadTx, Result},
};

/// See [`list`].
#[derive(Debug, sqlx::FromRow)]
pub struct Row {
    pub id: IssueId,
    pub number: IssueNumber,
    pub full_name: RepoName,
    pub current_lane: Option<String>,
    pub labels: Json<Vec<String>>,
    /// An open pull request is about it.
    pub has_open_pr: bool,
}

/// Open issues of tracked repositories that are this agent's and in this status, last changed first.
pub async fn list(tx: &mut ReadTx, agent: &AgentName, status: Status) -> Result<Vec<Row>> {
    tx.query(
        "SELECT i.id, i.number, r.full_name, i.current_lane, i.labels, i.linked_pull IS NOT NULL AS has_open_pr
         FROM issues i JOIN repositories r ON r.id = i.repository_id
         WHERE i.agent = $1 AND i.shown = TRUE AND i.status = $2
         ORDER BY i.updated_at DESC, i.id DESC LIMIT $3",
    )
    .bind(agent.key())
    .bind(status)
    .bind(DEFAULT_LIMIT)
    .fetch_all()
    .await
}
