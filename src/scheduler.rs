//! When periodic verbs run.

use std::time::Duration;

use crate::{
    engine::{Engine, lifecycle, reports, retention},
    store,
};

/// How often old records are forgotten.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Starts the periodic verbs; they end when the server stops.
pub fn start(engine: &Engine) {
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
