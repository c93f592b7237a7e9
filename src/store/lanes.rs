//! `lane_history`: which lane an issue was put into, by whom and why.

use crate::{
    domain::{
        event::Change,
        ids::IssueId,
        lane::{Classification, Confidence},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub classification: Classification,
    /// What judged: a model, `heuristic`, `manual`.
    pub model: Option<String>,
    pub at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    lane: String,
    confidence: Confidence,
    reason: String,
    model: Option<String>,
    judged_at: Timestamp,
}

impl From<Row> for Judged {
    fn from(row: Row) -> Self {
        let Row { lane, confidence, reason, model, judged_at } = row;
        Self { classification: Classification { lane, confidence, reason }, model, at: judged_at }
    }
}

pub async fn insert(tx: &mut WriteTx, id: &str, issue: &IssueId, judged: &Judged) -> Result<()> {
    tx.query(
        "INSERT INTO lane_history (id, issue_id, lane, confidence, reason, model, judged_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(issue)
    .bind(judged.classification.lane.as_str())
    .bind(judged.classification.confidence)
    .bind(judged.classification.reason.as_str())
    .bind(judged.model.as_deref())
    .bind(judged.at)
    .about([Change::Issue(issue.clone())])
    .execute()
    .await?;
    Ok(())
}

/// The last decision about an issue.
pub async fn find_newest(tx: &mut ReadTx, issue: &IssueId) -> Result<Option<Judged>> {
    let row: Option<Row> = tx
        .query(
            "SELECT lane, confidence, reason, model, judged_at FROM lane_history
             WHERE issue_id = $1 ORDER BY judged_at DESC, id DESC LIMIT 1",
        )
        .bind(issue)
        .fetch_optional()
        .await?;
    Ok(row.map(Judged::from))
}

/// Stores the lane itself; what follows from it is for [`crate::store::issues::rederive`].
pub async fn set(tx: &mut WriteTx, issue: &IssueId, lane: &str) -> Result<()> {
    tx.query("UPDATE issues SET current_lane = $1 WHERE id = $2")
        .bind(lane)
        .bind(issue)
        .about([Change::Issue(issue.clone())])
        .execute()
        .await?;
    Ok(())
}
