//! What is counted when somebody asks for metrics: few statements, each over an index.

use crate::{
    domain::{ids::RepoId, repo::RepoName, time::Timestamp},
    store::{ReadTx, Result},
};

/// How current the cache of a tracked repository is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Freshness {
    pub id: RepoId,
    pub full_name: RepoName,
    pub added_at: Timestamp,
    /// When GitHub last confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// Reads that failed in a row.
    pub failures: i64,
}

impl Freshness {
    /// When GitHub last confirmed it; when it was added, before the first time.
    pub fn known_since(&self) -> Timestamp {
        self.confirmed_at.unwrap_or(self.added_at)
    }
}

/// Tracked repositories, by name.
pub async fn list_freshness(tx: &mut ReadTx) -> Result<Vec<Freshness>> {
    tx.query(
        "SELECT r.id, r.full_name, r.created_at AS added_at, s.confirmed_at, s.failures
         FROM repositories r JOIN sync_state s ON s.repository_id = r.id WHERE r.tracked = TRUE ORDER BY r.name_key",
    )
    .fetch_all()
    .await
}

/// Claims that have not ended.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct LiveClaims {
    pub live: i64,
    /// Of those: whose time is up, with a holder that went silent.
    pub stale: i64,
}

pub async fn count_claims(tx: &mut ReadTx, now: Timestamp) -> Result<LiveClaims> {
    tx.query(
        "SELECT count(*) AS live,
                count(*) FILTER (WHERE c.expires_at <= $1
                    AND (i.status IS NULL OR i.status NOT IN ('in-review', 'blocked'))) AS stale
         FROM claims c LEFT JOIN issues i ON i.id = c.issue_id WHERE c.ended_at IS NULL",
    )
    .bind(now)
    .fetch_one()
    .await
}

/// Writes to GitHub of one kind.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Depth {
    pub kind: String,
    pub pending: i64,
    /// Those that GitHub will never take; not of repositories that are tracked no more, of which nobody expects it.
    pub parked: i64,
    /// Since when the oldest pending one waits.
    pub oldest: Option<Timestamp>,
}

/// What waits to be written to GitHub, by kind. Every table that is an outbox is counted here and nowhere else.
pub async fn list_outbox(tx: &mut ReadTx) -> Result<Vec<Depth>> {
    tx.query(
        "SELECT kind, CAST(sum(pending) AS BIGINT) AS pending, CAST(sum(parked) AS BIGINT) AS parked, min(oldest) AS oldest FROM (
            SELECT 'label' AS kind, (SELECT count(*) FROM label_edits WHERE state = 'pending') AS pending,
                (SELECT count(*) FROM label_edits e JOIN issues i ON i.id = e.issue_id
                    JOIN repositories r ON r.id = i.repository_id
                 WHERE e.state = 'parked' AND r.tracked = TRUE) AS parked,
                (SELECT min(created_at) FROM label_edits WHERE state = 'pending') AS oldest
            UNION ALL
            SELECT k.kind, (SELECT count(*) FROM outbox WHERE state = 'pending' AND kind = k.kind),
                (SELECT count(*) FROM outbox o JOIN repositories r ON r.id = o.repository_id
                 WHERE o.state = 'parked' AND o.kind = k.kind AND r.tracked = TRUE),
                (SELECT min(created_at) FROM outbox WHERE state = 'pending' AND kind = k.kind)
            FROM (SELECT 'label' AS kind UNION ALL SELECT 'comment' UNION ALL SELECT 'edit'
                  UNION ALL SELECT 'create_issue') AS k) AS each_table
         GROUP BY kind ORDER BY CASE kind WHEN 'label' THEN 1 WHEN 'comment' THEN 2 WHEN 'edit' THEN 3 ELSE 4 END",
    )
    .fetch_all()
    .await
}

/// Issues that are served to anybody who asks, by lane; the first 100 000 are counted, so that it stays cheap.
pub async fn list_queue(tx: &mut ReadTx) -> Result<Vec<(String, i64)>> {
    tx.query(
        "SELECT q.lane, count(*) FROM (
            SELECT lane, repository_id FROM issues
            WHERE shown = TRUE AND rests = FALSE AND open_blockers = 0 AND automated = FALSE
              AND status IN ('ready', 'in-progress') AND agent IS NULL LIMIT 100000
         ) AS q JOIN repositories r ON r.id = q.repository_id AND r.tracked = TRUE
         GROUP BY q.lane ORDER BY q.lane",
    )
    .fetch_all()
    .await
}
