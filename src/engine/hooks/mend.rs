//! What was asked for again and did not come: taken from GitHub's record of it or, where that is gone, replaced by a
//! read of the repository.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::{
    domain::{delivery::DeliveryId, ids::RepoId, repo::TrackedRepo},
    engine::{
        Engine,
        sync::{self, Wish},
        webhooks::{self, Incoming, Refusal},
    },
    github::{self, HookSource},
    store::{
        self, deliveries,
        hooks::{self, HookRow, Missed, Remedy},
        repos,
    },
};

/// GitHub has so long to deliver again.
const GRACE: Duration = Duration::from_mins(1);
/// So many are looked after in one run.
const MOST: i64 = 50;
/// How long a read of repositories is waited for; it goes on by itself.
const PATIENCE: Duration = Duration::from_mins(5);

/// Looks after what was asked for.
pub async fn mend(engine: &Engine) -> store::Result<()> {
    let before = engine.clock.now().minus(GRACE);
    let mut tx = engine.db.read().await?;
    let waiting = hooks::list_waiting(&mut tx, before, MOST).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let guids: Vec<DeliveryId> = waiting.iter().map(|one| one.guid.clone()).collect();
    let unknown = deliveries::list_unknown(&mut tx, &guids).await?;
    let sources = hooks::list(&mut tx).await?;
    let tracked = repos::list_tracked(&mut tx).await?;
    drop(tx);
    let (absent, came): (Vec<Missed>, Vec<Missed>) =
        waiting.into_iter().partition(|one| unknown.contains(&one.guid));
    settle(engine, came.into_iter().map(|one| one.guid).collect(), Remedy::Came).await?;
    let by_id: HashMap<RepoId, TrackedRepo> =
        tracked.into_iter().map(|repo| (repo.id.clone(), repo)).collect();
    let mut reads = Vec::new();
    for one in absent {
        match fetch(engine, &one, &sources, &by_id).await? {
            Fetched::Here => settle(engine, vec![one.guid], Remedy::Fetched).await?,
            Fetched::Gone => reads.push(one),
            Fetched::Later => {}
        }
    }
    if reads.is_empty() {
        return Ok(());
    }
    let whole = reads.iter().any(|one| one.repository_id.is_none());
    let named = |id: &RepoId| whole || reads.iter().any(|one| one.repository_id.as_ref() == Some(id));
    let which = by_id.into_iter().filter(|(id, _)| named(id)).map(|(_, repo)| repo).collect();
    read_repositories(engine, which).await?;
    settle(engine, reads.into_iter().map(|one| one.guid).collect(), Remedy::Read).await
}

enum Fetched {
    Here,
    /// GitHub does not have it any more, or it cannot be used.
    Gone,
    /// GitHub could not be asked.
    Later,
}

/// Takes a payload from GitHub's record and has it applied as if it had come.
async fn fetch(
    engine: &Engine,
    one: &Missed,
    sources: &HashMap<String, HookRow>,
    tracked: &HashMap<RepoId, TrackedRepo>,
) -> store::Result<Fetched> {
    let hook = sources.get(&one.source).and_then(|row| row.hook_id);
    let repo = tracked.get(&RepoId(one.source.clone()));
    let source = match (one.source.as_str(), repo, hook) {
        (hooks::APP, ..) => HookSource::App,
        (_, Some(repo), Some(hook)) => HookSource::Repo(repo.name.clone(), hook),
        _ => return Ok(Fetched::Gone),
    };
    let body = match engine.github.delivered(&source, one.delivery_id).await {
        Ok(body) => body.into_bytes(),
        Err(github::Error::Backoff(_)) => return Ok(Fetched::Later),
        Err(error) if error.is_retryable() || error == github::Error::TimedOut => return Ok(Fetched::Later),
        Err(_) => return Ok(Fetched::Gone),
    };
    let incoming = Incoming { event: one.event.clone(), guid: Some(one.guid.to_string()), body };
    match webhooks::receive(engine, incoming).await {
        Ok(_) => Ok(Fetched::Here),
        Err(Refusal::Database(error)) => Err(error),
        Err(refusal) => {
            tracing::debug!(guid = %one.guid, %refusal, "a delivery of GitHub's record cannot be used");
            Ok(Fetched::Gone)
        }
    }
}

async fn settle(engine: &Engine, guids: Vec<DeliveryId>, state: Remedy) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    hooks::settle_missed(&mut tx, &guids, state).await?;
    tx.commit().await
}

/// Reads what changed in repositories, as every sync does.
pub async fn read_repositories(engine: &Engine, repos: Vec<TrackedRepo>) -> store::Result<()> {
    // A read of a moment ago may be older than what was missed: none counts but one that begins now.
    let arrival = engine.clock.now().plus(engine.settings.sync_max_staleness + Duration::from_millis(1));
    let wish = Wish { arrival, wait_until: Instant::now() + PATIENCE, patience: PATIENCE, sweep: false };
    sync::sync(engine, repos, wish).await;
    engine.write_confirmations().await
}
