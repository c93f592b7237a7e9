//! Tracked repositories as operators see them, page by page: how far each is read, and how its issues stand.

use crate::{
    domain::{
        ids::RepoId,
        labels::Status,
        repo::{RepoName, RepoSource},
        time::Timestamp,
    },
    store::{ReadTx, Result},
};

/// A tracked repository with the state of its reads.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    pub id: RepoId,
    pub full_name: RepoName,
    pub source: RepoSource,
    pub created_at: Timestamp,
    /// `new`, `open`, `closed` or `loaded`.
    pub phase: String,
    /// Up to which time of GitHub's a first load came.
    pub cursor_at: Option<Timestamp>,
    /// When GitHub last confirmed the cache.
    pub confirmed_at: Option<Timestamp>,
    /// None also where a sweep is wanted at once.
    pub swept_at: Option<Timestamp>,
    /// Why the last read failed.
    pub error: Option<String>,
    /// Reads that failed in a row.
    pub failures: i64,
    /// The last delivery of a webhook.
    pub heard_at: Option<Timestamp>,
}

/// Tracked repositories by name, those behind `after`; one more than `limit` where more follow.
pub async fn list(tx: &mut ReadTx, after: Option<&RepoName>, limit: i64) -> Result<Vec<Row>> {
    tx.query(
        "SELECT r.id, r.full_name, r.source, r.created_at, s.phase, s.cursor_at, s.confirmed_at,
                NULLIF(s.swept_at, 0) AS swept_at, s.error, s.failures,
                (SELECT max(d.received_at) FROM webhook_deliveries d WHERE d.repo_key = r.name_key) AS heard_at
         FROM repositories r JOIN sync_state s ON s.repository_id = r.id
         WHERE r.tracked = TRUE AND r.name_key > $1 ORDER BY r.name_key LIMIT $2",
    )
    .bind(after.map(RepoName::key).unwrap_or_default())
    .bind(limit + 1)
    .fetch_all()
    .await
}

/// How many open issues of these repositories stand where.
pub async fn count_issues(tx: &mut ReadTx, repos: &[RepoId]) -> Result<Vec<(RepoId, Option<Status>, i64)>> {
    if repos.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "SELECT repository_id, status, count(*) FROM issues
         WHERE removed_at IS NULL AND excluded = FALSE AND state = 'open' AND repository_id IN ",
    );
    sql.push_list(repos).push(" GROUP BY repository_id, status");
    sql.done().fetch_all().await
}
