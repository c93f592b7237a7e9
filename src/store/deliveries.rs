//! `webhook_deliveries`: what GitHub delivered, each GUID once.

use std::collections::HashMap;

use crate::{
    domain::{
        delivery::{DeliveryId, DeliveryState},
        ids::RepoId,
        page::{Cursor, Page},
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx, db::Dialect},
};

/// A delivery to be stored.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub guid: DeliveryId,
    pub event: String,
    pub action: Option<String>,
    pub repo: Option<RepoName>,
    pub received_at: Timestamp,
    /// Kept only while there is something to do.
    pub payload: Option<String>,
    pub state: DeliveryState,
    pub words: Option<&'static str>,
}

/// Stores those whose GUID is new, in one statement; gives their GUIDs.
pub async fn insert(tx: &mut WriteTx, deliveries: &[NewDelivery]) -> Result<Vec<DeliveryId>> {
    if deliveries.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "INSERT INTO webhook_deliveries (guid, event, action, repository, repo_key, received_at, payload, state,
            next_try_at, settled_at, words) VALUES ",
    );
    for (n, new) in deliveries.iter().enumerate() {
        let settled = (new.state != DeliveryState::Pending).then_some(new.received_at);
        sql.push(if n == 0 { "(" } else { ", (" }).push_bind(&new.guid);
        sql.push(", ").push_bind(new.event.as_str());
        sql.push(", ").push_bind(new.action.as_deref());
        sql.push(", ").push_bind(new.repo.as_ref().map(RepoName::as_str));
        sql.push(", ").push_bind(new.repo.as_ref().map(RepoName::key));
        sql.push(", ").push_bind(new.received_at);
        sql.push(", ").push_bind(new.payload.as_deref());
        sql.push(", ").push_bind(new.state);
        sql.push(", ").push_bind(new.received_at);
        sql.push(", ").push_bind(settled);
        sql.push(", ").push_bind(new.words).push(")");
    }
    sql.push(" ON CONFLICT (guid) DO NOTHING RETURNING guid");
    let rows: Vec<(DeliveryId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(guid,)| guid).collect())
}

/// One that may be taken.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub guid: DeliveryId,
    /// `owner/name` in lower case.
    pub repo_key: Option<String>,
    /// It shows an issue that is there, and is not large.
    pub is_plain: bool,
}

/// Pending ones that may be taken, in the order in which they came.
pub async fn list_due(tx: &mut ReadTx, now: Timestamp, limit: i64) -> Result<Vec<Due>> {
    tx.query(
        "SELECT guid, repo_key, event = 'issues' AND COALESCE(action, '') NOT IN ('deleted', 'transferred')
            AND length(payload) < 100000 AS is_plain
         FROM webhook_deliveries WHERE state = 'pending' AND next_try_at <= $1
         ORDER BY received_at, guid LIMIT $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all()
    .await
}

/// What was taken.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Taken {
    pub guid: DeliveryId,
    pub event: String,
    /// How often it was taken, this time included.
    pub attempts: i64,
    pub payload: Option<String>,
    pub received_at: Timestamp,
}

/// Takes pending ones whose time has come; nobody else takes them until `until`.
pub async fn take(
    tx: &mut WriteTx,
    guids: &[DeliveryId],
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Taken>> {
    if tx.dialect() == Dialect::Postgres && guids.len() > 1 {
        // Other processes take the same ones: all in one order.
        let mut sql = tx.build("SELECT guid FROM webhook_deliveries WHERE guid IN ");
        sql.push_list(guids).push(" ORDER BY guid FOR UPDATE");
        let _: Vec<(DeliveryId,)> = sql.done().fetch_all().await?;
    }
    let mut sql =
        tx.build("UPDATE webhook_deliveries SET attempts = attempts + 1, words = NULL, next_try_at = ");
    sql.push_bind(until).push(" WHERE state = 'pending' AND next_try_at <= ").push_bind(now);
    sql.push(" AND guid IN ").push_list(guids);
    sql.push(" RETURNING guid, event, attempts, payload, received_at");
    sql.done().fetch_all().await
}

/// These have come to their end; how many were pending.
pub async fn settle(
    tx: &mut WriteTx,
    guids: &[DeliveryId],
    state: DeliveryState,
    words: Option<&str>,
    now: Timestamp,
) -> Result<u64> {
    if guids.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build("UPDATE webhook_deliveries SET state = ");
    sql.push_bind(state).push(", settled_at = ").push_bind(now);
    sql.push(", words = ").push_bind(words);
    sql.push(" WHERE state = 'pending' AND guid IN ").push_list(guids);
    sql.done().execute().await
}

/// It did not work: tried again from `next_try_at` on.
pub async fn put_off(
    tx: &mut WriteTx,
    guids: &[DeliveryId],
    words: &str,
    next_try_at: Timestamp,
) -> Result<u64> {
    if guids.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build("UPDATE webhook_deliveries SET words = ");
    sql.push_bind(words).push(", next_try_at = ").push_bind(next_try_at);
    sql.push(" WHERE state = 'pending' AND guid IN ").push_list(guids);
    sql.done().execute().await
}

/// They could not be tried, which does not count; from `next_try_at` on they are due again.
pub async fn wait(
    tx: &mut WriteTx,
    guids: &[DeliveryId],
    words: &str,
    next_try_at: Timestamp,
) -> Result<u64> {
    if guids.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build("UPDATE webhook_deliveries SET attempts = attempts - 1, words = ");
    sql.push_bind(words).push(", next_try_at = ").push_bind(next_try_at);
    sql.push(" WHERE state = 'pending' AND guid IN ").push_list(guids);
    sql.done().execute().await
}

/// Pending again from now on, as if it had just come; false for one that was applied or whose payload is gone.
pub async fn retry(tx: &mut WriteTx, guid: &DeliveryId, now: Timestamp) -> Result<bool> {
    let retried = tx
        .query(
            "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_try_at = $1, settled_at = NULL,
                words = NULL
             WHERE guid = $2 AND state <> 'applied' AND payload IS NOT NULL",
        )
        .bind(now)
        .bind(guid)
        .execute()
        .await?;
    Ok(retried == 1)
}

/// A delivery, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    pub guid: DeliveryId,
    pub event: String,
    pub action: Option<String>,
    /// `owner/name` as it was sent; none for events of no repository.
    pub repository: Option<String>,
    pub received_at: Timestamp,
    pub state: DeliveryState,
    /// How often it was taken.
    pub attempts: i64,
    pub next_try_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    /// Why it is ignored or failed, or did not work yet.
    pub words: Option<String>,
    /// Whether what was sent is kept still.
    pub has_payload: bool,
}

