//! What ran lately, and how long work waited and took: what the charts of the overview are drawn from.

use std::time::Duration;

use crate::{
    domain::{
        ids::{AgentName, IssueId},
        run::Tone,
        time::Timestamp,
    },
    store::{ReadTx, Result},
};

/// How many runs began within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Hour {
    pub at: Timestamp,
    pub good: i64,
    pub warned: i64,
    pub failed: i64,
    /// Whatever their status says.
    pub total: i64,
}

/// Hours one after the other from `first` on. Each count is a range of an index that holds all it needs: SQLite would take
/// ten times as long to group the rows.
pub async fn list_hours(tx: &mut ReadTx, first: Timestamp, hours: u32) -> Result<Vec<Hour>> {
    let mut sql = tx.build("WITH hours (at, until) AS (VALUES ");
    for n in 0..hours {
        let at = first.plus(Duration::from_hours(1) * n);
        sql.push(if n == 0 { "(" } else { ", (" }).push_bind(at);
        sql.push(", ").push_bind(at.plus(Duration::from_hours(1))).push(")");
    }
    sql.push(") SELECT h.at");
    for (tone, name) in Tone::ALL.into_iter().zip([" AS good", " AS warned", " AS failed"]) {
        sql.push(", (SELECT count(*) FROM runs r WHERE r.status IN ");
        sql.push_list(tone.stored()).push(" AND r.created_at >= h.at AND r.created_at < h.until)").push(name);
    }
    sql.push(
        ", (SELECT count(*) FROM runs r WHERE r.created_at >= h.at AND r.created_at < h.until) AS total
         FROM hours h ORDER BY h.at",
    );
    sql.done().fetch_all().await
}

/// How often agents beat since then, the most eager first; those that did not are left out.
pub async fn list_beats(tx: &mut ReadTx, since: Timestamp, limit: i64) -> Result<Vec<(AgentName, i64)>> {
    tx.query(
        "SELECT b.name, b.beats FROM (
            SELECT a.name, a.agent_key, (SELECT count(*) FROM runs r
                WHERE r.run_type = 'heartbeat' AND r.agent_key = a.agent_key AND r.created_at >= $1) AS beats
            FROM agents a) AS b
         WHERE b.beats > 0 ORDER BY b.beats DESC, b.agent_key LIMIT $2",
    )
    .bind(since)
    .bind(limit)
    .fetch_all()
    .await
}

/// How many agents beat since then.
pub async fn count_beating(tx: &mut ReadTx, since: Timestamp) -> Result<i64> {
    let (count,): (i64,) = tx
        .query(
            "SELECT count(*) FROM agents a WHERE EXISTS (SELECT 1 FROM runs r
                WHERE r.run_type = 'heartbeat' AND r.agent_key = a.agent_key AND r.created_at >= $1)",
        )
        .bind(since)
        .fetch_one()
        .await?;
    Ok(count)
}

/// A claim, and when its issue was ready and went into review for the last time.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Course {
    pub issue: IssueId,
    pub claimed_at: Timestamp,
    pub ready_at: Option<Timestamp>,
    pub review_at: Option<Timestamp>,
}

/// How many claims of issues were made within a time.
pub async fn count_claims(tx: &mut ReadTx, from: Timestamp, until: Timestamp) -> Result<i64> {
    let (count,): (i64,) = tx
        .query(
            "SELECT count(*) FROM claims WHERE issue_id IS NOT NULL AND created_at >= $1 AND created_at < $2",
        )
        .bind(from)
        .bind(until)
        .fetch_one()
        .await?;
    Ok(count)
}

/// Claims of issues made within a time, the newest first.
pub async fn list_courses(
    tx: &mut ReadTx,
    (from, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<Course>> {
    tx.query(
        "SELECT i.id AS issue, c.created_at AS claimed_at, i.ready_at, i.review_at FROM (
            SELECT issue_id, created_at FROM claims
            WHERE issue_id IS NOT NULL AND created_at >= $1 AND created_at < $2
            ORDER BY created_at DESC, id DESC LIMIT $3) AS c
         JOIN issues i ON i.id = c.issue_id",
    )
    .bind(from)
    .bind(until)
    .bind(limit)
    .fetch_all()
    .await
}
