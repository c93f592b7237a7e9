//! What a payload leaves in doubt is asked of GitHub: one read at a time for each target, and whoever comes while it runs
//! shares the next.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::apply;
use crate::{
    domain::{
        delivery::{DeliveryId, DeliveryState},
        ids::{IssueNumber, RepoId},
        repo::{RepoName, TrackedRepo},
    },
    engine::{
        Engine, Error, automation, refresh,
        sync::{self, Outcome, Wish},
    },
    github::{Backoff, BackoffKind},
    store::{self, deliveries, repos, sync_state},
};

/// How long one waits for a read of a repository; the read has a limit of its own.
const PATIENCE: Duration = Duration::from_mins(1);

/// What GitHub is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// One issue.
    Issue(IssueNumber),
    /// What changed in the repository, and what it is itself.
    Read,
    /// All that should be cached of it.
    Sweep,
}

/// What is to be read.
#[derive(Clone, Debug)]
pub struct Target {
    repo: RepoId,
    name: RepoName,
    wanted: Wanted,
}

impl Target {
    pub fn new(repo: &TrackedRepo, wanted: Wanted) -> Self {
        Self { repo: repo.id.clone(), name: repo.name.clone(), wanted }
    }
}

/// A read that is wanted, and the delivery that ends with it, with the tries that it has had.
#[derive(Clone, Debug)]
pub struct Asked {
    pub target: Target,
    pub delivery: Option<(DeliveryId, i64)>,
}

/// Who waits for the next read of what; a target that is here is being read.
#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<(RepoId, Wanted), Vec<Asked>>>);

/// Has everything read that is asked for.
pub fn ask(engine: &Engine, asked: Vec<Asked>) {
    for (target, all) in engine.webhooks.looks.add(asked) {
        let reader = engine.clone();
        engine.tasks.spawn(async move { look_until_none_waits(&reader, target, all).await });
    }
}

impl Looks {
    /// Gives those whose targets nobody reads now.
    fn add(&self, asked: Vec<Asked>) -> Vec<(Target, Vec<Asked>)> {
        let mut looks = self.0.lock();
        let mut begin: Vec<(Target, Vec<Asked>)> = Vec::new();
        for one in asked {
            let key = (one.target.repo.clone(), one.target.wanted);
            let mine = begin.iter_mut().find(|(target, _)| (&target.repo, target.wanted) == (&key.0, key.1));
            match (mine, looks.entry(key)) {
                (Some((_, all)), _) => all.push(one),
                (None, Entry::Occupied(mut waiting)) => waiting.get_mut().push(one),
                (None, Entry::Vacant(place)) => {
                    place.insert(Vec::new());
                    begin.push((one.target.clone(), vec![one]));
                }
            }
        }
        begin
    }

    /// Those who came meanwhile; the target is nobody's when there are none.
    fn next(&self, target: &Target) -> Vec<Asked> {
        let mut looks = self.0.lock();
        let key = (target.repo.clone(), target.wanted);
        let waiting = looks.get_mut(&key).map(std::mem::take).unwrap_or_default();
        if waiting.is_empty() {
            looks.remove(&key);
        }
        waiting
    }
}

async fn look_until_none_waits(engine: &Engine, target: Target, mut all: Vec<Asked>) {
    while !all.is_empty() {
        let looked = try_to_look(engine, &target).await;
        if let Err(error) = end(engine, &target, all, looked).await {
            // Their lease runs out, and they are tried again.
            tracing::warn!(%error, "the end of deliveries could not be written");
        }
        all = engine.webhooks.looks.next(&target);
    }
}

async fn try_to_look(engine: &Engine, target: &Target) -> Result<(), Unread> {
    let backoff = || engine.github.backoff([&target.name]);
    if let Some(backoff) = backoff() {
        return Err(Unread::Resting(backoff));
    }
    look(engine, target).await.map_err(|error| match backoff() {
        Some(backoff) if matches!(backoff.kind, BackoffKind::Quota | BackoffKind::Secondary) => {
            Unread::Resting(backoff)
        }
        _ => Unread::Failed(error),
    })
}

/// Why a target was not read.
enum Unread {
    /// Nothing is asked of GitHub before that ends, which is no try.
    Resting(Backoff),
    Failed(Error),
}

