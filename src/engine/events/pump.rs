//! From what was committed to what is told. While nobody listens nothing is looked up, and what waits is bounded.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::ring::Entry;
use crate::{
    domain::event::{Change, Hint},
    engine::Engine,
    store::{self, hints},
};

/// What happens within this time is told at once, so that a burst costs a few look-ups.
const PAUSE: Duration = Duration::from_millis(25);

/// Tells what was committed until the server stops.
pub(super) async fn run(engine: Engine) {
    let stopping = engine.tasks.stopping().clone();
    let mut feed = engine.db.feed().watch();
    feed.mark_changed();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            // Its sender lives as long as the engine.
            _ = feed.changed() => {}
        }
        if engine.events.listeners() == 0 {
            continue;
        }
        tell(&engine).await;
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn tell(engine: &Engine) {
    let changes = engine.db.feed().take();
    if changes.is_empty() {
        return;
    }
    let revoked = changes.iter().filter_map(|change| match change {
        Change::Revoked(token) => Some(Entry::Revoked(token.clone())),
        _ => None,
    });
    let mut entries: Vec<Entry> = revoked.collect();
    if changes.contains(&Change::All) {
        entries.push(Entry::Reset);
    }
    match look_up(engine, &changes).await {
        Ok(hints) => entries.extend(hints.into_iter().map(|hint| Entry::Hint(Arc::new(hint)))),
        Err(error) => {
            tracing::warn!(%error, "what changed could not be looked up; listeners are told to read everything");
            entries.push(Entry::Reset);
        }
    }
    engine.events.publish(entries);
}

async fn look_up(engine: &Engine, changes: &BTreeSet<Change>) -> store::Result<Vec<Hint>> {
    let mut tx = engine.db.read_once().await?;
    hints::list(&mut tx, changes).await
}
