//! When periodic verbs run. A lone server keeps itself fresh; agents' heartbeats call the same verbs.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    engine::{
        Engine, lifecycle, pr_fix, publish, recover, reports, retention,
        sync::{self, Wish},
    },
    store::{self, repos},
};

/// How often old records are forgotten.
const PRUNE_EVERY: Duration = Duration::from_hours(1);
/// How often pending writes are sent; looking whether there are any is one statement.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);
/// How long one sync waits for its reads; those go on.
const SYNC_PATIENCE: Duration = Duration::from_mins(5);

/// How often the verbs of agents run by themselves; `None` is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    pub sync: Option<Duration>,
    pub recover: Option<Duration>,
    pub pr_fix_sweep: Option<Duration>,
    pub publish: bool,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            sync: Some(Duration::from_mins(15)),
            recover: Some(Duration::from_mins(1)),
            pr_fix_sweep: Some(Duration::from_mins(5)),
            publish: true,
        }
    }
}

impl Intervals {
    /// Nothing but what the record needs.
    pub const OFF: Self = Self { sync: None, recover: None, pr_fix_sweep: None, publish: false };
}

/// Starts the periodic verbs; they end when the server stops.
pub fn start(engine: &Engine, intervals: Intervals) {
    every(engine, "renew", lifecycle::RENEW_EVERY, |engine| async move { lifecycle::renew(&engine).await });
    every(
        engine,
        "retention",
        PRUNE_EVERY,
        |engine| async move { retention::prune(&engine).await.map(drop) },
    );
    every(engine, "settle", reports::SETTLE_EVERY, |engine| async move {
        reports::settle_pending(&engine).await.map(drop)
    });
    if let Some(interval) = intervals.recover {
        every(engine, "recover", interval, |engine| async move {
            let recovered = recover::recover(&engine).await?;
            if recovered.claims > 0 {
                tracing::info!(claims = recovered.claims, "claims that ran out were taken back");
            }
            Ok(())
        });
    }
    if let Some(interval) = intervals.pr_fix_sweep {
        every(engine, "pr-fix sweep", interval, |engine| async move {
            let swept = pr_fix::sweep::sweep(&engine).await?.unwrap_or_default();
            if swept.reclaimed + swept.stale + swept.woken > 0 {
                tracing::info!(?swept, "the PR-fix queue was swept");
            }
            Ok(())
        });
    }
    if intervals.publish {
        every(engine, "publish", PUBLISH_EVERY, |engine| async move {
            let published = publish::publish(&engine).await?;
            for notice in published.notices {
                tracing::warn!("{notice}");
            }
            Ok(())
        });
    }
    if let Some(interval) = intervals.sync {
        every(engine, "sync", interval, |engine| async move { sync_all(&engine).await });
    }
}

async fn sync_all(engine: &Engine) -> store::Result<()> {
    let mut tx = engine.db().read_once().await?;
    let tracked = repos::list_tracked(&mut tx).await?;
    drop(tx);
    let wait_until = Instant::now() + SYNC_PATIENCE;
    let arrival = engine.clock().now();
    let wish = Wish { arrival, wait_until, patience: SYNC_PATIENCE, sweep: false };
    for notice in sync::sync(engine, tracked, wish).await.notices {
        tracing::warn!("{notice}");
    }
    engine.write_confirmations().await
}

/// Runs `verb` after each `interval`; a failure is logged and the next firing tries again.
fn every<V, F>(engine: &Engine, name: &'static str, interval: Duration, verb: V)
where
    V: Fn(Engine) -> F + Send + 'static,
    F: Future<Output = store::Result<()>> + Send,
{
    let engine = engine.clone();
    engine.clone().tasks().spawn(async move {
        let stopping = engine.tasks().stopping().clone();
        loop {
            let next = engine.clock().now().plus(interval);
            // Only the waiting is cut off, never the verb.
            if stopping.run_until_cancelled(engine.clock().sleep_until(next)).await.is_none() {
                return;
            }
            if let Err(error) = verb(engine.clone()).await {
                tracing::warn!(%error, job = name, "a periodic job failed; it is tried again");
            }
        }
    });
}
