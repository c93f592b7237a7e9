//! One listener: its place in the ring, and what it is told next.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::{
    Seat,
    ring::{Entry, Read},
};
use crate::{
    domain::event::{Hint, Wanted},
    engine::Engine,
    store::{self, tokens},
};

/// After so long in silence a listener hears that the server still lives, and where it is.
pub const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// So many events are taken out of the ring at once.
const AT_ONCE: usize = 32;

/// What a listener is told; each has an id to come back with.
#[derive(Clone, Debug)]
pub enum Said {
    /// It hears everything that is committed from here on.
    Ready(String),
    /// Something was missed: everything is to be read again.
    Reset(String),
    Hint(String, Arc<Hint>),
    /// Nothing happened for a while.
    Alive(String),
}

/// A listener; dropping it ends the listening.
pub struct Listener {
    engine: Engine,
    seat: Seat,
    wanted: Wanted,
    place: u64,
    waiting: VecDeque<Said>,
    grown: watch::Receiver<()>,
    alive_at: Instant,
    /// Something was missed, and that its token was revoked may have been among it.
    is_doubtful: bool,
}

impl Listener {
    pub(super) fn new(engine: &Engine, seat: Seat, wanted: Wanted, last: Option<&str>) -> Self {
        let events = &engine.events;
        let grown = events.grown.subscribe();
        let ring = events.ring.lock();
        let heard = last.map(|id| number(&events.life, id).map(|number| number.saturating_add(1)));
        let (place, first) = match heard {
            None => (ring.end(), Some(Said::Ready(id(&events.life, ring.end() - 1)))),
            Some(Some(place)) if ring.reaches(place) => {
                (place, Some(Said::Ready(id(&events.life, place - 1))))
            }
            Some(_) => (ring.end(), Some(Said::Reset(id(&events.life, ring.end() - 1)))),
        };
        drop(ring);
        Self {
            engine: engine.clone(),
            seat,
            wanted,
            place,
            waiting: first.into_iter().collect(),
            grown,
            alive_at: Instant::now() + ALIVE_EVERY,
            // It was authenticated before it had a place to hear of a revocation from.
            is_doubtful: true,
        }
    }

    /// What comes next. `None`: the listener must go, because the server stops, its token was revoked or it fell
    /// behind; it may come back with the last id.
    pub async fn next(&mut self) -> Option<Said> {
        let stopping = self.engine.tasks.stopping().clone();
        loop {
            if stopping.is_cancelled() || self.is_doubtful && !self.is_welcome().await {
                return None;
            }
            if let Some(said) = self.waiting.pop_front() {
                self.alive_at = Instant::now() + ALIVE_EVERY;
                return Some(said);
            }
            self.grown.borrow_and_update();
            let place = self.place;
            if !self.fill() {
                return None;
            }
            // What was passed over may fill a portion, with more behind it.
            if !self.waiting.is_empty() || self.place != place {
                continue;
            }
            tokio::select! {
                () = stopping.cancelled() => return None,
                // Its sender lives as long as the engine.
                _ = self.grown.changed() => {}
                () = tokio::time::sleep_until(self.alive_at) => {
                    self.waiting.push_back(Said::Alive(id(&self.engine.events.life, self.place - 1)));
                }
            }
        }
    }

    /// Takes what the ring has next; false when this listener must go.
    fn fill(&mut self) -> bool {
        let events = &self.engine.events;
        let Read::Entries(found, place) = events.ring.lock().read(self.place, &self.wanted, AT_ONCE) else {
            return false;
        };
        self.place = place;
        for (number, entry) in found {
            let id = id(&events.life, number);
            self.waiting.push_back(match entry {
                Entry::Hint(hint) => Said::Hint(id, hint),
                Entry::Reset => {
                    self.is_doubtful = true;
                    Said::Reset(id)
                }
                Entry::Revoked(token) if self.seat.is_of(&token) => return false,
                Entry::Revoked(_) => continue,
            });
        }
        true
    }

    /// Is its token good still? Who is turned away because that could not be read comes back, and is authenticated anew.
    async fn is_welcome(&mut self) -> bool {
        if self.seat.is_revocable {
            match self.is_live().await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    tracing::warn!(%error, "a listener's token could not be looked up; the listener is sent away");
                    return false;
                }
            }
        }
        self.is_doubtful = false;
        true
    }

    async fn is_live(&self) -> store::Result<bool> {
        let mut tx = self.engine.db.read_once().await?;
        tokens::is_live(&mut tx, &self.seat.token, self.engine.clock.now()).await
    }
}

pub(super) fn id(life: &str, number: u64) -> String {
    format!("{life}-{number}")
}

fn number(life: &str, id: &str) -> Option<u64> {
    id.strip_prefix(life)?.strip_prefix('-')?.parse().ok()
}
