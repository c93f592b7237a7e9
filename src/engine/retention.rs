//! The `retention` verbs: they forget what is older than it must be kept.

use std::time::Duration;

use super::{Engine, heard, lead::Leader};
use crate::{
    domain::time::Timestamp,
    store::{
        self, audit, claims, conditional, deliveries, hooks, idempotency, label_edits, outbox, pr_fix,
        pr_fix_notes, reads, reports, runs, sessions,
        turns::{self, Turn},
        work,
    },
};

/// Runs that touched nothing and warned of nothing are kept this long; idempotency keys too.
const DAY: Duration = Duration::from_hours(24);
/// Rows forgotten in one transaction.
const BATCH: i64 = 1_000;

/// Forgets old runs, decisions, reports, reads, ended claims, keys, settled writes, fences, deliveries of webhooks and closed pull requests of the
/// PR-fix queue, in batches that leave room for others to write. Two that deleted the same rows at once would lock each other out: each batch makes sure of
/// the lead, and ends the work when it is lost.
pub async fn prune(engine: &Engine, leader: &Leader) -> store::Result<u64> {
    let now = engine.clock.now();
    let cutoffs =
        runs::Cutoffs { uneventful: now.minus(DAY), eventful: now.minus(engine.settings.run_retention) };
    let mut all = 0;
    loop {
        let mut tx = engine.db.write().await?;
        if !leader.confirm(&mut tx).await? {
            return Ok(all);
        }
        turns::take(&mut tx, Turn::Forgetting).await?;
        let mut pruned = runs::prune(&mut tx, cutoffs, BATCH).await?;
        pruned += audit::prune(&mut tx, now.minus(engine.settings.audit_retention), BATCH).await?;
        pruned += reads::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += reports::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += work::prune_ended(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += conditional::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += idempotency::prune(&mut tx, now.minus(DAY), BATCH).await?;
        pruned += label_edits::prune_discarded(&mut tx, now.minus(DAY), BATCH).await?;
        pruned += outbox::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += claims::prune_fences(&mut tx, now.minus(DAY), BATCH).await?;
        pruned += pr_fix_notes::prune_history(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += deliveries::forget_payloads(&mut tx, now.minus(DAY), BATCH).await?;
        pruned += hooks::prune_missed(&mut tx, now.minus(7 * DAY), BATCH).await?;
        pruned += deliveries::prune(&mut tx, now.minus(7 * DAY), now.minus(30 * DAY), BATCH).await?;
        pruned += sessions::prune(&mut tx, now.minus(DAY), BATCH).await?;
        pruned += pr_fix::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        tx.commit().await?;
        pruned += forget_label_edits(engine, now.minus(DAY)).await?;
        if pruned == 0 {
            return Ok(all);
        }
        all += pruned;
    }
}

/// One issue at a time: what it shows may hang on them.
async fn forget_label_edits(engine: &Engine, before: Timestamp) -> store::Result<u64> {
    let mut tx = engine.db.read_once().await?;
    let old = label_edits::list_old(&mut tx, before, BATCH).await?;
    drop(tx);
    for (issue, confirmed_at) in &old {
        heard::hear_issue(engine, issue, before.min(*confirmed_at)).await?;
    }
    Ok(old.len() as u64)
}
