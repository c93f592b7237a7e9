//! `dependencies`: what issues wait for. A blocker holds its dependents back while it is an open issue of a tracked
//! repository; `issues.open_blockers` counts those.

use crate::{
    domain::{
        dependencies::Blocker,
        ids::{IssueId, IssueNumber},
        repo::RepoName,
    },
    store::{ReadTx, Result},
};

#[derive(sqlx::FromRow)]
struct Row {
    full_name: RepoName,
    number: IssueNumber,
}

/// The open issues that hold this one back.
pub async fn list_open(tx: &mut ReadTx, issue: &IssueId) -> Result<Vec<Blocker>> {
    let rows: Vec<Row> = tx
        .query(
            "SELECT DISTINCT r.full_name, b.number FROM dependencies d
             JOIN repositories r ON r.name_key = d.repo_key AND r.tracked = TRUE
             JOIN issues b ON b.repository_id = r.id AND b.number = d.number
             WHERE d.issue_id = $1 AND b.state = 'open' AND b.removed_at IS NULL AND b.id <> d.issue_id
             ORDER BY r.full_name, b.number",
        )
        .bind(issue)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|row| Blocker { repo: row.full_name, number: row.number }).collect())
}
