//! How fast Dispatch writes: a burst at once, then one write per interval.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use crate::{clock::Clock, domain::time::Timestamp};

/// So many writes may go out at once after a quiet time.
const BURST: u32 = 10;

/// A bucket that a write empties by one. It may go below nothing: an issue's edits are not cut apart. Several processes
/// with the same credentials share it out.
#[derive(Debug)]
pub struct Pace {
    /// Zero: no limit.
    interval: Duration,
    clock: Clock,
    /// When the bucket will be full again.
    full_at: Mutex<Timestamp>,
    /// So many processes write.
    sharers: AtomicU32,
}

impl Pace {
    pub fn new(interval: Duration, clock: Clock) -> Self {
        Self { interval, clock, full_at: Mutex::new(Timestamp(i64::MIN)), sharers: AtomicU32::new(1) }
    }

    /// So many processes write with the same credentials, this one among them.
    pub fn share(&self, sharers: u32) {
        self.sharers.store(sharers.max(1), Ordering::Relaxed);
    }

    /// May a write go out now?
    pub fn has_room(&self) -> bool {
        let sharers = self.sharers.load(Ordering::Relaxed);
        let full_in = self.full_at.lock().since(self.clock.now());
        full_in + self.interval * sharers <= self.interval * BURST.max(sharers)
    }

    /// A write goes out now.
    pub fn take(&self) {
        let mut full_at = self.full_at.lock();
        let own_interval = self.interval * self.sharers.load(Ordering::Relaxed);
        *full_at = (*full_at).max(self.clock.now()).plus(own_interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_burst_then_one_per_interval() {
        let manual = ManualClock::new(Timestamp(1_000_000));
        let pace = Pace::new(Duration::from_secs(1), Clock::Manual(manual.clone()));
        let burst = |most: u32| (0..most).take_while(|_| pace.has_room()).map(|_| pace.take()).count();
        assert_eq!(burst(20), 10);
        manual.advance(Duration::from_millis(999));
        assert!(!pace.has_room());
        manual.advance(Duration::from_millis(1));
        assert_eq!(burst(20), 1);
        manual.advance(Duration::from_hours(1));
        assert_eq!(burst(20), 10);
        let burst_of_three = {
            pace.share(3);
            manual.advance(Duration::from_hours(1));
            burst(20)
        };
        assert_eq!(burst_of_three, 3, "ten for all of them");
        manual.advance(Duration::from_secs(30));
        assert_eq!(burst(20), 3, "one in three seconds, and no more than a burst");
        pace.share(40);
        manual.advance(Duration::from_hours(1));
        assert_eq!(burst(20), 1, "nobody is left out");
        let free = Pace::new(Duration::ZERO, Clock::Manual(manual));
        assert!((0..1_000).all(|_| {
            free.take();
            free.has_room()
        }));
    }
}
