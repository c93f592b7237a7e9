//! `sync_state`: how far the cache of a repository is. Written only by reads of it.

use crate::{
    domain::{
        event::Change,
        ids::{RepoId, TokenId},
        repo::{ETag, LoadPhase, RepoName, SyncState},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// The columns of [`StateRow`], from a table called `s`.
pub(super) const STATE_COLUMNS: &str =
    "s.phase, s.began_at, s.cursor_at, s.mark, s.etag, s.etag_token, s.rules, s.confirmed_at, s.failures";

#[derive(sqlx::FromRow)]
pub(super) struct StateRow {
    phase: String,
    began_at: Option<Timestamp>,
    cursor_at: Option<Timestamp>,
    mark: Option<Timestamp>,
    etag: Option<ETag>,
    etag_token: Option<TokenId>,
    rules: String,
    confirmed_at: Option<Timestamp>,
    failures: i64,
}

impl From<StateRow> for SyncState {
    fn from(row: StateRow) -> Self {
        let phase = match (row.phase.as_str(), row.began_at, row.cursor_at, row.mark) {
            ("open", Some(began), cursor, _) => LoadPhase::Open { began, cursor },
            ("closed", Some(began), Some(cursor), _) => LoadPhase::Closed { began, cursor },
            ("loaded", _, _, Some(mark)) => LoadPhase::Loaded { mark },
            _ => LoadPhase::New,
        };
        Self {
            phase,
            etag: row.etag.zip(row.etag_token),
            confirmed_at: row.confirmed_at,
            rules: row.rules,
            failures: row.failures,
        }
    }
}

/// Moves a repository to `phase`; every page that is applied does so in its own transaction.
pub async fn advance(
    tx: &mut WriteTx,
    repo: &RepoId,
    phase: LoadPhase,
    changed: Option<Timestamp>,
) -> Result<()> {
    let (name, began, cursor, mark) = match phase {
        LoadPhase::New => ("new", None, None, None),
        LoadPhase::Open { began, cursor } => ("open", Some(began), cursor, None),
        LoadPhase::Closed { began, cursor } => ("closed", Some(began), Some(cursor), None),
        LoadPhase::Loaded { mark } => ("loaded", None, None, Some(mark)),
    };
    tx.query(
        "UPDATE sync_state SET phase = $1, began_at = $2, cursor_at = $3, mark = $4,
                changed_at = COALESCE($5, changed_at)
         WHERE repository_id = $6",
    )
    .bind(name)
    .bind(began)
    .bind(cursor)
    .bind(mark)
    .bind(changed)
    .bind(repo)
    .about([Change::Repo(repo.clone())])
    .execute()
    .await?;
    Ok(())
}

/// A read ended well and saw everything: keeps the probe's ETag and forgets earlier failures.
pub async fn complete(
    tx: &mut WriteTx,
    repo: &RepoId,
    etag: Option<&(ETag, TokenId)>,
    at: Timestamp,
) -> Result<()> {
    tx.query(
        "UPDATE sync_state SET etag = $1, etag_token = $2, confirmed_at = $3, failures = 0, error = NULL,
                error_at = NULL
         WHERE repository_id = $4",
    )
    .bind(etag.map(|(etag, _)| etag))
    .bind(etag.map(|(_, token)| token))
    .bind(at)
    .bind(repo)
    .about([Change::Repo(repo.clone())])
    .execute()
    .await?;
    Ok(())
}

/// GitHub confirmed these repositories unchanged; never moves a later confirmation back.
pub async fn confirm(tx: &mut WriteTx, repos: &[RepoId], at: Timestamp) -> Result<()> {
    let mut sql =
        tx.build("UPDATE sync_state SET failures = 0, error = NULL, error_at = NULL, confirmed_at = ");
    sql.push_bind(at).push(" WHERE (confirmed_at IS NULL OR confirmed_at < ").push_bind(at);
    sql.push(") AND repository_id IN ").push_list(repos);
    sql.done().about(repos.iter().cloned().map(Change::Repo)).execute().await?;
    Ok(())
}

/// A read failed: remembers how, in words.
pub async fn fail(tx: &mut WriteTx, repo: &RepoId, error: &str, at: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE sync_state SET failures = failures + 1, error = $1, error_at = $2 WHERE repository_id = $3",
    )
    .bind(error)
    .bind(at)
    .bind(repo)
    .about([Change::Repo(repo.clone())])
    .execute()
    .await?;
    Ok(())
}

/// A repository, and when all of it was last read.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Swept {
    pub id: RepoId,
    pub full_name: RepoName,
    /// When it was added, before the first sweep: its first load read all of it.
    pub swept_at: Timestamp,
}

/// Tracked repositories that are loaded.
pub async fn list_swept(tx: &mut ReadTx) -> Result<Vec<Swept>> {
    tx.query(
        "SELECT r.id, r.full_name, COALESCE(s.swept_at, r.created_at) AS swept_at
         FROM repositories r JOIN sync_state s ON s.repository_id = r.id
         WHERE r.tracked = TRUE AND s.phase = 'loaded' ORDER BY r.name_key",
    )
    .fetch_all()
    .await
}

/// A sweep went through to its last page.
pub async fn swept(tx: &mut WriteTx, repo: &RepoId, at: Timestamp) -> Result<()> {
    tx.query("UPDATE sync_state SET swept_at = $1 WHERE repository_id = $2")
        .bind(at)
        .bind(repo)
        .about([Change::Repo(repo.clone())])
        .execute()
        .await?;
    Ok(())
}

/// Something may have changed that only a sweep finds: the next is due.
pub async fn unswept(tx: &mut WriteTx, repo: &RepoId) -> Result<()> {
    tx.query("UPDATE sync_state SET swept_at = $1 WHERE repository_id = $2")
        .bind(Timestamp(0))
        .bind(repo)
        .about([Change::Repo(repo.clone())])
        .execute()
        .await?;
    Ok(())
}

/// The derived columns of all its issues follow these label rules.
pub async fn follow_rules(tx: &mut WriteTx, repo: &RepoId, rules: &str) -> Result<()> {
    tx.query("UPDATE sync_state SET rules = $1 WHERE repository_id = $2")
        .bind(rules)
        .bind(repo)
        .about([Change::Repo(repo.clone())])
        .execute()
        .await?;
    Ok(())
}
