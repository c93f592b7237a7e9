//! Hints for those who listen: one ring for all, in which each listener has a place of its own. A listener costs
//! its place; whoever falls behind the ring is dropped, and told to read everything again when it comes back.

mod abroad;
mod listener;
mod pump;
mod ring;

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use self::ring::{Entry, Ring};
use super::{Engine, Error, Result};
use crate::domain::{
    access::Tier,
    event::Wanted,
    ids::{InstanceId, TokenId},
};

pub use self::listener::{Listener, Said};

/// Hints that can be heard again by who comes back.
pub const RING: usize = 4_096;
/// Listeners of one process.
pub const LISTENERS: usize = 1_000;
/// Listeners with one worker's token.
pub const LISTENERS_OF_WORKER: usize = 50;

/// What this process tells its listeners.
pub struct Events {
    /// Names this process in the ids of events: another's cannot be replayed here.
    life: String,
    ring: Mutex<Ring>,
    /// Tells that the ring has grown.
    grown: watch::Sender<()>,
    seats: Arc<Mutex<Seats>>,
    /// Others listen at another process.
    wish: abroad::Wish,
}

/// Who listens, by token.
#[derive(Default)]
struct Seats {
    all: usize,
    of: HashMap<TokenId, usize>,
}

/// Who wants to listen.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    pub token: &'a TokenId,
    pub tier: &'a Tier,
    /// The token or session was made by Dispatch; what the configuration opens is good as long as the process lives.
    pub is_revocable: bool,
}

/// A place among the listeners, given back when it is dropped.
struct Seat {
    seats: Arc<Mutex<Seats>>,
    token: TokenId,
    is_revocable: bool,
}

impl Seat {
    /// Must whoever sits here go when this token is revoked?
    fn is_of(&self, revoked: &TokenId) -> bool {
        self.is_revocable && self.token == *revoked
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.seats.lock();
        seats.all -= 1;
        if let Some(count) = seats.of.get_mut(&self.token) {
            *count -= 1;
            if *count == 0 {
                seats.of.remove(&self.token);
            }
        }
    }
}

impl Events {
    pub fn new(instance: &InstanceId) -> Self {
        // Its end is chance, its beginning the time.
        let life = instance.0.rsplit('-').next().unwrap_or_default().to_owned();
        Self {
            life,
            ring: Mutex::new(Ring::new(RING)),
            grown: watch::Sender::new(()),
            seats: Arc::default(),
            wish: abroad::Wish::default(),
        }
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.seats.lock().all
    }

    fn publish(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut ring = self.ring.lock();
        entries.into_iter().for_each(|entry| ring.push(entry));
        drop(ring);
        self.grown.send_replace(());
    }

    fn sit(&self, Guest { token, tier, is_revocable }: Guest<'_>) -> Result<Seat> {
        let mut seats = self.seats.lock();
        if seats.all >= LISTENERS {
            return Err(Error::Busy(format!(
                "{LISTENERS} listeners are connected, which is as many as this process serves; try again later"
            )));
        }
        let own = seats.of.get(token).copied().unwrap_or(0);
        if *tier != Tier::Maintainer && own >= LISTENERS_OF_WORKER {
            return Err(Error::TooMany(format!(
                "{LISTENERS_OF_WORKER} listeners are connected with this token; close some"
            )));
        }
        seats.all += 1;
        *seats.of.entry(token.clone()).or_default() += 1;
        Ok(Seat { seats: Arc::clone(&self.seats), token: token.clone(), is_revocable })
    }
}

/// Begins to listen. `last` is the id of the event that the caller heard last, perhaps from another process.
pub fn listen(engine: &Engine, guest: Guest<'_>, wanted: Wanted, last: Option<&str>) -> Result<Listener> {
    let seat = engine.events.sit(guest)?;
    let listener = Listener::new(engine, seat, wanted, last);
    // What waited while nobody listened is told now.
    engine.db.feed().wake();
    Ok(listener)
}

/// The id of what was told last: whoever listens from there hears of all that is committed after this call.
pub fn place(engine: &Engine) -> String {
    let events = &engine.events;
    let end = events.ring.lock().end();
    listener::id(&events.life, end - 1)
}

/// Starts what carries changes to listeners; it ends when the server stops.
pub fn start(engine: &Engine) {
    engine.tasks.spawn(pump::run(engine.clone()));
    if engine.db.dialect() == crate::store::db::Dialect::Postgres {
        engine.tasks.spawn(abroad::run(engine.clone()));
    }
}

/// The last of this process: whoever listens at another one reads everything again if there is anything to read.
pub async fn end(engine: &Engine) {
    abroad::farewell(engine).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let events = Events::new(&InstanceId("019b76da-a800-7c3f-8000-3b1c5ad0e001".to_owned()));
        assert_eq!(events.life, "3b1c5ad0e001");
        let (maintainer, worker) = (Tier::Maintainer, Tier::UnboundWorker);
        let sit = |name: &str, tier| {
            events.sit(Guest { token: &TokenId(name.to_owned()), tier, is_revocable: true })
        };
        let mut seats: Vec<_> = (0..LISTENERS_OF_WORKER).map(|_| sit("w", &worker).unwrap()).collect();
        assert!(matches!(sit("w", &worker), Err(Error::TooMany(_))));
        seats.push(sit("v", &worker).unwrap());
        seats.pop();
        seats.extend((LISTENERS_OF_WORKER..LISTENERS).map(|_| sit("m", &maintainer).unwrap()));
        assert!(matches!(sit("m", &maintainer), Err(Error::Busy(_))));
        seats.truncate(3);
        assert_eq!((events.listeners(), events.seats.lock().of.len()), (3, 1));
        drop(seats);
        assert_eq!((events.listeners(), events.seats.lock().of.len()), (0, 0));
    }
}
