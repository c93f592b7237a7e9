//! `audit_log`: decisions, each in the transaction of what it describes.

use sqlx::types::Json;

use crate::{
    domain::{
        audit::{AuditFilter, AuditRow, NewAudit, NewAuditStored},
        ids::{AgentName, AuditId, IssueId, IssueNumber, TokenId},
        page::{Cursor, Page},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

pub async fn insert(tx: &mut WriteTx, id: &AuditId, at: Timestamp, entry: &NewAudit) -> Result<()> {
    tx.query(
        "INSERT INTO audit_log (id, at, actor, token_id, action, repo, repo_key, issue_number, issue_id,
            before, after, success, error, notes, actor_key, agent, agent_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
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
    .bind(entry.actor.to_lowercase())
    .bind(entry.agent.as_ref())
    .bind(entry.agent.as_ref().map(AgentName::key))
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
    agent: Option<AgentName>,
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
                agent: row.agent,
            },
        }
    }
}

/// Newest first.
pub async fn list(
    tx: &mut ReadTx,
    filter: &AuditFilter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<AuditRow>> {
    let rows = match &filter.issue {
        None => list_in(tx, filter, Place::Repo, after, limit).await?,
        Some(issue) => {
            // Two statements, each over its index: the database would read the whole log for both at once.
            let number = issue.number;
            let mut rows = list_in(tx, filter, Place::Number(number), after, limit).await?;
            if let Some(id) = &issue.id {
                rows.extend(list_in(tx, filter, Place::Issue(id), after, limit).await?);
            }
            rows.sort_unstable_by(|one, other| (other.at, &other.id.0).cmp(&(one.at, &one.id.0)));
            rows
        }
    };
    let rows = rows.into_iter().map(AuditRow::from).collect();
    Ok(Page::cut(rows, limit, |row: &AuditRow| Cursor { at: row.at, id: row.id.0.clone() }))
}

/// Where what a row is about is.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In the repository that is asked for, or anywhere.
    Repo,
    /// It is the issue of this number there, as far as the row names none by its id.
    Number(IssueNumber),
    Issue(&'a IssueId),
}

async fn list_in(
    tx: &mut ReadTx,
    filter: &AuditFilter,
    place: Place<'_>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<Row>> {
    let mut sql = tx.build(
        "SELECT id, at, actor, token_id, action, repo, issue_number, issue_id, before, after, success, error, notes,
            agent
         FROM audit_log WHERE TRUE",
    );
    if let Some(actor) = &filter.actor {
        sql.push(" AND actor_key = ").push_bind(actor.to_lowercase());
    }
    if let Some(agent) = &filter.agent {
        sql.push(" AND agent_key = ").push_bind(agent.key());
    }
    if let Some(action) = &filter.action {
        sql.push(" AND action = ").push_bind(action.as_str());
    }
    if let Place::Number(number) = place {
        sql.push(" AND issue_id IS NULL AND issue_number = ").push_bind(number);
    }
    match (place, filter.repo_keys.as_slice()) {
        (Place::Issue(id), _) => sql.push(" AND issue_id = ").push_bind(id),
        (_, []) => &mut sql,
        (_, [key]) => sql.push(" AND repo_key = ").push_bind(key.as_str()),
        (_, keys) => sql.push(" AND repo_key IN ").push_list(keys.iter().map(String::as_str)),
    };
    if let Some(from) = filter.from {
        sql.push(" AND at >= ").push_bind(from);
    }
    if let Some(until) = filter.until {
        sql.push(" AND at < ").push_bind(until);
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (at, id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY at DESC, id DESC LIMIT ").push_bind(limit + 1);
    sql.done().fetch_all().await
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
