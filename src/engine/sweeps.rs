//! The `sweep_next` verb: a full list of each repository's issues once a day, to find what vanished without a trace
//! (`design.md` section 2.4). Repositories take turns, so that no moment costs many requests.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Engine,
    sync::{self, Wish},
};
use crate::{
    domain::{digest::fraction, ids::RepoId, notice::Notice, time::Timestamp},
    store::{
        self, repos,
        sync_state::{self, Swept},
    },
};

/// How long after a sweep the next is due, give or take the repository's part of 15 %.
const EVERY: Duration = Duration::from_hours(24);
/// A repository whose sweep came to nothing lets the others go first for so long.
const TRY_AGAIN: Duration = Duration::from_hours(1);
/// How long the job waits for one; the read has a limit of its own.
const PATIENCE: Duration = Duration::from_mins(5);

/// When this process last tried, for repositories that are due.
#[derive(Debug, Default)]
pub struct Tries(Mutex<HashMap<RepoId, Timestamp>>);

/// Sweeps the repository that is due longest, if one is.
pub async fn sweep_next(engine: &Engine) -> store::Result<Vec<Notice>> {
    let now = engine.clock.now();
    let mut tx = engine.db.read_once().await?;
    let swept = sync_state::list_swept(&mut tx).await?;
    drop(tx);
    let Some(next) = engine.sweeps.pick(&swept, now) else { return Ok(Vec::new()) };
    let mut tx = engine.db.read_once().await?;
    let repo = repos::find_tracked(&mut tx, &next.full_name).await?;
    drop(tx);
    let wait_until = Instant::now() + PATIENCE;
    let wish = Wish { arrival: now, wait_until, patience: PATIENCE, sweep: true };
    let report = sync::sync(engine, repo.into_iter().collect(), wish).await;
    engine.write_confirmations().await?;
    Ok(report.notices)
}

impl Tries {
    /// Of those that are due and were not tried lately, the one that waits longest; it counts as tried.
    fn pick<'s>(&self, swept: &'s [Swept], now: Timestamp) -> Option<&'s Swept> {
        let mut tries = self.0.lock();
        tries.retain(|_, at| at.plus(TRY_AGAIN) > now);
        let due = swept.iter().filter(|repo| due_at(repo) <= now && !tries.contains_key(&repo.id));
        let next = due.min_by_key(|repo| due_at(repo))?;
        tries.insert(next.id.clone(), now);
        Some(next)
    }
}

fn due_at(repo: &Swept) -> Timestamp {
    repo.swept_at.plus(EVERY.mul_f64(0.85 + 0.30 * fraction(&repo.id.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    fn repos(count: usize) -> Vec<Swept> {
        let repo = |n| Swept {
            id: RepoId(format!("repo-{n}")),
            full_name: format!("acme/r{n}").parse().unwrap(),
            swept_at: Timestamp(0),
        };
        (0..count).map(repo).collect()
    }

    #[test]
    fn sweeps_are_spread_over_hours() {
        let mut due: Vec<i64> = repos(100).iter().map(|repo| due_at(repo).0).collect();
        due.sort_unstable();
        assert!(due[0] >= DAY * 85 / 100 && due[99] <= DAY * 115 / 100);
        assert!(due[99] - due[0] > DAY / 5, "{} to {}", due[0], due[99]);
    }

    #[test]
    fn one_that_fails_lets_the_others_go_first() {
        let (tries, repos) = (Tries::default(), repos(3));
        let now = Timestamp(2 * DAY);
        let pick = |at: Timestamp| tries.pick(&repos, at).map(|repo| repo.id.clone());
        let first: Vec<_> = (0..3).map(|_| pick(now)).collect();
        assert!(first.iter().all(Option::is_some) && first[0] != first[1] && first[1] != first[2]);
        assert_eq!(pick(now), None);
        assert_eq!(pick(now.plus(TRY_AGAIN)), first[0]);
        assert_eq!(tries.pick(&repos, Timestamp(DAY / 2)).map(|repo| &repo.id), None, "nothing is due");
    }
}
