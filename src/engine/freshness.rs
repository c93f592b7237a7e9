//! The live check: does the cache of a repository say what GitHub says now? Racers share one read.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Error, Result, sync};
use crate::{
    domain::{
        notice::Code,
        repo::{RepoName, TrackedRepo},
        time::Timestamp,
    },
    engine::refresh,
    store::{self, repos},
};

/// How long a change waits for GitHub's word that is made without it, too.
const GLANCE: Duration = Duration::from_secs(2);

/// Makes sure that GitHub confirmed the cache of this repository lately, asking it if need be.
pub async fn confirm(engine: &Engine, name: &RepoName) -> Result<()> {
    let mut tx = engine.db.read_once().await?;
    let repo = refresh::tracked(&mut tx, name).await?;
    drop(tx);
    let settings = &engine.settings;
    let fresh_since = engine.clock.now().minus(settings.claim_max_staleness);
    match read_since(engine, repo, fresh_since, settings.live_check_patience).await {
        Ok(()) => Ok(()),
        Err(code) => Err(Error::Unverified(format!("Could not verify live GitHub labels: {}", code.what()))),
    }
}

/// Tries to have the cache of a repository as GitHub had it at `fresh_since` or later. It waits a little, and what GitHub
/// does not say then is not known.
pub async fn look(engine: &Engine, name: &RepoName, fresh_since: Timestamp) -> store::Result<()> {
    let mut tx = engine.db.read_once().await?;
    let repo = repos::find_tracked(&mut tx, name).await?;
    drop(tx);
    if let Some(repo) = repo
        && let Err(code) = read_since(engine, repo, fresh_since, GLANCE).await
    {
        tracing::debug!(repository = %name, reason = code.what(), "a change is made without GitHub's word");
    }
    Ok(())
}

async fn read_since(
    engine: &Engine,
    repo: TrackedRepo,
    fresh_since: Timestamp,
    patience: Duration,
) -> std::result::Result<(), Code> {
    if repo.sync.confirmed_at.is_some_and(|at| at >= fresh_since)
        || engine.reads.confirmed_since(&repo.id, fresh_since)
    {
        return Ok(());
    }
    sync::read_now(engine, repo, fresh_since, Instant::now() + patience).await
}
