//! The life of this process in the database: it says that it lives, and closes the records of those that
//! no longer do.

use std::time::Duration;

use super::Engine;
use crate::{
    domain::time::Timestamp,
    store::{self, db::Dialect, instances, runs},
};

/// How often a process says that it lives.
pub const RENEW_EVERY: Duration = Duration::from_secs(10);
/// After this long in silence a process counts as dead.
pub const INSTANCE_TTL: Duration = Duration::from_secs(30);

/// The process begins. On SQLite it holds the lock of the data directory, so every other process is dead.
pub async fn start(engine: &Engine) -> store::Result<()> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    if engine.db.dialect() == Dialect::Sqlite {
        instances::bury_others(&mut tx, &engine.instance).await?;
    }
    live(engine, &mut tx, now).await?;
    engine.unheard.load(&mut tx).await?;
    tx.commit().await
}

/// The process lives on: renews its row, and marks the runs of dead processes (and those of its own whose
/// record could not be closed) as interrupted.
pub async fn renew(engine: &Engine) -> store::Result<()> {
    let now = engine.clock.now();
    let unfinished = engine.passes.take_unfinished();
    let renewed = async {
        let mut tx = engine.db.write().await?;
        if !unfinished.is_empty() {
            runs::interrupt(&mut tx, &unfinished, now).await?;
        }
        live(engine, &mut tx, now).await?;
        tx.commit().await
    };
    let outcome = renewed.await;
    if outcome.is_err() {
        engine.passes.put_back_unfinished(unfinished);
    }
    outcome
}

async fn live(engine: &Engine, tx: &mut store::WriteTx, now: Timestamp) -> store::Result<()> {
    instances::renew(tx, &engine.instance, now, now.plus(INSTANCE_TTL)).await?;
    instances::bury_expired(tx, now).await?;
    if engine.db.dialect() == Dialect::Postgres {
        let living = instances::count_living(tx, now).await?;
        engine.outbox.share(u32::try_from(living).unwrap_or(1));
    }
    let interrupted = runs::interrupt_orphans(tx, now).await?;
    if interrupted > 0 {
        tracing::warn!(runs = interrupted, "runs of ended processes were marked as interrupted");
    }
    Ok(())
}

/// The process ends of its own will, after its last pass.
pub async fn stop(engine: &Engine) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    let unfinished = engine.passes.take_unfinished();
    if !unfinished.is_empty() {
        runs::interrupt(&mut tx, &unfinished, engine.clock.now()).await?;
    }
    engine.confirmations.write(&mut tx).await?.forget();
    instances::leave(&mut tx, &engine.instance).await?;
    runs::interrupt_orphans(&mut tx, engine.clock.now()).await?;
    tx.commit().await
}
