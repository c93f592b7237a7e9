//! `ci_failures`: issues about workflows that fail on the default branch.

use crate::{
    domain::{
        ci_failure::{Filed, Shown, State},
        ids::{IssueId, IssueNumber, OutboxId, RepoId},
        issue::IssueState,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    repository_id: RepoId,
    workflow_id: i64,
    workflow: String,
    signature: String,
    run_id: i64,
    entry_id: Option<OutboxId>,
    issue_number: Option<IssueNumber>,
    state: State,
    closed_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<Row> for Filed {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            repo: row.repository_id,
            workflow_id: row.workflow_id,
            workflow: row.workflow,
            signature: row.signature,
            run_id: row.run_id,
            entry: row.entry_id,
            number: row.issue_number,
            state: row.state,
            closed_at: row.closed_at,
            created_at: row.created_at,
        }
    }
}

/// All of a repository, the oldest first.
pub async fn list(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<Filed>> {
    let rows: Vec<Row> = tx
        .query(
            "SELECT id, repository_id, workflow_id, workflow, signature, run_id, entry_id, issue_number, state,
                closed_at, created_at
             FROM ci_failures WHERE repository_id = $1 ORDER BY created_at, id",
        )
        .bind(repo)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(Filed::from).collect())
}

/// Notes an issue; false where another tells of that failure.
pub async fn insert(tx: &mut WriteTx, filed: &Filed) -> Result<bool> {
    let inserted = tx
        .query(
            "INSERT INTO ci_failures (id, repository_id, workflow_id, workflow, signature, run_id, entry_id,
                issue_number, state, closed_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        )
        .bind(filed.id.as_str())
        .bind(&filed.repo)
        .bind(filed.workflow_id)
        .bind(filed.workflow.as_str())
        .bind(filed.signature.as_str())
        .bind(filed.run_id)
        .bind(filed.entry.as_ref())
        .bind(filed.number)
        .bind(filed.state)
        .bind(filed.closed_at)
        .bind(filed.created_at)
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// What is known of its issue by now, and the newest run that failed thus.
pub async fn update(tx: &mut WriteTx, filed: &Filed) -> Result<()> {
    tx.query("UPDATE ci_failures SET issue_number = $1, run_id = $2 WHERE id = $3")
        .bind(filed.number)
        .bind(filed.run_id)
        .bind(filed.id.as_str())
        .execute()
        .await?;
    Ok(())
}

/// Its issue is closed, by whomever; false when that was known.
pub async fn close(tx: &mut WriteTx, id: &str, at: Timestamp) -> Result<bool> {
    let closed = tx
        .query("UPDATE ci_failures SET state = 'closed', closed_at = $1 WHERE id = $2 AND state = 'open'")
        .bind(at)
        .bind(id)
        .execute()
        .await?;
    Ok(closed == 1)
}

/// An issue as the cache shows it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Cached {
    pub id: IssueId,
    pub state: IssueState,
    pub closed_at: Option<Timestamp>,
    pub removed_at: Option<Timestamp>,
}

impl Cached {
    pub fn shown(&self) -> Shown {
        if self.removed_at.is_some() { Shown::Gone } else { Shown::Is(self.state) }
    }
}

/// The issue of this number, if it was read.
pub async fn find_issue(tx: &mut ReadTx, repo: &RepoId, number: IssueNumber) -> Result<Option<Cached>> {
    tx.query("SELECT id, state, closed_at, removed_at FROM issues WHERE repository_id = $1 AND number = $2")
        .bind(repo)
        .bind(number)
        .fetch_optional()
        .await
}

/// Open issues with a marker in their text, by number.
pub async fn list_marked(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<(IssueNumber, String)>> {
    tx.query(
        "SELECT number, body FROM issues WHERE repository_id = $1 AND state = 'open' AND removed_at IS NULL
            AND body LIKE '%<!-- dispatch-ci-failure:%' ORDER BY number",
    )
    .bind(repo)
    .fetch_all()
    .await
}
