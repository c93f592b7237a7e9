//! Repositories that GitHub confirmed unchanged, on their way into the database: one statement writes all
//! of a pass, instead of one per repository.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{
    domain::{ids::RepoId, time::Timestamp},
    store::{self, Db, WriteTx, sync_state},
};

/// Confirmations that are not written yet.
#[derive(Debug, Default)]
pub struct Confirmations(Mutex<HashMap<RepoId, Timestamp>>);

impl Confirmations {
    /// GitHub confirmed the cache of `repo` by a read that began `at`.
    pub fn add(&self, repo: &RepoId, at: Timestamp) {
        self.0.lock().insert(repo.clone(), at);
    }

    /// When GitHub confirmed the cache of `repo`, if that is not written yet.
    pub fn find(&self, repo: &RepoId) -> Option<Timestamp> {
        self.0.lock().get(repo).copied()
    }

    /// Writes what is there. The earliest time stands for all: a confirmation may be understated, never
    /// overstated. Call [`Confirmations::put_back`] when the transaction did not commit.
    pub async fn write(&self, tx: &mut WriteTx) -> store::Result<Batch> {
        let batch = Batch(std::mem::take(&mut *self.0.lock()));
        if let Some(at) = batch.0.values().min() {
            let mut repos: Vec<RepoId> = batch.0.keys().cloned().collect();
            // The same order everywhere, so that two processes cannot lock each other out.
            repos.sort_unstable();
            if let Err(error) = sync_state::confirm(tx, &repos, *at).await {
                self.put_back(batch);
                return Err(error);
            }
        }
        Ok(batch)
    }

    /// Writes what is there in a transaction of its own.
    pub async fn settle(&self, db: &Db) -> store::Result<()> {
        if self.0.lock().is_empty() {
            return Ok(());
        }
        let mut tx = db.write().await?;
        let batch = self.write(&mut tx).await?;
        let committed = tx.commit().await;
        if committed.is_err() {
            self.put_back(batch);
        }
        committed
    }

    /// The transaction failed: the next pass writes them.
    pub fn put_back(&self, batch: Batch) {
        let mut waiting = self.0.lock();
        for (repo, at) in batch.0 {
            waiting.entry(repo).or_insert(at);
        }
    }
}

/// Confirmations in a transaction that has not committed yet.
#[must_use]
pub struct Batch(HashMap<RepoId, Timestamp>);

impl Batch {
    /// The transaction commits, or the process ends.
    pub fn forget(self) {
        drop(self);
    }
}
