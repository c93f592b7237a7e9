//! The `reconcile` verb: what follows from the cache itself, without the network.

use super::{
    Engine,
    failpoint::failpoint,
    overlay::{NEVER, Overlay},
};
use crate::{
    domain::{ids::RepoId, issue::Derived},
    store::{self, issues, sync_state},
};

/// So many issues are derived anew in one transaction.
const BATCH: i64 = 500;

/// Derives the columns of a repository's issues anew when they follow other label rules than the present
/// ones (`followed` names those).
pub async fn reconcile(engine: &Engine, repo: &RepoId, followed: &str) -> store::Result<()> {
    failpoint!("reconcile", store::Error::WorkerCrashed);
    let key = engine.settings.rules.key();
    if followed == key {
        return Ok(());
    }
    let mut after = None;
    loop {
        let mut tx = engine.db.write().await?;
        let batch = issues::list_sources(&mut tx, repo, after.as_ref(), BATCH).await?;
        let ids: Vec<_> = batch.iter().map(|source| source.id.clone()).collect();
        let now = engine.clock.now();
        // Nothing was read: no edit of ours is told of by what is cached but those that were dropped.
        store::claims::lock_issues(&mut tx, &ids).await?;
        let mut laid_over = Overlay::load(&mut tx, &ids, NEVER).await?;
        for source in &batch {
            let ours = laid_over.of(&source.id, source.current_lane.clone());
            let rules = &engine.settings.rules;
            let derived = Derived::of(source.state, &source.title, &source.github_labels, &ours, rules);
            issues::rederive(&mut tx, &source.id, &derived, now).await?;
        }
        let Some(last) = batch.into_iter().last() else {
            sync_state::follow_rules(&mut tx, repo, &key).await?;
            return tx.commit().await;
        };
        tx.commit().await?;
        after = Some(last.id);
    }
}