const COLUMNS: &str =
    "SELECT guid, event, action, repository, received_at, state, attempts, next_try_at, settled_at,
    words, payload IS NOT NULL AS has_payload FROM webhook_deliveries";

/// One delivery.
pub async fn find(tx: &mut ReadTx, guid: &DeliveryId) -> Result<Option<Delivery>> {
    let mut sql = tx.build(COLUMNS);
    sql.push(" WHERE guid = ").push_bind(guid);
    sql.done().fetch_optional().await
}

/// Which of these were never stored.
pub async fn list_unknown(tx: &mut ReadTx, guids: &[DeliveryId]) -> Result<Vec<DeliveryId>> {
    let mut sql = tx.build("SELECT guid FROM webhook_deliveries WHERE guid IN ");
    sql.push_list(guids);
    let rows: Vec<(DeliveryId,)> = sql.done().fetch_all().await?;
    let known: Vec<DeliveryId> = rows.into_iter().map(|(guid,)| guid).collect();
    Ok(guids.iter().filter(|guid| !known.contains(guid)).cloned().collect())
}

/// Which deliveries a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub repo: Option<RepoName>,
    pub state: Option<DeliveryState>,
    pub event: Option<String>,
}

/// Deliveries, newest first.
pub async fn list(
    tx: &mut ReadTx,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Delivery>> {
    let mut sql = tx.build(COLUMNS);
    sql.push(" WHERE TRUE");
    if let Some(repo) = &filter.repo {
        sql.push(" AND repo_key = ").push_bind(repo.key());
    }
    if let Some(state) = filter.state {
        sql.push(" AND state = '").push(state.as_str()).push("'");
    }
    if let Some(event) = &filter.event {
        sql.push(" AND event = ").push_bind(event.as_str());
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (received_at, guid) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY received_at DESC, guid DESC LIMIT ").push_bind(limit + 1);
    let rows: Vec<Delivery> = sql.done().fetch_all().await?;
    Ok(Page::cut(rows, limit, |row| Cursor { at: row.received_at, id: row.guid.to_string() }))
}

/// When each tracked repository was last heard of by a delivery that was signed or vouched for. A repository that never
/// was, or not within the time for which deliveries are kept, is left out.
pub async fn last_heard(tx: &mut ReadTx) -> Result<HashMap<RepoId, Timestamp>> {
    let rows: Vec<(RepoId, Option<Timestamp>)> = tx
        .query(
            "SELECT r.id, (SELECT max(d.received_at) FROM webhook_deliveries d WHERE d.repo_key = r.name_key)
             FROM repositories r WHERE r.tracked = TRUE",
        )
        .fetch_all()
        .await?;
    Ok(rows.into_iter().filter_map(|(id, at)| Some((id, at?))).collect())
}

/// How many are pending, and when the first of them came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Backlog {
    pub pending: i64,
    pub oldest: Option<Timestamp>,
}

/// What waits to be applied.
pub async fn backlog(tx: &mut ReadTx) -> Result<Backlog> {
    tx.query(
        "SELECT count(*) AS pending, min(received_at) AS oldest FROM webhook_deliveries WHERE state = 'pending'",
    )
    .fetch_one()
    .await
}

/// Forgets what was sent with deliveries that were applied or ignored before `before`.
pub async fn forget_payloads(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "UPDATE webhook_deliveries SET payload = NULL WHERE guid IN (
            SELECT guid FROM webhook_deliveries WHERE payload IS NOT NULL AND settled_at IS NOT NULL
                AND settled_at < $1 AND state IN ('applied', 'ignored') ORDER BY settled_at LIMIT $2)",
    )
    .bind(before)
    .bind(limit)
    .execute()
    .await
}

/// Forgets deliveries: those that were applied or ignored and came before `settled`, failed ones that came before
/// `failed`.
pub async fn prune(tx: &mut WriteTx, settled: Timestamp, failed: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM webhook_deliveries WHERE guid IN (
            SELECT guid FROM webhook_deliveries WHERE received_at < $1
                AND (state IN ('applied', 'ignored') OR state = 'failed' AND received_at < $2)
            ORDER BY received_at LIMIT $3)",
    )
    .bind(settled)
    .bind(failed)
    .bind(limit)
    .execute()
    .await
}
