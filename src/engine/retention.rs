//! The `retention` verbs: they forget what is older than it must be kept.

use std::time::Duration;

use super::Engine;
use crate::{
    domain::time::Timestamp,
    store::{self, claims, closed, idempotency, label_edits, outbox, reads, reports, runs, work},
};

/// Runs that touched nothing and warned of nothing are kept this long; idempotency keys too.
const DAY: Duration = Duration::from_hours(24);
/// Rows forgotten in one transaction.
const BATCH: i64 = 1_000;

/// Forgets old runs, reports, reads, ended claims, keys, settled writes and fences, in batches that leave room for others to write.
pub async fn prune(engine: &Engine) -> store::Result<u64> {
    let now = engine.clock.now();
    let cutoffs =
        runs::Cutoffs { uneventful: now.minus(DAY), eventful: now.minus(engine.settings.run_retention) };
    let mut all = 0;
    loop {
        let mut tx = engine.db.write().await?;
        let mut pruned = runs::prune(&mut tx, cutoffs, BATCH).await?;
        pruned += reads::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += reports::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += work::prune_ended(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += idempotency::prune(&mut tx, now.minus(DAY), BATCH).await?;
        pruned += label_edits::prune(&mut tx, now.minus(DAY), BATCH).await?;
        pruned += outbox::prune(&mut tx, cutoffs.eventful, BATCH).await?;
        pruned += claims::prune_fences(&mut tx, now.minus(DAY), BATCH).await?;
        tx.commit().await?;
        if pruned == 0 {
            return Ok(all);
        }
        all += pruned;
    }
}

/// Issues forgotten in one transaction.
const CLOSED_BATCH: i64 = 200;

/// What was forgotten of issues that are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    pub issues: u64,
    /// Those closed before this time.
    pub cutoff: Timestamp,
}

/// Forgets issues that were closed longer ago than closed ones are kept, in batches. An issue stays while a claim on it is
/// live, or something waits to be written there. Nobody waits for a closed issue, so no count changes.
pub async fn prune_closed(engine: &Engine) -> store::Result<Pruned> {
    let cutoff = engine.clock.now().minus(engine.settings.closed_retention);
    let mut issues = 0;
    loop {
        let mut tx = engine.db.write().await?;
        let mut found = closed::list(&mut tx, cutoff, CLOSED_BATCH).await?;
        found.sort_unstable();
        claims::lock_issues(&mut tx, &found).await?;
        let found = closed::still(&mut tx, &found, cutoff).await?;
        let pruned = closed::forget(&mut tx, &found).await?;
        tx.commit().await?;
        if pruned == 0 {
            return Ok(Pruned { issues, cutoff });
        }
        issues += pruned;
    }
}
