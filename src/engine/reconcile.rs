//! The `reconcile` verb: what follows from the cache itself, without the network.

use super::{Engine, failpoint::failpoint};
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
        for source in &batch {
            let derived = Derived::of(source.state, &source.github_labels, &engine.settings.rules);
            issues::rederive(&mut tx, &source.id, &derived).await?;
        }
        let Some(last) = batch.into_iter().last() else {
            sync_state::follow_rules(&mut tx, repo, &key).await?;
            return tx.commit().await;
        };
        tx.commit().await?;
        after = Some(last.id);
    }
}
