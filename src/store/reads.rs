//! `reads`: what a read of a repository touched, stored once for all runs that shared it.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{ReadId, RepoId},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// A read that touched something.
#[derive(Clone, Debug)]
pub struct NewRead<'a> {
    pub id: &'a ReadId,
    pub repo: &'a RepoId,
    pub began_at: Timestamp,
    pub ended_at: Timestamp,
    /// Sorted, at most [`crate::domain::heartbeat::TOUCHED_MAX`].
    pub touched: &'a [String],
    pub touched_count: i64,
}

pub async fn insert(tx: &mut WriteTx, read: &NewRead<'_>) -> Result<()> {
    tx.query(
        "INSERT INTO reads (id, repository_id, began_at, ended_at, touched, touched_count)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(read.id)
    .bind(read.repo)
    .bind(read.began_at)
    .bind(read.ended_at)
    .bind(Json(read.touched))
    .bind(read.touched_count)
    .execute()
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct TouchedRow {
    id: ReadId,
    touched: Json<Vec<String>>,
}

/// The touched URLs of these reads.
pub async fn list_touched(tx: &mut ReadTx, reads: &[ReadId]) -> Result<Vec<(ReadId, Vec<String>)>> {
    if reads.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build("SELECT id, touched FROM reads WHERE id IN ");
    sql.push_list(reads);
    let rows: Vec<TouchedRow> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|row| (row.id, row.touched.0)).collect())
}

/// Forgets reads that ended before `cutoff`, at most `limit` at once.
pub async fn prune(tx: &mut WriteTx, cutoff: Timestamp, limit: i64) -> Result<u64> {
    tx.query("DELETE FROM reads WHERE id IN (SELECT id FROM reads WHERE ended_at < $1 LIMIT $2)")
        .bind(cutoff)
        .bind(limit)
        .execute()
        .await
}
