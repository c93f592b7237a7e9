//! Edits of the outbox that lie over the cache: titles, texts and states that GitHub may not say yet.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{IssueId, OutboxId, RepoId},
        issue::IssueState,
        outbox::{Beneath, Content, Field, Fields},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// An edit that lies over an issue.
#[derive(Clone, Debug)]
pub struct Over {
    pub id: OutboxId,
    pub issue: IssueId,
    pub field: Field,
    pub content: Content,
    pub beneath: Option<Beneath>,
    pub created_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: OutboxId,
    issue_id: IssueId,
    field: Field,
    content: Json<Content>,
    beneath: Option<Json<Beneath>>,
    created_at: Timestamp,
    settled_at: Option<Timestamp>,
}

/// The edits that lie over these issues, in the order in which they do.
pub async fn list(tx: &mut ReadTx, issues: &[IssueId]) -> Result<Vec<Over>> {
    if issues.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "SELECT id, issue_id, field, content, beneath, created_at, settled_at FROM outbox
         WHERE lies_over = TRUE AND issue_id IN ",
    );
    sql.push_list(issues).push(" ORDER BY issue_id, place");
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    let over = rows.into_iter().map(|row| Over {
        id: row.id,
        issue: row.issue_id,
        field: row.field,
        content: row.content.0,
        beneath: row.beneath.map(|beneath| beneath.0),
        created_at: row.created_at,
        settled_at: row.settled_at,
    });
    Ok(over.collect())
}

/// The issues of a repository over which unsettled edits lie.
pub async fn list_covered(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<IssueId>> {
    let rows: Vec<(IssueId,)> = tx
        .query(
            "SELECT DISTINCT issue_id FROM outbox
             WHERE lies_over = TRUE AND settled_at IS NULL AND repository_id = $1 ORDER BY issue_id",
        )
        .bind(repo)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(issue,)| issue).collect())
}

/// These edits lie over their issues no more.
pub async fn lift(tx: &mut WriteTx, ids: &[OutboxId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut sql = tx.build("UPDATE outbox SET lies_over = FALSE, beneath = NULL WHERE id IN ");
    sql.push_list(ids);
    sql.done().execute().await?;
    Ok(())
}

/// The edit lies over its issue again.
pub async fn cover(tx: &mut WriteTx, id: &OutboxId, beneath: &Beneath) -> Result<()> {
    tx.query("UPDATE outbox SET lies_over = TRUE, beneath = $1 WHERE id = $2")
        .bind(Json(beneath))
        .bind(id)
        .execute()
        .await?;
    Ok(())
}

/// GitHub says something else of the field now.
pub async fn set_beneath(tx: &mut WriteTx, id: &OutboxId, beneath: &Beneath) -> Result<()> {
    tx.query("UPDATE outbox SET beneath = $1 WHERE id = $2").bind(Json(beneath)).bind(id).execute().await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct FieldsRow {
    title: String,
    body: Option<String>,
    state: IssueState,
    closed_at: Option<Timestamp>,
}

/// What the cache shows of an issue.
pub async fn find_shown(tx: &mut ReadTx, issue: &IssueId) -> Result<Option<Fields>> {
    let row: Option<FieldsRow> = tx
        .query("SELECT title, body, state, closed_at FROM issues WHERE id = $1")
        .bind(issue)
        .fetch_optional()
        .await?;
    Ok(row.map(|FieldsRow { title, body, state, closed_at }| Fields { title, body, state, closed_at }))
}

/// Shows these fields; what is derived from them is the caller's.
pub async fn show(tx: &mut WriteTx, issue: &IssueId, fields: &Fields) -> Result<()> {
    tx.query("UPDATE issues SET title = $1, body = $2, state = $3, closed_at = $4 WHERE id = $5")
        .bind(fields.title.as_str())
        .bind(fields.body.as_deref())
        .bind(fields.state)
        .bind(fields.closed_at)
        .bind(issue)
        .execute()
        .await?;
    Ok(())
}
