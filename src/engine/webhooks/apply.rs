//! Applying deliveries: what a payload says goes into the cache in the transaction that says that it was applied.

use std::time::Duration;

use super::{
    issues::{self, Word},
    looks::{self, Asked, Target, Wanted},
};
use crate::{
    domain::{
        delivery::{DeliveryId, DeliveryState},
        repo::TrackedRepo,
        time::Timestamp,
    },
    engine::{Engine, failpoint::failpoint, pulls},
    github::webhook::{self, Payload, PayloadRepo, Said, event_name},
    store::{
        self, ReadTx, WriteTx,
        deliveries::{self, Taken},
        repos,
    },
};

/// Deliveries looked for at once.
const BATCH: i64 = 100;
/// A delivery that waits for a read of GitHub is nobody else's for so long.
const LEASE: Duration = Duration::from_mins(2);
/// After so many tries a delivery is given up; a read finds what it told of.
const TRIES: i64 = 8;
/// The pause after the first try; it doubles.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(15);

/// Applies what is due, whenever something comes, until the server stops.
pub(super) async fn run(engine: Engine) {
    let stopping = engine.tasks.stopping().clone();
    loop {
        if let Err(error) = drain(&engine).await {
            tracing::warn!(%error, "deliveries of webhooks wait for the database");
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = engine.webhooks.arrived.notified() => {}
        }
    }
}

/// Applies everything that is due.
async fn drain(engine: &Engine) -> store::Result<()> {
    while !engine.tasks.stopping().is_cancelled() {
        let mut tx = engine.db.read_once().await?;
        let due = deliveries::list_due(&mut tx, engine.clock.now(), BATCH).await?;
        drop(tx);
        if due.is_empty() {
            break;
        }
        let mut asked = Vec::new();
        for guid in &due {
            if engine.tasks.stopping().is_cancelled() {
                break;
            }
            match apply(engine, guid).await {
                Ok(wishes) => asked.extend(wishes),
                Err(error) => {
                    tracing::warn!(delivery = %guid, %error, "a delivery could not be applied");
                    refused(engine, guid).await?;
                }
            }
        }
        // After all of them: several that want the same read share it.
        looks::ask(engine, asked);
    }
    Ok(())
}

