//! `leases`: what only one of several processes may do, and which one does.

use crate::{
    domain::{ids::InstanceId, time::Timestamp},
    store::{ReadTx, Result, WriteTx, db::Dialect},
};

/// Takes the lease if nobody else holds it: the fence of the new term, or nothing.
pub async fn take(
    tx: &mut WriteTx,
    name: &str,
    holder: &InstanceId,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Option<i64>> {
    let taken: Option<(i64,)> = tx
        .query(
            "INSERT INTO leases (name, holder, fence, taken_at, expires_at) VALUES ($1, $2, 1, $3, $4)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1,
                taken_at = excluded.taken_at, expires_at = excluded.expires_at
             WHERE leases.expires_at <= excluded.taken_at OR leases.holder = excluded.holder
             RETURNING fence",
        )
        .bind(name)
        .bind(holder)
        .bind(now)
        .bind(expires_at)
        .fetch_optional()
        .await?;
    Ok(taken.map(|(fence,)| fence))
}

/// Until when somebody but `holder` has the lease, if somebody has.
pub async fn find_held(
    tx: &mut ReadTx,
    name: &str,
    holder: &InstanceId,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let found: Option<(Timestamp,)> = tx
        .query("SELECT expires_at FROM leases WHERE name = $1 AND holder <> $2 AND expires_at > $3")
        .bind(name)
        .bind(holder)
        .bind(now)
        .fetch_optional()
        .await?;
    Ok(found.map(|(at,)| at))
}

/// Goes on until `expires_at`; false when the term of this fence is over.
pub async fn renew(tx: &mut WriteTx, name: &str, fence: i64, expires_at: Timestamp) -> Result<bool> {
    let renewed = tx
        .query("UPDATE leases SET expires_at = $1 WHERE name = $2 AND fence = $3")
        .bind(expires_at)
        .bind(name)
        .bind(fence)
        .execute()
        .await?;
    Ok(renewed == 1)
}

/// Is it the term of this fence still? On PostgreSQL nobody takes the lease until this transaction has ended.
pub async fn confirm(tx: &mut WriteTx, name: &str, fence: i64) -> Result<bool> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => "SELECT fence FROM leases WHERE name = $1 AND fence = $2",
        Dialect::Postgres => "SELECT fence FROM leases WHERE name = $1 AND fence = $2 FOR SHARE",
    };
    let found: Option<(i64,)> = tx.query(sql).bind(name).bind(fence).fetch_optional().await?;
    Ok(found.is_some())
}
