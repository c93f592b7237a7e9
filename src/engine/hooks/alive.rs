//! Where a webhook is alive: something came lately, and nothing that should have come is waited for.

use std::{collections::HashSet, time::Duration};

use crate::{
    domain::{ids::RepoId, repo::TrackedRepo, time::Timestamp},
    engine::Engine,
    store::{ReadTx, Result, deliveries, hooks},
};

/// A webhook that said nothing for so long may be dead.
const LATELY: Duration = Duration::from_hours(24);

/// The tracked repositories whose webhook is alive.
pub async fn list_alive(tx: &mut ReadTx, now: Timestamp) -> Result<HashSet<RepoId>> {
    let heard = deliveries::last_heard(tx).await?;
    let missed = hooks::count_missed(tx, now.minus(LATELY)).await?;
    let waits = |repo: Option<RepoId>| missed.get(&repo).is_some_and(|count| count.waiting > 0);
    // What is of no known repository may be of each.
    if waits(None) {
        return Ok(HashSet::new());
    }
    let is_alive = |(repo, at): (RepoId, Timestamp)| {
        (at.plus(LATELY) > now && !waits(Some(repo.clone()))).then_some(repo)
    };
    Ok(heard.into_iter().filter_map(is_alive).collect())
}

/// Leaves those out whose webhook is alive and that were read lately enough for that.
pub async fn leave_to_webhooks(engine: &Engine, repos: &mut Vec<TrackedRepo>) -> Result<()> {
    let (now, every) = (engine.clock.now(), engine.settings.sync_webhook_interval);
    let is_fresh = |repo: &TrackedRepo| engine.reads.checked_at(repo).is_some_and(|at| at.plus(every) > now);
    if !repos.iter().any(is_fresh) {
        return Ok(());
    }
    let mut tx = engine.db.read().await?;
    let alive = list_alive(&mut tx, now).await?;
    drop(tx);
    repos.retain(|repo| !is_fresh(repo) || !alive.contains(&repo.id));
    Ok(())
}
