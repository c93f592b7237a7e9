//! The one source of time and of identifiers, so that tests can hold both still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::watch;

use crate::domain::time::Timestamp;

/// The time of day.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// Stands still until it is moved.
    Manual(ManualClock),
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Returns once the clock shows `until` or later.
    pub async fn sleep_until(&self, until: Timestamp) {
        match self {
            Self::System => tokio::time::sleep(until.since(self.now())).await,
            Self::Manual(clock) => clock.reaches(until).await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
fn system_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A clock that is moved by hand; clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<AtomicI64>,
    moved: watch::Sender<()>,
}

impl ManualClock {
    pub fn new(now: Timestamp) -> Self {
        Self { now: Arc::new(AtomicI64::new(now.0)), moved: watch::Sender::new(()) }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    pub fn set(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
        self.moved.send_replace(());
    }

    pub fn advance(&self, span: Duration) {
        self.set(self.now().plus(span));
    }

    async fn reaches(&self, until: Timestamp) {
        let mut moved = self.moved.subscribe();
        while self.now() < until {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Makes identifiers: UUIDs of version 7 (RFC 9562), time from the clock, the rest from a seeded source. Within a
/// millisecond they count up, so that they sort as they were made.
#[derive(Clone, Debug)]
pub struct Ids {
    clock: Clock,
    random: Arc<Mutex<Source>>,
}

#[derive(Debug)]
struct Source {
    rng: StdRng,
    /// The millisecond of the last identifier, and its count in it.
    last: (u64, u32),
}

/// The count has so many bits; it begins by chance in the lower half, so that there is room for 33 million.
const COUNT_BITS: u32 = 26;

impl Ids {
    /// Identifiers that nobody can foretell.
    pub fn new(clock: Clock) -> Self {
        Self::from_rng(clock, rand::make_rng())
    }

    /// The same identifiers for the same seed and clock.
    pub fn seeded(clock: Clock, seed: u64) -> Self {
        Self::from_rng(clock, StdRng::seed_from_u64(seed))
    }

    fn from_rng(clock: Clock, rng: StdRng) -> Self {
        Self { clock, random: Arc::new(Mutex::new(Source { rng, last: (0, 0) })) }
    }

    /// A new identifier, in the usual text form.
    pub fn next(&self) -> String {
        let mut bytes = [0; 10];
        let mut source = self.random.lock();
        let millis = u64::try_from(self.clock.now().0).unwrap_or(0);
        source.rng.fill_bytes(&mut bytes);
        let count = match source.last {
            (last, count) if last == millis => count.saturating_add(1),
            _ => u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) >> (32 - COUNT_BITS + 1),
        };
        source.last = (millis, count);
        drop(source);
        // 12 bits beside the version, 6 beside the variant, 8 after them.
        bytes[..2].copy_from_slice(&(count >> 14).to_be_bytes()[2..]);
        bytes[2..4].copy_from_slice(&(count & 0x3fff).to_be_bytes()[2..]);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
    }

    /// A source of its own for work beside other work: which of them is faster decides no identifier.
    pub fn fork(&self) -> Self {
        let random = StdRng::from_rng(&mut self.random.lock().rng);
        Self::from_rng(self.clock.clone(), random)
    }

    /// 32 random bytes, hexadecimal: what a token is made of. From the machine's source unless seeded.
    pub fn secret(&self) -> String {
        let mut bytes = [0; 32];
        self.random.lock().rng.fill_bytes(&mut bytes);
        crate::domain::digest::hex(&bytes)
    }

    /// A number in `0..below`, for jitter.
    pub fn jitter(&self, below: Duration) -> Duration {
        let most = u64::try_from(below.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(self.random.lock().rng.random_range(0..most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_ids_repeat_and_bear_the_time() {
        let clock = Clock::Manual(ManualClock::new(Timestamp(1_767_225_600_000)));
        let (one, two) = (Ids::seeded(clock.clone(), 7), Ids::seeded(clock, 7));
        let first = one.next();
        assert_eq!(first, two.next());
        assert_ne!(first, one.next());
        assert!(first.starts_with("019b76da-a800-7"), "{first}");
    }

    #[test]
    fn ids_of_one_millisecond_sort_as_they_were_made_and_do_not_repeat() {
        let manual = ManualClock::new(Timestamp(1_767_225_600_000));
        let ids = Ids::seeded(Clock::Manual(manual.clone()), 7);
        let mut made: Vec<String> = (0..20_000).map(|_| ids.next()).collect();
        manual.advance(Duration::from_millis(1));
        made.push(ids.next());
        assert!(made.is_sorted());
        made.dedup();
        assert_eq!(made.len(), 20_001);
        for id in &made {
            assert_eq!((&id[14..15], "89ab".contains(&id[19..20])), ("7", true), "{id}");
        }
    }

    #[test]
    fn a_fork_has_identifiers_of_its_own_whoever_takes_one_first() {
        let clock = Clock::Manual(ManualClock::new(Timestamp(0)));
        let forked = |taken_first: u32| {
            let ids = Ids::seeded(clock.clone(), 7);
            let (one, other) = (ids.fork(), ids.fork());
            (0..taken_first).for_each(|_| drop(other.next()));
            one.next()
        };
        assert_eq!(forked(0), forked(3));
        assert_ne!(forked(0), Ids::seeded(clock.clone(), 7).next());
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_only_when_it_is_moved_far_enough() {
        let manual = ManualClock::new(Timestamp(0));
        let clock = Clock::Manual(manual.clone());
        let sleep = clock.sleep_until(Timestamp(1_000));
        tokio::pin!(sleep);
        manual.advance(Duration::from_millis(999));
        assert!(futures_util::poll!(sleep.as_mut()).is_pending());
        manual.advance(Duration::from_millis(1));
        sleep.await;
    }
}
