//! The issues that carry an agent's label.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{AgentName, IssueId, IssueNumber},
        labels::Status,
        page::{Cursor, Page},
        repo::RepoName,
        time::Timestamp,
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
    updated_at: Timestamp,
}

/// Open issues of tracked repositories that are this agent's and in this status, last changed first.
pub async fn list(
    tx: &mut ReadTx,
    agent: &AgentName,
    status: Status,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>> {
    let mut sql = tx.build(
        "SELECT i.id, i.number, r.full_name, i.current_lane, i.labels, i.linked_pull IS NOT NULL AS has_open_pr,
                i.updated_at
         FROM issues i JOIN repositories r ON r.id = i.repository_id
         WHERE i.shown = TRUE AND i.agent = ",
    );
    sql.push_bind(agent.key()).push(" AND i.status = ").push_bind(status);
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (i.updated_at, i.id) < (").push_bind(*at).push(", ").push_bind(id).push(")");
    }
    sql.push(" ORDER BY i.updated_at DESC, i.id DESC LIMIT ").push_bind(limit.saturating_add(1));
    let rows = sql.done().fetch_all().await?;
    Ok(Page::cut(rows, limit, |row: &Row| Cursor { at: row.updated_at, id: row.id.0.clone() }))
}
