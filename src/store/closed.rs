//! Forgetting issues that were closed long ago.

use crate::{
    domain::{ids::IssueId, time::Timestamp},
    store::{ReadTx, Result, WriteTx},
};

/// Nothing needs them any more: no claim on them is live, and nothing waits to be written there, or for an operator's word.
const NEEDED_NO_MORE: &str =
    " AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.issue_id = i.id AND c.ended_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = i.id AND e.state IN ('pending', 'parked'))
    AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = i.id AND o.state IN ('pending', 'parked'))";

/// Issues closed before `cutoff` that nothing needs any more, the oldest first.
pub async fn list(tx: &mut ReadTx, cutoff: Timestamp, limit: i64) -> Result<Vec<IssueId>> {
    let mut sql = tx.build("SELECT i.id FROM issues i WHERE i.state = 'closed' AND i.closed_at < ");
    sql.push_bind(cutoff).push(NEEDED_NO_MORE).push(" ORDER BY i.closed_at, i.id LIMIT ").push_bind(limit);
    let rows: Vec<(IssueId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Those of `issues` of which that is still so.
pub async fn still(tx: &mut ReadTx, issues: &[IssueId], cutoff: Timestamp) -> Result<Vec<IssueId>> {
    if issues.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build("SELECT i.id FROM issues i WHERE i.state = 'closed' AND i.closed_at < ");
    sql.push_bind(cutoff).push(NEEDED_NO_MORE).push(" AND i.id IN ").push_list(issues);
    let rows: Vec<(IssueId,)> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Forgets issues. Runs, audit rows and work stay, and name no issue then; lanes and claims that `agent-work` never heard
/// of go with them.
pub async fn forget(tx: &mut WriteTx, issues: &[IssueId]) -> Result<u64> {
    if issues.is_empty() {
        return Ok(0);
    }
    let mut sql = tx.build("UPDATE claims SET issue_id = NULL WHERE worked_at IS NOT NULL AND issue_id IN ");
    sql.push_list(issues);
    sql.done().execute().await?;
    let mut sql = tx.build("DELETE FROM issues WHERE id IN ");
    sql.push_list(issues);
    sql.done().execute().await
}
