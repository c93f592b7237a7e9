//! How far the cache of a repository can be believed: when GitHub confirmed it, whether that is too long ago, and why it is
//! not asked.

use std::{collections::HashSet, time::Duration};

use super::{Engine, hooks};
use crate::{
    domain::{ids::RepoId, notice::Code, repo::RepoName, time::Timestamp},
    store::{ReadTx, Result},
};

/// The job that reads all repositories.
const SYNC: &str = "sync";
/// So many intervals without a word of GitHub are too many.
const INTERVALS: u32 = 3;

/// How current the cache of a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Currency {
    /// Nothing: it was never read whole.
    pub confirmed_at: Option<Timestamp>,
    /// That is longer ago than it should be.
    pub is_late: bool,
    /// Why it is not read now, as far as that is known.
    pub pause: Option<Code>,
}

/// What it is judged by, for any number of repositories.
pub struct Judge<'e> {
    engine: &'e Engine,
    alive: HashSet<RepoId>,
    every: Duration,
    now: Timestamp,
}

impl<'e> Judge<'e> {
    pub async fn new(engine: &'e Engine, tx: &mut ReadTx) -> Result<Self> {
        let now = engine.clock.now();
        let alive = hooks::list_alive(tx, now).await?;
        // Where no job reads, heartbeats and cron do, and nobody says how often.
        let job = engine.jobs.list().into_iter().find(|job| job.name == SYNC);
        let every = job.map_or(engine.settings.sync_webhook_interval, |job| job.interval);
        Ok(Self { engine, alive, every, now })
    }

    /// `confirmed_at` and `added_at` as they stand in the database.
    pub fn of(
        &self,
        (id, name): (&RepoId, &RepoName),
        confirmed_at: Option<Timestamp>,
        added_at: Timestamp,
    ) -> Currency {
        let confirmed_at = confirmed_at.max(self.engine.confirmations.find(id));
        let slow = self.engine.settings.sync_webhook_interval;
        let every = if self.alive.contains(id) { self.every.max(slow) } else { self.every };
        let is_late = self.now.since(confirmed_at.unwrap_or(added_at)) > every * INTERVALS;
        Currency { confirmed_at, is_late, pause: self.engine.github.pause(name) }
    }
}
