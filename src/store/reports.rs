//! `reports`: what agents reported of their tasks, and what that settled.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{AgentName, RunId},
        report::{Attempt, Report, Resolution},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// A report to be written with its run.
#[derive(Clone, Debug)]
pub struct NewReport<'a> {
    pub id: &'a str,
    pub agent: &'a AgentName,
    pub key: Option<&'a str>,
    pub payload_hash: &'a str,
    pub payload: &'a Report,
    /// A maintainer's token told it.
    pub by_maintainer: bool,
    /// The attempt that it is for without naming it.
    pub attempt: Option<&'a Attempt>,
    /// Absent while it is to be settled.
    pub resolution: Option<&'a Resolution>,
    pub at: Timestamp,
}

/// Writes a report whose run comes later in the transaction; false when its key is taken.
pub async fn insert(tx: &mut WriteTx, report: &NewReport<'_>) -> Result<bool> {
    let state = if report.resolution.is_some() { "settled" } else { "pending" };
    let inserted = tx
        .query(
            "INSERT INTO reports (id, agent_name, agent_key, idempotency_key, payload_hash, payload, state,
                resolution, created_at, settled_at, by_maintainer, attempt)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (agent_key, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING",
        )
        .bind(report.id)
        .bind(report.agent)
        .bind(report.agent.key())
        .bind(report.key)
        .bind(report.payload_hash)
        .bind(Json(report.payload))
        .bind(state)
        .bind(report.resolution.map(Json))
        .bind(report.at)
        .bind(report.resolution.map(|_| report.at))
        .bind(report.by_maintainer)
        .bind(report.attempt.map(Json))
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// Links a report with the run that tells of it.
pub async fn link(tx: &mut WriteTx, id: &str, run: &RunId) -> Result<()> {
    tx.query("UPDATE reports SET run_id = $1 WHERE id = $2").bind(run).bind(id).execute().await?;
    Ok(())
}

/// A report as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Stored {
    pub id: String,
    pub agent_name: AgentName,
    pub payload_hash: String,
    pub payload: Json<Report>,
    pub by_maintainer: bool,
    pub attempt: Option<Json<Attempt>>,
    pub run_id: Option<RunId>,
    pub resolution: Option<Json<Resolution>>,
}

/// The report that took a key.
pub async fn find_by_key(tx: &mut ReadTx, agent: &AgentName, key: &str) -> Result<Option<Stored>> {
    tx.query(
        "SELECT id, agent_name, payload_hash, payload, by_maintainer, attempt, run_id, resolution FROM reports
         WHERE agent_key = $1 AND idempotency_key = $2",
    )
    .bind(agent.key())
    .bind(key)
    .fetch_optional()
    .await
}

/// Reports made before `before` that nobody settled, the oldest first.
pub async fn list_pending(tx: &mut ReadTx, before: Timestamp, limit: i64) -> Result<Vec<Stored>> {
    tx.query(
        "SELECT id, agent_name, payload_hash, payload, by_maintainer, attempt, run_id, resolution FROM reports
         WHERE state = 'pending' AND created_at < $1 ORDER BY created_at, id LIMIT $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all()
    .await
}

/// Stores what a report settled; false when somebody else did.
pub async fn settle(tx: &mut WriteTx, id: &str, resolution: &Resolution, at: Timestamp) -> Result<bool> {
    let settled = tx
        .query("UPDATE reports SET state = 'settled', resolution = $1, settled_at = $2 WHERE id = $3 AND state = 'pending'")
        .bind(Json(resolution))
        .bind(at)
        .bind(id)
        .execute()
        .await?;
    Ok(settled == 1)
}

/// What a report settled, if it did.
pub async fn find_resolution(tx: &mut ReadTx, id: &str) -> Result<Option<Resolution>> {
    let found: Option<(Option<Json<Resolution>>,)> =
        tx.query("SELECT resolution FROM reports WHERE id = $1").bind(id).fetch_optional().await?;
    Ok(found.and_then(|(resolution,)| resolution).map(|resolution| resolution.0))
}

/// Forgets settled reports older than `cutoff`, at most `limit` at once.
pub async fn prune(tx: &mut WriteTx, cutoff: Timestamp, limit: i64) -> Result<u64> {
    tx.query(
        "DELETE FROM reports WHERE id IN
            (SELECT id FROM reports WHERE created_at < $1 AND state = 'settled' ORDER BY created_at LIMIT $2)",
    )
    .bind(cutoff)
    .bind(limit)
    .execute()
    .await
}
