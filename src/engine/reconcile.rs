//! The `reconcile` verb: what follows from the cache itself, without the network.

use super::{
    Engine,
    dependencies::{Stir, both, turn},
    failpoint::failpoint,
    overlay::{NEVER, Overlay},
};
use crate::{
    domain::{dependencies, issue::Derived, repo::TrackedRepo},
    store::{
        self,
        db::Dialect,
        issues::{self, Source},
        sync_state,
    },
};

/// So many issues are derived anew in one transaction.
const BATCH: i64 = 500;

/// Derives the columns of a repository's issues anew, and what their texts wait for, when they follow other rules than
/// the present ones (`followed` names those).
pub async fn reconcile(engine: &Engine, repo: &TrackedRepo, followed: &str) -> store::Result<()> {
    failpoint!("reconcile", store::Error::WorkerCrashed);
    let key = engine.settings.rules.key();
    if followed == key {
        return Ok(());
    }
    let mut after = None;
    loop {
        let mut tx = engine.db.write().await?;
        turn(&mut tx).await?;
        let mut batch = issues::list_sources(&mut tx, &repo.id, after.as_ref(), BATCH).await?;
        let ids: Vec<_> = batch.iter().map(|source| source.id.clone()).collect();
        let now = engine.clock.now();
        // Nothing was read: no edit of ours is told of by what is cached but those that were dropped.
        let settled = stirred(&batch, repo).settle(&mut tx, &repo.id).await?;
        store::claims::lock_issues(&mut tx, &both(&ids, settled.affected())).await?;
        let mut laid_over = Overlay::load(&mut tx, &ids, NEVER).await?;
        if tx.dialect() == Dialect::Postgres && !ids.is_empty() {
            // They were not locked yet when they were listed.
            batch = issues::list_sources(&mut tx, &repo.id, after.as_ref(), BATCH).await?;
            batch.retain(|source| ids.contains(&source.id));
        }
        for source in &batch {
            let ours = laid_over.of(&source.id, source.current_lane.clone());
            let rules = &engine.settings.rules;
            let derived = Derived::of(source.state, &source.title, &source.github_labels, &ours, rules);
            issues::rederive(&mut tx, &source.id, &derived, now).await?;
        }
        settled.write(&mut tx).await?;
        let Some(last) = ids.into_iter().last() else {
            sync_state::follow_rules(&mut tx, &repo.id, &key).await?;
            return tx.commit().await;
        };
        tx.commit().await?;
        after = Some(last);
    }
}

/// What the texts of these issues wait for.
fn stirred(batch: &[Source], repo: &TrackedRepo) -> Stir {
    let mut stir = Stir::default();
    for source in batch {
        let body = source.body.as_deref().unwrap_or_default();
        let by_text = dependencies::blockers_in(body, &repo.name, source.number);
        stir.say(&source.id, false, Some(by_text), None);
    }
    stir
}