/// How a delivery came out of its transaction.
enum Came {
    Applied,
    Ignored(&'static str),
    Failed(&'static str),
    /// GitHub has to be asked.
    Look(Target),
}

/// Applies one, unless another did; gives what GitHub has to be asked for.
async fn apply(engine: &Engine, guid: &DeliveryId) -> store::Result<Vec<Asked>> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let Some(taken) = deliveries::take(&mut tx, guid, now, now.plus(LEASE)).await? else {
        return Ok(Vec::new());
    };
    let mut asked = Vec::new();
    let came = carry_out(engine, &mut tx, &taken, &mut asked).await?;
    let ended = match came {
        Came::Applied => Some((DeliveryState::Applied, None)),
        Came::Ignored(why) => Some((DeliveryState::Ignored, Some(why))),
        Came::Failed(why) => Some((DeliveryState::Failed, Some(why))),
        Came::Look(target) => {
            asked.push(Asked { target, delivery: Some((taken.guid.clone(), taken.attempts)) });
            None
        }
    };
    if let Some((state, words)) = ended {
        deliveries::settle(&mut tx, std::slice::from_ref(guid), state, words, now).await?;
    }
    failpoint!("webhook.applied", store::Error::WorkerCrashed);
    tx.commit().await?;
    failpoint!("webhook.committed");
    if let Some((state, _)) = ended {
        engine.meters.webhooks.told(event_name(&taken.event), state.as_str());
    }
    Ok(asked)
}

async fn carry_out(
    engine: &Engine,
    tx: &mut WriteTx,
    taken: &Taken,
    asked: &mut Vec<Asked>,
) -> store::Result<Came> {
    let Some(body) = &taken.payload else { return Ok(Came::Failed("what was sent is not kept any more")) };
    // It could be read when it came.
    let Ok(Payload { action, repo, said }) = webhook::read(&taken.event, body) else {
        return Ok(Came::Failed("what was sent cannot be read"));
    };
    if let Said::Reach(names) = said {
        tracing::info!(
            action,
            repositories = names.len(),
            "the App's installation reaches other repositories"
        );
        for name in names {
            if let Some(repo) = repos::find_tracked(tx, &name).await? {
                asked.push(Asked { target: Target::new(&repo, Wanted::Read), delivery: None });
            }
        }
        return Ok(Came::Applied);
    }
    let Some(named) = repo else { return Ok(Came::Ignored("it is of no repository")) };
    let Some(repo) = find_home(tx, &named).await? else {
        return Ok(Came::Ignored("the repository is not tracked"));
    };
    if repo.name != named.full_name && !matches!(said, Said::Repository) {
        // Renamed, and nobody has told yet; or this is old and has the former name.
        asked.push(Asked { target: Target::new(&repo, Wanted::Read), delivery: None });
    }
    let word = match said {
        Said::Issue(issue) => issues::show(engine, tx, &repo, *issue).await?,
        Said::IssueGone(issue) => issues::take_away(engine, tx, &repo, *issue).await?,
        Said::Pull(event) => {
            pulls::heard::hear(engine, tx, &repo, &event).await?;
            return Ok(Came::Applied);
        }
        Said::Labels => return Ok(Came::Look(Target::new(&repo, Wanted::Sweep))),
        Said::Repository => return Ok(Came::Look(Target::new(&repo, Wanted::Read))),
        Said::Reach(_) | Said::Ping | Said::Nothing(_) => {
            return Ok(Came::Ignored("nothing follows from it"));
        }
    };
    Ok(match word {
        Word::Applied => Came::Applied,
        Word::Old => Came::Ignored("the cache has a newer or the same word of GitHub"),
        Word::Doubtful(number) => Came::Look(Target::new(&repo, Wanted::Issue(number))),
    })
}

/// The tracked repository that a payload is of: by GitHub's number, which stays when names change, else by name.
async fn find_home(tx: &mut ReadTx, named: &PayloadRepo) -> store::Result<Option<TrackedRepo>> {
    if let Some(repo) = repos::find_tracked_by_github_id(tx, named.github_id).await? {
        return Ok(Some(repo));
    }
    // One that was never read has no number yet. Another number is another repository, which took the name over.
    let found = repos::find_tracked(tx, &named.full_name).await?;
    Ok(found.filter(|repo| repo.github_id.is_none()))
}

/// The database refused what follows from a delivery: it is tried again later, so that the next ones are not held up.
async fn refused(engine: &Engine, guid: &DeliveryId) -> store::Result<()> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    if let Some(taken) = deliveries::take(&mut tx, guid, now, now).await? {
        put_off(engine, &mut tx, &[(taken.guid, taken.attempts)], "the database failed").await?;
    }
    tx.commit().await
}

/// These are tried again later, or given up.
pub(super) async fn put_off(
    engine: &Engine,
    tx: &mut WriteTx,
    taken: &[(DeliveryId, i64)],
    words: &str,
) -> store::Result<()> {
    let now = engine.clock.now();
    for (guid, attempts) in taken {
        let guid = std::slice::from_ref(guid);
        if is_last(*attempts) {
            deliveries::settle(tx, guid, DeliveryState::Failed, Some(words), now).await?;
        } else {
            deliveries::put_off(tx, guid, words, next_try(now, *attempts)).await?;
        }
    }
    Ok(())
}

/// A delivery that was tried so often is tried no more.
pub(super) const fn is_last(attempts: i64) -> bool {
    attempts >= TRIES
}

fn next_try(now: Timestamp, attempts: i64) -> Timestamp {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    now.plus(PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let pause = |attempts| next_try(Timestamp(0), attempts).0 / 1_000;
        assert_eq!([1, 2, 3, 4].map(pause), [5, 10, 20, 40]);
        assert_eq!([8, 9, 1_000].map(pause), [640, 900, 900]);
    }
}
