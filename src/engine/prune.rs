//! The `prune_closed` verb: forgets issues that closed, or vanished from GitHub, longer ago than they must be kept
//! (`contract/operations.md` 1.9).

use super::Engine;
use crate::{
    domain::time::Timestamp,
    store::{
        self, claims, issues,
        turns::{self, Turn},
    },
};

/// Issues forgotten in one transaction.
const BATCH: i64 = 500;

/// What was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    pub issues: u64,
    /// Everything that closed before.
    pub cutoff: Timestamp,
}

/// Forgets old issues, in batches that leave room for others to write. An issue that somebody works on, or whose labels
/// are on their way to GitHub, stays until that has ended. Work that was done keeps its record.
pub async fn prune_closed(engine: &Engine) -> store::Result<Pruned> {
    let cutoff = engine.clock.now().minus(engine.settings.closed_retention);
    let mut pruned = Pruned { issues: 0, cutoff };
    loop {
        let mut tx = engine.db.write().await?;
        turns::take(&mut tx, Turn::Forgetting).await?;
        let old = issues::list_old(&mut tx, cutoff, BATCH).await?;
        claims::lock_issues(&mut tx, &old).await?;
        let gone = issues::forget(&mut tx, &old, cutoff).await?;
        tx.commit().await?;
        pruned.issues += gone;
        if gone == 0 {
            return Ok(pruned);
        }
    }
}
