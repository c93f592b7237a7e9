//! Single flight: at most one piece of work runs and one waits, and everybody else shares one of the two.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::time::Timestamp;

/// One line of work. `K` is what a piece of work needs to begin, `T` what it comes to.
pub struct Flight<K, T> {
    state: Mutex<State<K, T>>,
}

struct State<K, T> {
    last: Option<(Timestamp, Arc<T>)>,
    running: Option<(Timestamp, Slot<K, T>)>,
    waiting: Option<Slot<K, T>>,
}

struct Slot<K, T> {
    ticket: Option<K>,
    result: watch::Sender<Option<Arc<T>>>,
}

/// What a caller gets.
pub enum Seat<T> {
    /// Work that is fresh enough has ended already.
    Ended(Arc<T>),
    /// Work that runs, or will run next.
    Waiting(Waiter<T>),
    /// Nothing runs: the caller must call [`Flight::fly`] in a task of the server.
    First(Waiter<T>),
}

/// Waits for a piece of work.
pub struct Waiter<T>(watch::Receiver<Option<Arc<T>>>);

impl<T> Waiter<T> {
    /// What it came to; nothing when the work was cut off by a fault.
    pub async fn wait(mut self) -> Option<Arc<T>> {
        let seen = self.0.wait_for(Option::is_some).await.ok()?;
        seen.clone()
    }
}

impl<K, T> Default for Flight<K, T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { last: None, running: None, waiting: None }) }
    }
}

impl<K, T> Flight<K, T> {
    /// Shares work that began at or after `fresh_since`, or gets the next. New work needs `admit`; a piece
    /// that waits already is `amend`ed instead, so that it serves this caller too.
    pub fn seat<E>(
        &self,
        fresh_since: Timestamp,
        now: Timestamp,
        amend: impl FnOnce(&mut K),
        admit: impl FnOnce() -> Result<K, E>,
    ) -> Result<Seat<T>, E> {
        let mut state = self.state.lock();
        if let Some((began, slot)) = &state.running {
            if *began >= fresh_since {
                return Ok(Seat::Waiting(slot.waiter()));
            }
            if let Some(slot) = &mut state.waiting {
                slot.ticket.as_mut().map(amend);
                return Ok(Seat::Waiting(slot.waiter()));
            }
            let slot = state.waiting.insert(Slot::new(admit()?));
            return Ok(Seat::Waiting(slot.waiter()));
        }
        if let Some((began, result)) = &state.last
            && *began >= fresh_since
        {
            return Ok(Seat::Ended(Arc::clone(result)));
        }
        let (_, slot) = state.running.insert((now, Slot::new(admit()?)));
        Ok(Seat::First(slot.waiter()))
    }

    /// The last result, if its work began then or later.
    pub fn ended_since(&self, since: Timestamp) -> Option<Arc<T>> {
        let state = self.state.lock();
        state.last.as_ref().filter(|(began, _)| *began >= since).map(|(_, result)| Arc::clone(result))
    }

    /// When the last piece of work began, running ones included.
    pub fn last_began(&self) -> Option<Timestamp> {
        let state = self.state.lock();
        let ended = state.last.as_ref().map(|(began, _)| *began);
        state.running.as_ref().map(|(began, _)| *began).max(ended)
    }

    /// Runs what was admitted, one piece after the other, until nobody waits.
    pub async fn fly<F>(&self, now: impl Fn() -> Timestamp, work: impl Fn(K, Timestamp) -> F)
    where
        F: Future<Output = T>,
    {
        // A panic in the work must not leave others waiting for ever.
        let grounded = Grounded(self);
        while let Some((ticket, began)) = self.take_off() {
            let result = work(ticket, began).await;
            self.land(Arc::new(result), now());
        }
        std::mem::forget(grounded);
    }

    fn take_off(&self) -> Option<(K, Timestamp)> {
        let mut state = self.state.lock();
        let (began, slot) = state.running.as_mut()?;
        let ticket = slot.ticket.take()?;
        Some((ticket, *began))
    }

    fn land(&self, result: Arc<T>, now: Timestamp) {
        let mut state = self.state.lock();
        if let Some((began, slot)) = state.running.take() {
            state.last = Some((began, Arc::clone(&result)));
            slot.result.send_replace(Some(result));
        }
        state.running = state.waiting.take().map(|slot| (now, slot));
    }
}

impl<K, T> Slot<K, T> {
    fn new(ticket: K) -> Self {
        Self { ticket: Some(ticket), result: watch::Sender::new(None) }
    }

    fn waiter(&self) -> Waiter<T> {
        Waiter(self.result.subscribe())
    }
}

/// Clears the line when the work is cut off: dropping the senders wakes everybody who waits.
struct Grounded<'f, K, T>(&'f Flight<K, T>);

impl<K, T> Drop for Grounded<'_, K, T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.running = None;
        state.waiting = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Line = Flight<u32, u32>;

    fn seat(line: &Line, fresh_since: i64, now: i64, ticket: u32) -> Seat<u32> {
        line.seat::<()>(Timestamp(fresh_since), Timestamp(now), |k| *k += 100, || Ok(ticket)).unwrap()
    }

    #[tokio::test]
    async fn one_runs_one_waits_and_the_rest_share() {
        let line = Line::default();
        let Seat::First(first) = seat(&line, 0, 10, 1) else { panic!("nothing ran") };
        let Seat::Waiting(shares) = seat(&line, 10, 11, 2) else { panic!("began in time") };
        let Seat::Waiting(next) = seat(&line, 11, 12, 3) else { panic!("began too early") };
        let Seat::Waiting(amended) = seat(&line, 12, 12, 4) else { panic!("one waits already") };
        line.fly(|| Timestamp(20), |ticket, _| async move { ticket }).await;
        assert_eq!(*first.wait().await.unwrap(), 1);
        assert_eq!(*shares.wait().await.unwrap(), 1);
        assert_eq!(*next.wait().await.unwrap(), 103);
        assert_eq!(*amended.wait().await.unwrap(), 103);
        assert!(matches!(seat(&line, 20, 21, 5), Seat::Ended(result) if *result == 103));
        assert!(matches!(seat(&line, 21, 22, 6), Seat::First(_)));
    }

    #[tokio::test]
    async fn refused_work_changes_nothing() {
        let line = Line::default();
        assert!(line.seat(Timestamp(0), Timestamp(0), |_| (), || Err("full")).is_err());
        assert!(matches!(seat(&line, 0, 1, 1), Seat::First(_)));
    }

    #[tokio::test]
    async fn a_panic_wakes_everybody_and_frees_the_line() {
        let line = Arc::new(Line::default());
        let Seat::First(first) = seat(&line, 0, 1, 1) else { panic!("nothing ran") };
        let Seat::Waiting(next) = seat(&line, 2, 2, 2) else { panic!("began too early") };
        let flying = Arc::clone(&line);
        let tasks = crate::engine::tasks::Tasks::default();
        let task = tasks.spawn(async move {
            flying.fly(|| Timestamp(3), |_, _| async { panic!("on purpose") }).await;
        });
        assert!(task.await.is_err());
        assert!(first.wait().await.is_none() && next.wait().await.is_none());
        assert!(matches!(seat(&line, 0, 4, 3), Seat::First(_)));
    }
}
