//! When no request goes out at all: a limit said so, the credentials are refused, or GitHub keeps failing.

use std::time::Duration;

use super::{Backoff, BackoffKind};
use crate::domain::time::Timestamp;

/// So many requests in a row must fail, over all repositories, before the breaker opens.
const FAILURES: u32 = 20;

/// The first pause; those that follow without a success between double, up to [`LONGEST`].
const FIRST: Duration = Duration::from_mins(1);

const LONGEST: Duration = Duration::from_mins(15);

/// The longest `Retry-After` that is obeyed.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// Closed, open, or half open: after its pause requests go out, and one failure opens it at once.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    open: Option<Backoff>,
    /// Failures in a row.
    failures: u32,
    /// Pauses for failures without a success between.
    pauses: u32,
    /// Secondary limits without a `Retry-After` and without a success between.
    strikes: u32,
}

impl Breaker {
    /// The back-off that holds at `now`.
    pub fn standing(&self, now: Timestamp) -> Option<Backoff> {
        self.open.filter(|backoff| backoff.until > now)
    }

    /// Has a pause for failures ended, and nothing succeeded since?
    pub fn is_half_open(&self, now: Timestamp) -> bool {
        self.pauses > 0 && self.standing(now).is_none()
    }

    /// A request failed, its retries included.
    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        // Requests that were under way when it opened are no news.
        if self.failures >= FAILURES && self.standing(now).is_none() {
            self.pause(BackoffKind::Breaker, now.plus(doubled(self.pauses)));
            self.pauses += 1;
        }
    }

    /// GitHub answered in good health.
    pub fn succeeded(&mut self, now: Timestamp) {
        // An answer to a request from before a limit or refusal does not lift it.
        if self.standing(now).is_none_or(|backoff| backoff.kind == BackoffKind::Breaker) {
            *self = Self::default();
        }
    }

    /// The hour's quota is used up.
    pub fn quota_used_up(&mut self, reset: Timestamp, now: Timestamp) -> Backoff {
        // A reset in the past comes from clocks that disagree; asking again at once would be a hammer.
        let until = if reset > now { reset } else { now.plus(FIRST) };
        self.pause(BackoffKind::Quota, until)
    }

    /// A secondary limit, with the pause that GitHub asked for, if it did.
    pub fn limited(&mut self, asked: Option<Duration>, now: Timestamp) -> Backoff {
        let pause = match (asked, self.standing(now)) {
            (Some(asked), _) => asked.clamp(Duration::from_secs(1), LONGEST_ASKED),
            // Requests that were under way when it opened are no new strike.
            (None, Some(open)) if open.kind == BackoffKind::Secondary => return open,
            (None, _) => {
                self.strikes += 1;
                doubled(self.strikes - 1)
            }
        };
        self.pause(BackoffKind::Secondary, now.plus(pause))
    }

    /// Credentials of that kind were refused: they are shown again in a minute, not at once.
    pub fn refused(&mut self, kind: BackoffKind, now: Timestamp) -> Backoff {
        self.pause(kind, now.plus(FIRST))
    }

    /// Opens, or stays open for the longer of the two.
    fn pause(&mut self, kind: BackoffKind, until: Timestamp) -> Backoff {
        let new = Backoff { kind, until };
        let longer = self.open.filter(|open| open.until > until).unwrap_or(new);
        self.open = Some(longer);
        longer
    }
}

fn doubled(times: u32) -> Duration {
    FIRST.saturating_mul(1 << times.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minutes: i64) -> Timestamp {
        Timestamp(minutes * MINUTE)
    }

    fn standing(breaker: &Breaker, now: Timestamp) -> Option<(BackoffKind, i64)> {
        breaker.standing(now).map(|open| (open.kind, open.until.0 / MINUTE))
    }

    fn fail(breaker: &mut Breaker, times: u32, now: Timestamp) {
        (0..times).for_each(|_| breaker.failed(now));
    }

    #[test]
    fn opens_after_twenty_failures_in_a_row() {
        let mut breaker = Breaker::default();
        fail(&mut breaker, 19, at(0));
        breaker.succeeded(at(0));
        fail(&mut breaker, 19, at(0));
        assert_eq!(standing(&breaker, at(0)), None);
        fail(&mut breaker, 9, at(0));
        assert_eq!(standing(&breaker, at(0)), Some((BackoffKind::Breaker, 1)));
        assert!(!breaker.is_half_open(at(0)));
        assert_eq!(standing(&breaker, at(1)), None);
        assert!(breaker.is_half_open(at(1)));
        breaker.succeeded(at(1));
        assert!(!breaker.is_half_open(at(1)));
    }

    #[test]
    fn a_failure_after_the_pause_doubles_it_up_to_a_quarter_of_an_hour() {
        let mut breaker = Breaker::default();
        fail(&mut breaker, 20, at(0));
        let mut now = at(1);
        for minutes in [2, 4, 8, 15, 15] {
            breaker.failed(now);
            let open = breaker.standing(now).unwrap();
            assert_eq!(open.until, now.plus(Duration::from_mins(minutes)));
            now = open.until;
        }
        breaker.succeeded(now);
        fail(&mut breaker, 20, now);
        assert_eq!(breaker.standing(now).unwrap().until, now.plus(FIRST));
    }

    #[test]
    fn secondary_limits_obey_github_or_double() {
        let mut breaker = Breaker::default();
        let asked = breaker.limited(Some(Duration::from_mins(3)), at(0));
        assert_eq!((asked.kind, asked.until), (BackoffKind::Secondary, at(3)));
        assert_eq!(breaker.limited(Some(Duration::from_secs(99_999)), at(3)).until, at(63));
        assert_eq!(breaker.limited(None, at(63)).until, at(64));
        assert_eq!(breaker.limited(None, at(63)).until, at(64), "one strike for all that were under way");
        breaker.succeeded(at(63));
        assert_eq!(breaker.limited(None, at(64)).until, at(66), "a late success lifts nothing");
        breaker.succeeded(at(66));
        assert_eq!(breaker.limited(None, at(66)).until, at(67));
    }

    #[test]
    fn the_longer_pause_holds() {
        let mut breaker = Breaker::default();
        breaker.quota_used_up(at(30), at(0));
        assert_eq!(breaker.refused(BackoffKind::Credentials, at(0)).until, at(30));
        assert_eq!(standing(&breaker, at(29)), Some((BackoffKind::Quota, 30)));
        assert_eq!(breaker.quota_used_up(at(29), at(30)).until, at(31), "a reset in the past");
    }
}
