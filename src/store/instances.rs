//! `instances`: one row per process, renewed while it lives.

use crate::{
    domain::{event::Change, ids::InstanceId, time::Timestamp},
    store::{ReadTx, Result, WriteTx},
};

/// Writes or renews the row of this process.
pub async fn renew(tx: &mut WriteTx, id: &InstanceId, now: Timestamp, expires: Timestamp) -> Result<()> {
    tx.query(
        "INSERT INTO instances (id, started_at, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
    )
    .bind(id)
    .bind(now)
    .bind(expires)
    .execute()
    .await?;
    Ok(())
}

/// Every other process is dead (it held the lock of the data directory that this one holds now).
pub async fn bury_others(tx: &mut WriteTx, id: &InstanceId) -> Result<()> {
    tx.query("DELETE FROM instances WHERE id <> $1").bind(id).execute().await?;
    Ok(())
}

/// Forgets processes that stopped renewing. What such a process committed last it may have told nobody.
pub async fn bury_expired(tx: &mut WriteTx, now: Timestamp) -> Result<()> {
    tx.query("DELETE FROM instances WHERE expires_at <= $1").bind(now).about([Change::All]).execute().await?;
    Ok(())
}

/// This process ends of its own will.
pub async fn leave(tx: &mut WriteTx, id: &InstanceId) -> Result<()> {
    tx.query("DELETE FROM instances WHERE id = $1").bind(id).execute().await?;
    Ok(())
}

/// How many processes live, as far as they renewed in time.
pub async fn count_living(tx: &mut ReadTx, now: Timestamp) -> Result<i64> {
    let sql = "SELECT count(*) FROM instances WHERE expires_at > $1";
    let (count,): (i64,) = tx.query(sql).bind(now).fetch_one().await?;
    Ok(count)
}
