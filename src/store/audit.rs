//! `audit_log`: decisions, each in the transaction of what it describes.

use sqlx::types::Json;

use crate::{
    domain::{
        audit::{AuditRow, NewAudit, NewAuditStored},
        ids::{AuditId, IssueId, IssueNumber, TokenId},
        page::{Cursor, Page},
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

pub async fn insert(tx: &mut WriteTx, id: &AuditId, at: Timestamp, entry: &NewAudit) -> Result<()> {
    tx.query(
        "INSERT INTO audit_log (id, at, actor, token_id, action, repo, repo_key, issue_number, issue_id,
            before, after, success, error, notes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(id)
    .bind(at)
    .bind(entry.actor.as_str())
    .bind(entry.token.as_ref())
    .bind(entry.action)
    .bind(entry.repo.as_str())
    .bind(entry.repo.to_ascii_lowercase())
    .bind(entry.issue_number)
    .bind(entry.issue_id.as_ref())
    .bind(Json(&entry.before))
    .bind(Json(&entry.after))
    .bind(entry.success)
    .bind(entry.error.as_deref())
    .bind(entry.notes.as_deref())
    .execute()
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: AuditId,
    at: Timestamp,
    actor: String,
    token_id: Option<TokenId>,
    action: String,
    repo: String,
    issue_number: Option<IssueNumber>,
    issue_id: Option<IssueId>,
    before: Json<Vec<String>>,
    after: Json<Vec<String>>,
    success: bool,
    error: Option<String>,
    notes: Option<String>,
}

impl From<Row> for AuditRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at,
            entry: NewAuditStored {
                actor: row.actor,
                token: row.token_id,
                action: row.action,
                repo: row.repo,
                issue_number: row.issue_number,
                issue_id: row.issue_id,
                before: row.before.0,
                after: row.after.0,
                success: row.success,
                error: row.error,
                notes: row.notes,
            },
        }
    }
}

/// Newest first.
pub async fn list(
    tx: &mut ReadTx,
    repo: Option<&RepoName>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<AuditRow>> {
    let mut sql = tx.build(
        "SELECT id, at, actor, token_id, action, repo, issue_number, issue_id, before, after, success, error, notes
         FROM audit_log WHERE TRUE",
    );
    if let Some(repo) = repo {
        sql.push(" AND repo_key = ").push_bind(repo.key());
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (at, id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY at DESC, id DESC LIMIT ").push_bind(limit + 1);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    let rows = rows.into_iter().map(AuditRow::from).collect();
    Ok(Page::cut(rows, limit, |row: &AuditRow| Cursor { at: row.at, id: row.id.0.clone() }))
}

/// Forgets rows of long ago.
pub async fn prune(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < $1 ORDER BY at, id LIMIT $2)",
    )
    .bind(before)
    .bind(limit)
    .execute()
    .await
}
