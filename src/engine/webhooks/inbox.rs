//! Deliveries that come at once are stored at once: while one transaction is being committed, the next gathers.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    domain::delivery::DeliveryId,
    engine::{Engine, failpoint::failpoint},
    store::{
        self,
        deliveries::{self, NewDelivery},
    },
};

/// Deliveries in one transaction.
const MOST: usize = 50;

/// What waits to be stored.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    is_writing: bool,
}

#[derive(Debug)]
struct Entry {
    new: NewDelivery,
    stored: oneshot::Sender<store::Result<bool>>,
}

/// Stores a delivery; false when its GUID is known already.
pub async fn store(engine: &Engine, new: NewDelivery) -> store::Result<bool> {
    let (stored, hears) = oneshot::channel();
    if engine.webhooks.inbox.add(Entry { new, stored }) {
        let writer = engine.clone();
        engine.tasks.spawn(async move { write_all(&writer).await });
    }
    hears.await.unwrap_or(Err(store::Error::WorkerCrashed))
}

impl Inbox {
    /// Whether somebody must begin to write.
    fn add(&self, entry: Entry) -> bool {
        let mut waiting = self.0.lock();
        waiting.entries.push(entry);
        !std::mem::replace(&mut waiting.is_writing, true)
    }

    /// The next to be written; after none, somebody must begin anew.
    fn next(&self) -> Vec<Entry> {
        let mut waiting = self.0.lock();
        let most = waiting.entries.len().min(MOST);
        let next: Vec<Entry> = waiting.entries.drain(..most).collect();
        waiting.is_writing = !next.is_empty();
        next
    }
}

async fn write_all(engine: &Engine) {
    loop {
        let (deliveries, tellers): (Vec<_>, Vec<_>) =
            engine.webhooks.inbox.next().into_iter().map(|entry| (entry.new, entry.stored)).unzip();
        if deliveries.is_empty() {
            return;
        }
        let written = write(engine, &deliveries).await;
        if written.is_err() && deliveries.len() > 1 {
            // What one of them has that the database refuses must not cost the others.
            for (new, teller) in deliveries.into_iter().zip(tellers) {
                let written = write(engine, std::slice::from_ref(&new)).await;
                // Whoever asked may have gone; that changes nothing.
                let _ = teller.send(written.map(|mut written| written.remove(&new.guid)));
            }
            continue;
        }
        match written {
            Ok(mut written) => {
                for (new, teller) in deliveries.into_iter().zip(tellers) {
                    let _ = teller.send(Ok(written.remove(&new.guid)));
                }
            }
            Err(error) => {
                if let Some(teller) = tellers.into_iter().next() {
                    let _ = teller.send(Err(error));
                }
            }
        }
    }
}

async fn write(engine: &Engine, deliveries: &[NewDelivery]) -> store::Result<HashSet<DeliveryId>> {
    failpoint!("webhook.received", store::Error::WorkerCrashed);
    let mut tx = engine.db.write().await?;
    let written = deliveries::insert(&mut tx, deliveries).await?;
    tx.commit().await?;
    failpoint!("webhook.stored");
    Ok(written.into_iter().collect())
}
