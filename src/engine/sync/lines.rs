//! One line of reads per repository.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::ReadEnd;
use crate::{
    clock::Ids,
    domain::{
        ids::RepoId,
        repo::{SyncState, TrackedRepo},
        time::Timestamp,
    },
    engine::flight::Flight,
    github::Point,
};

/// What a read needs to begin.
pub struct Order {
    /// Its first request is paid for.
    pub point: Point,
    pub sweep: bool,
    /// For the rows that it writes.
    pub ids: Ids,
    /// The repository as its first caller saw it.
    pub repo: TrackedRepo,
}

/// The reads of one repository.
#[derive(Default)]
pub struct Line {
    pub flight: Flight<Order, ReadEnd>,
    /// The state that the last read left behind, when it is known to be what the database holds.
    memory: Mutex<Option<SyncState>>,
}

impl Line {
    /// The newer of what the last read left and what the caller saw: another process may have read since.
    pub fn state(&self, seen: &SyncState) -> SyncState {
        match &*self.memory.lock() {
            Some(kept) if kept.confirmed_at >= seen.confirmed_at => kept.clone(),
            _ => seen.clone(),
        }
    }

    pub fn remember(&self, state: Option<SyncState>) {
        *self.memory.lock() = state;
    }
}

/// The lines of all repositories.
#[derive(Default)]
pub struct Reads(Mutex<HashMap<RepoId, Arc<Line>>>);

impl Reads {
    pub fn line(&self, repo: &RepoId) -> Arc<Line> {
        Arc::clone(self.0.lock().entry(repo.clone()).or_default())
    }

    /// When this repository was last looked at, by this process or another.
    pub fn checked_at(&self, repo: &TrackedRepo) -> Option<Timestamp> {
        let here = self.0.lock().get(&repo.id).and_then(|line| line.flight.last_began());
        here.max(repo.sync.confirmed_at)
    }

    /// Did a read that began since then end well?
    pub fn confirmed_since(&self, repo: &RepoId, since: Timestamp) -> bool {
        let line = self.0.lock().get(repo).map(Arc::clone);
        line.is_some_and(|line| line.flight.ended_since(since).is_some_and(|end| end.failure.is_none()))
    }

    /// Forgets a repository that is no longer tracked.
    pub fn forget(&self, repo: &RepoId) {
        self.0.lock().remove(repo);
    }
}
