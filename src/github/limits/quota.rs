//! The hourly quota, as `x-ratelimit-*` headers tell it
//! (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit).

use std::time::Duration;

use crate::domain::time::Timestamp;

/// GitHub's windows last an hour; a reset that lies further off comes from clocks that disagree.
const WINDOW: Duration = Duration::from_hours(1);

/// The part of the limit that ordinary reads leave alone: one in so many.
const RESERVE: u32 = 10;

/// What is left of the hour's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub limit: u32,
    pub remaining: u32,
    pub resets_at: Timestamp,
}

impl Quota {
    /// What is left at `now`: all of it after the reset.
    pub fn left(&self, now: Timestamp) -> u32 {
        if self.resets_at <= now { self.limit } else { self.remaining }
    }

    fn is_down_to_reserve(&self) -> bool {
        self.remaining <= self.limit / RESERVE
    }
}

/// Follows the quota over answers that may arrive out of order.
#[derive(Debug, Default)]
pub(super) struct Meter {
    seen: Option<Quota>,
}

impl Meter {
    pub fn seen(&self) -> Option<Quota> {
        self.seen
    }

    /// Takes up what an answer told.
    pub fn note(&mut self, told: Quota, now: Timestamp) {
        let told = Quota { resets_at: soon(told.resets_at, now), ..told };
        self.seen = Some(match self.seen {
            Some(seen) if seen.resets_at > now && seen.resets_at > told.resets_at => seen,
            Some(seen) if seen.resets_at == told.resets_at => {
                Quota { remaining: seen.remaining.min(told.remaining), ..told }
            }
            _ => told,
        });
    }

    /// Until when ordinary reads must leave the rest alone.
    pub fn reserved_until(&self, now: Timestamp) -> Option<Timestamp> {
        let quota = self.seen.filter(|quota| quota.resets_at > now && quota.is_down_to_reserve())?;
        Some(quota.resets_at)
    }
}

/// A reset as GitHub told it, within the hour to come.
pub(super) fn soon(reset: Timestamp, now: Timestamp) -> Timestamp {
    reset.min(now.plus(WINDOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(remaining: u32, resets_at: i64) -> Quota {
        Quota { limit: 100, remaining, resets_at: Timestamp(resets_at) }
    }

    #[test]
    fn a_tenth_is_reserved_until_the_reset() {
        let mut meter = Meter::default();
        assert_eq!(meter.reserved_until(Timestamp(0)), None);
        meter.note(quota(11, 5_000), Timestamp(0));
        assert_eq!(meter.reserved_until(Timestamp(0)), None);
        meter.note(quota(10, 5_000), Timestamp(0));
        assert_eq!(meter.reserved_until(Timestamp(4_999)), Some(Timestamp(5_000)));
        assert_eq!(meter.reserved_until(Timestamp(5_000)), None);
    }

    #[test]
    fn late_answers_do_not_give_quota_back() {
        let mut meter = Meter::default();
        meter.note(quota(50, 5_000), Timestamp(0));
        meter.note(quota(60, 5_000), Timestamp(0));
        meter.note(quota(90, 4_000), Timestamp(0));
        assert_eq!(meter.seen(), Some(quota(50, 5_000)));
        meter.note(quota(99, 9_000), Timestamp(0));
        assert_eq!(meter.seen(), Some(quota(99, 9_000)));
    }

    #[test]
    fn a_reset_is_at_most_an_hour_away() {
        let mut meter = Meter::default();
        meter.note(quota(0, 90_000_000), Timestamp(0));
        assert_eq!(meter.reserved_until(Timestamp(0)), Some(Timestamp(3_600_000)));
    }
}