async fn end(
    engine: &Engine,
    target: &Target,
    all: Vec<Asked>,
    looked: Result<(), Unread>,
) -> store::Result<()> {
    let taken: Vec<(DeliveryId, i64)> = all.into_iter().filter_map(|asked| asked.delivery).collect();
    if taken.is_empty() {
        return Ok(());
    }
    let mut tx = engine.db.write().await?;
    match looked {
        Ok(()) => {
            let guids: Vec<DeliveryId> = taken.into_iter().map(|(guid, _)| guid).collect();
            let now = engine.clock.now();
            let applied = deliveries::settle(&mut tx, &guids, DeliveryState::Applied, None, now).await?;
            engine.meters.webhooks.looked(applied);
        }
        Err(Unread::Resting(backoff)) => {
            let guids: Vec<DeliveryId> = taken.into_iter().map(|(guid, _)| guid).collect();
            deliveries::wait(&mut tx, &guids, &backoff.code().what(), backoff.until).await?;
        }
        Err(Unread::Failed(error)) => {
            apply::put_off(engine, &mut tx, &taken, &error.to_string()).await?;
            if target.wanted == Wanted::Sweep && taken.iter().any(|(_, tries)| apply::is_last(*tries)) {
                // No other read finds a label that is gone from issues, so the next sweep is due now.
                sync_state::unswept(&mut tx, &target.repo).await?;
            }
        }
    }
    tx.commit().await
}

async fn look(engine: &Engine, target: &Target) -> Result<(), Error> {
    let mut tx = engine.db.read_once().await?;
    let found = repos::find_tracked(&mut tx, &target.name).await?;
    drop(tx);
    // Nobody is told anything of a repository that is tracked no more.
    let Some(repo) = found else { return Ok(()) };
    match target.wanted {
        Wanted::Issue(number) => refresh::look(engine, &repo, number).await.map(drop),
        Wanted::Read if read(engine, repo.clone(), false).await? => describe(engine, repo).await,
        Wanted::Sweep => read(engine, repo, true).await.map(drop),
        Wanted::Read => Ok(()),
    }
}

/// A read that begins now; false where it failed of what stands with the repository, and is none of the delivery's faults.
async fn read(engine: &Engine, repo: TrackedRepo, sweep: bool) -> Result<bool, Error> {
    // No earlier read will do.
    let arrival = engine.clock.now().plus(engine.settings.sync_max_staleness + Duration::from_millis(1));
    let wish = Wish { arrival, wait_until: Instant::now() + PATIENCE, patience: PATIENCE, sweep };
    let report = sync::sync(engine, vec![repo], wish).await;
    engine.write_confirmations().await?;
    let outcomes: Vec<Outcome> = report.repos.into_iter().map(|report| report.outcome).collect();
    match outcomes.as_slice() {
        [Outcome::Unchanged | Outcome::Changed] => Ok(true),
        [Outcome::Failed(code)] if !sweep && !code.is_patience() => Ok(false),
        [Outcome::Failed(code) | Outcome::Left(Some(code))] => Err(Error::GitHub(code.what())),
        _ => Err(Error::Busy("GitHub could not be asked yet".to_owned())),
    }
}

/// What a read of issues does not tell: whether the repository is archived, and which branch is its default.
async fn describe(engine: &Engine, repo: TrackedRepo) -> Result<(), Error> {
    let mut tx = engine.db.read_once().await?;
    // The read may have learnt another name.
    let repo = repos::find_tracked(&mut tx, &repo.name).await?.filter(|found| found.id == repo.id);
    drop(tx);
    let Some(repo) = repo else { return Ok(()) };
    automation::describe_now(engine, repo).await?.error.map_or(Ok(()), |words| Err(Error::GitHub(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(number: i64) -> Asked {
        let wanted = Wanted::Issue(IssueNumber(number));
        let (repo, name) = (RepoId("r".into()), "acme/api".parse().unwrap());
        Asked { target: Target { repo, name, wanted }, delivery: None }
    }

    #[test]
    fn many_that_come_together_share_one_read_and_later_ones_the_next() {
        let looks = Looks::default();
        let begun = looks.add(vec![asked(1), asked(2), asked(1)]);
        let sizes: Vec<usize> = begun.iter().map(|(_, all)| all.len()).collect();
        assert_eq!(sizes, [2, 1]);
        assert!(looks.add(vec![asked(1), asked(1)]).is_empty(), "one is read already");
        let target = asked(1).target;
        assert_eq!(looks.next(&target).len(), 2);
        assert_eq!(looks.next(&target).len(), 0);
        assert_eq!(looks.add(vec![asked(1)]).len(), 1, "nobody reads it any more");
    }
}
