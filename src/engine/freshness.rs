//! The live check: does the cache of a repository say what GitHub says now? Racers share one read.

use tokio::time::Instant;

use super::{Engine, Error, Result, sync};
use crate::{domain::repo::RepoName, engine::refresh};

/// Makes sure that GitHub confirmed the cache of this repository lately, asking it if need be.
pub async fn confirm(engine: &Engine, name: &RepoName) -> Result<()> {
    let mut tx = engine.db.read_once().await?;
    let repo = refresh::tracked(&mut tx, name).await?;
    drop(tx);
    let settings = &engine.settings;
    let now = engine.clock.now();
    let fresh_since = now.minus(settings.claim_max_staleness);
    if repo.sync.confirmed_at.is_some_and(|at| at >= fresh_since)
        || engine.reads.confirmed_since(&repo.id, fresh_since)
    {
        return Ok(());
    }
    let wait_until = Instant::now() + settings.live_check_patience;
    match sync::read_now(engine, repo, fresh_since, wait_until).await {
        Ok(()) => Ok(()),
        Err(code) => Err(Error::Unverified(format!("Could not verify live GitHub labels: {}", code.what()))),
    }
}
