//! `conditional_reads`: by what GitHub tells whether something changed since it was read.

use crate::{
    domain::{
        ids::{RepoId, TokenId},
        repo::ETag,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// How something was read last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub etag: Option<(ETag, TokenId)>,
    /// Up to where a list was read, in GitHub's time.
    pub since: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    etag: Option<ETag>,
    token_id: Option<TokenId>,
    since: Option<Timestamp>,
}

/// How it was read last; nothing for what never was.
pub async fn find(tx: &mut ReadTx, repo: &RepoId, place: &str) -> Result<Held> {
    let row: Option<Row> = tx
        .query("SELECT etag, token_id, since FROM conditional_reads WHERE repository_id = $1 AND place = $2")
        .bind(repo)
        .bind(place)
        .fetch_optional()
        .await?;
    Ok(row.map_or_else(Held::default, |row| Held { etag: row.etag.zip(row.token_id), since: row.since }))
}

/// Was it ever read, as far as that is still known?
pub async fn was_read(tx: &mut ReadTx, repo: &RepoId, place: &str) -> Result<bool> {
    let found: Option<(String,)> = tx
        .query("SELECT place FROM conditional_reads WHERE repository_id = $1 AND place = $2")
        .bind(repo)
        .bind(place)
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}

/// It was read, and what it said was written in this transaction.
pub async fn upsert(tx: &mut WriteTx, repo: &RepoId, place: &str, held: &Held, now: Timestamp) -> Result<()> {
    tx.query(
        "INSERT INTO conditional_reads (repository_id, place, etag, token_id, since, read_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (repository_id, place) DO UPDATE SET etag = excluded.etag, token_id = excluded.token_id,
            since = excluded.since, read_at = excluded.read_at",
    )
    .bind(repo)
    .bind(place)
    .bind(held.etag.as_ref().map(|(etag, _)| etag))
    .bind(held.etag.as_ref().map(|(_, token)| token))
    .bind(held.since)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Forgets what was not read anew since then, at most `limit` at once: it costs one request that is paid for.
pub async fn prune(tx: &mut WriteTx, cutoff: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM conditional_reads WHERE (repository_id, place) IN
            (SELECT repository_id, place FROM conditional_reads WHERE read_at < $1 LIMIT $2)",
    )
    .bind(cutoff)
    .bind(limit)
    .execute()
    .await
}
