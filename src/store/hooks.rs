//! `webhooks` and `missed_deliveries`: whose deliveries are looked at, and those that did not come.

use std::collections::HashMap;

use crate::{
    domain::{
        delivery::DeliveryId,
        ids::{RepoId, TokenId},
        repo::ETag,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// The source that is the App's webhook; others are ids of repositories.
pub const APP: &str = "app";

/// What is known of a webhook.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub struct HookRow {
    pub source: String,
    pub hook_id: Option<i64>,
    pub url: Option<String>,
    pub seen_id: Option<i64>,
    pub failed_etag: Option<ETag>,
    pub newest_etag: Option<ETag>,
    pub etag_token: Option<TokenId>,
    pub looked_at: Option<Timestamp>,
    pub refused: Option<String>,
}

const COLUMNS: &str =
    "SELECT source, hook_id, url, seen_id, failed_etag, newest_etag, etag_token, looked_at, refused
    FROM webhooks";

/// Every webhook that is known, by its source.
pub async fn list(tx: &mut ReadTx) -> Result<HashMap<String, HookRow>> {
    let rows: Vec<HookRow> = tx.query(COLUMNS).fetch_all().await?;
    Ok(rows.into_iter().map(|row| (row.source.clone(), row)).collect())
}

/// What is known of one.
pub async fn find(tx: &mut ReadTx, source: &str) -> Result<Option<HookRow>> {
    let mut sql = tx.build(COLUMNS);
    sql.push(" WHERE source = ").push_bind(source);
    sql.done().fetch_optional().await
}

/// Writes down all that is known of a webhook.
pub async fn upsert(tx: &mut WriteTx, row: &HookRow) -> Result<()> {
    tx.query(
        "INSERT INTO webhooks (source, hook_id, url, seen_id, failed_etag, newest_etag, etag_token, looked_at, refused)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (source) DO UPDATE SET hook_id = excluded.hook_id, url = excluded.url,
            seen_id = excluded.seen_id, failed_etag = excluded.failed_etag, newest_etag = excluded.newest_etag,
            etag_token = excluded.etag_token, looked_at = excluded.looked_at, refused = excluded.refused",
    )
    .bind(&row.source)
    .bind(row.hook_id)
    .bind(&row.url)
    .bind(row.seen_id)
    .bind(&row.failed_etag)
    .bind(&row.newest_etag)
    .bind(&row.etag_token)
    .bind(row.looked_at)
    .bind(&row.refused)
    .execute()
    .await?;
    Ok(())
}

/// Forgets a webhook.
pub async fn remove(tx: &mut WriteTx, source: &str) -> Result<()> {
    tx.query("DELETE FROM webhooks WHERE source = $1").bind(source).execute().await?;
    Ok(())
}

/// What was done about a delivery that did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Remedy {
    /// GitHub was asked to deliver it again.
    Asked,
    /// Then it came.
    Came,
    /// What it said was taken from GitHub's record of it.
    Fetched,
    /// The repository was read instead.
    Read,
}

/// A delivery that did not come.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Missed {
    pub guid: DeliveryId,
    pub source: String,
    pub repository_id: Option<RepoId>,
    /// GitHub's number of the newest attempt.
    pub delivery_id: i64,
    pub event: String,
    pub state: Remedy,
    pub asked_at: Timestamp,
}

/// Notes those that are not noted yet; gives their GUIDs.
pub async fn note_missed(tx: &mut WriteTx, missed: &[Missed]) -> Result<Vec<DeliveryId>> {
    if missed.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "INSERT INTO missed_deliveries (guid, source, repository_id, delivery_id, event, state, asked_at) VALUES ",
    );
    for (n, one) in missed.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" }).push_bind(&one.guid);
        sql.push(", ").push_bind(one.source.as_str());
        sql.push(", ").push_bind(&one.repository_id);
        sql.push(", ").push_bind(one.delivery_id);
        sql.push(", ").push_bind(one.event.as_str());
        sql.push(", ").push_bind(one.state);
        sql.push(", ").push_bind(one.asked_at).push(")");
    }
    sql.push(" ON CONFLICT (guid) DO NOTHING RETURNING guid");
    let rows: Vec<(DeliveryId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(guid,)| guid).collect())
}

/// Those that were asked for by `before` and nothing is known of since, the oldest first.
pub async fn list_waiting(tx: &mut ReadTx, before: Timestamp, limit: i64) -> Result<Vec<Missed>> {
    tx.query(
        "SELECT guid, source, repository_id, delivery_id, event, state, asked_at FROM missed_deliveries
         WHERE state = 'asked' AND asked_at <= $1 ORDER BY asked_at, guid LIMIT $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all()
    .await
}

/// What came of those.
pub async fn settle_missed(tx: &mut WriteTx, guids: &[DeliveryId], state: Remedy) -> Result<u64> {
    if guids.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build("UPDATE missed_deliveries SET state = ");
    sql.push_bind(state).push(" WHERE guid IN ").push_list(guids);
    sql.done().execute().await
}

/// How many of a source were missed since then, and how many of these are still waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct MissedCount {
    pub missed: i64,
    pub waiting: i64,
}

/// The counts of each repository; those of no known repository stand under none.
pub async fn count_missed(tx: &mut ReadTx, since: Timestamp) -> Result<HashMap<Option<RepoId>, MissedCount>> {
    let rows: Vec<(Option<RepoId>, i64, i64)> = tx
        .query(
            "SELECT repository_id, count(*), count(CASE WHEN state = 'asked' THEN 1 END)
             FROM missed_deliveries WHERE asked_at >= $1 GROUP BY repository_id",
        )
        .bind(since)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(repo, missed, waiting)| (repo, MissedCount { missed, waiting })).collect())
}

/// Forgets those that were missed before `before`.
pub async fn prune_missed(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM missed_deliveries WHERE guid IN (
            SELECT guid FROM missed_deliveries WHERE asked_at < $1 ORDER BY asked_at LIMIT $2)",
    )
    .bind(before)
    .bind(limit)
    .execute()
    .await
}
