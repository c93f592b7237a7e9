//! Everything that may keep a request from going out, per set of credentials: points, quota, back-off. An
//! installation keeps its own through all of its tokens.

mod breaker;
mod points;
mod quota;

use std::time::Duration;

use parking_lot::Mutex;

pub use points::Point;
pub use quota::Quota;

use super::error::{AppFault, Error};
use crate::{
    clock::Clock,
    domain::{notice::Code, time::Timestamp},
};
use breaker::Breaker;
use points::Points;
use quota::Meter;

/// Why to be patient, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub kind: BackoffKind,
    pub until: Timestamp,
}

/// See [`Backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackoffKind {
    /// The hourly quota is used up, or down to the tenth that ordinary reads leave alone.
    Quota,
    /// A secondary limit.
    Secondary,
    /// GitHub failed too often in a row.
    Breaker,
    /// The credentials were refused lately.
    Credentials,
    /// No token was given out for the installation lately.
    App(AppFault),
    /// No point is left this minute.
    Points {
        /// How many reads that concerns, for whoever counts them; [`super::GitHub::admit`] says 0.
        left_out: usize,
    },
}

impl Backoff {
    /// The entry of the table of warnings and errors.
    pub fn code(&self) -> Code {
        let until = self.until;
        match self.kind {
            BackoffKind::Quota => Code::QuotaReserved { until },
            BackoffKind::Secondary => Code::SecondaryLimit { until },
            BackoffKind::Breaker => Code::BreakerOpen { until },
            BackoffKind::Credentials => Code::CredentialsRefused,
            BackoffKind::App(fault) => fault.code(),
            BackoffKind::Points { left_out } => Code::PointsUsedUp { left_out },
        }
    }
}

/// An answer that turns the token away, not the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The hour's quota is used up.
    Quota { reset: Timestamp },
    /// A secondary limit, with the pause that GitHub asks for, if it does.
    Secondary { asked: Option<Duration> },
    /// 401.
    Credentials,
    /// No token for the installation.
    App(AppFault),
}

/// The limits of one set of credentials.
pub(super) struct Limits {
    clock: Clock,
    /// Whose they are, for the log.
    account: Option<String>,
    points: Points,
    seen: Mutex<Seen>,
}

/// What answers told.
#[derive(Default)]
struct Seen {
    quota: Meter,
    breaker: Breaker,
}

impl Seen {
    /// Of all that holds, what holds longest.
    fn backoff(&self, now: Timestamp) -> Option<Backoff> {
        let reserved = self.quota.reserved_until(now);
        let quota = reserved.map(|until| Backoff { kind: BackoffKind::Quota, until });
        self.breaker.standing(now).into_iter().chain(quota).max_by_key(|backoff| backoff.until)
    }
}

impl Limits {
    pub fn new(points_per_minute: u32, clock: Clock, account: Option<String>) -> Self {
        let points = Points::new(points_per_minute, clock.clone());
        Self { points, clock, account, seen: Mutex::default() }
    }

    pub fn admit(&self) -> Result<Point, Backoff> {
        self.standing()?;
        self.points.draw().map_err(|until| Backoff { kind: BackoffKind::Points { left_out: 0 }, until })
    }

    /// As [`Limits::admit`], from the reserve if need be.
    pub fn admit_first(&self) -> Result<Point, Backoff> {
        self.well()?;
        self.points.draw_first().map_err(|until| Backoff { kind: BackoffKind::Points { left_out: 0 }, until })
    }

    /// May a request of a claim go out? The reserve of the hourly quota is for those.
    pub fn well(&self) -> Result<(), Backoff> {
        self.seen.lock().breaker.standing(self.clock.now()).map_or(Ok(()), Err)
    }

    /// A point for a read under way; waits for it.
    pub async fn wait(&self) -> Result<Point, Backoff> {
        self.standing()?;
        Ok(self.points.wait().await)
    }

    /// May a request go out?
    pub fn standing(&self) -> Result<(), Backoff> {
        self.backoff().map_or(Ok(()), Err)
    }

    pub fn backoff(&self) -> Option<Backoff> {
        self.seen.lock().backoff(self.clock.now())
    }

    /// Is the next request to show whether GitHub is well again?
    pub fn is_half_open(&self) -> bool {
        self.seen.lock().breaker.is_half_open(self.clock.now())
    }

    pub fn quota(&self) -> Option<Quota> {
        self.seen.lock().quota.seen()
    }

    pub fn points_left(&self) -> Option<u32> {
        self.points.left()
    }

    /// Takes up what an answer told of the quota.
    pub fn note(&self, quota: Quota) {
        self.change(|seen, now| seen.quota.note(quota, now));
    }

    /// Takes up that the token was turned away; the error is for the request that was.
    pub fn turned_away(&self, refusal: Refusal) -> Error {
        self.change(|seen, now| match refusal {
            Refusal::Quota { reset } => {
                Error::Backoff(seen.breaker.quota_used_up(quota::soon(reset, now), now))
            }
            Refusal::Secondary { asked } => Error::Backoff(seen.breaker.limited(asked, now)),
            Refusal::Credentials => {
                seen.breaker.refused(BackoffKind::Credentials, now);
                Error::Unauthorized
            }
            Refusal::App(fault) => {
                seen.breaker.refused(BackoffKind::App(fault), now);
                Error::App(fault)
            }
        })
    }

    /// Takes up how a request ended, its retries included.
    pub fn ended(&self, error: Option<&Error>) {
        self.change(|seen, now| match error {
            None => seen.breaker.succeeded(now),
            Some(error) if error.is_answer() => seen.breaker.succeeded(now),
            Some(error) if error.is_outage() => seen.breaker.failed(now),
            Some(_) => {}
        });
    }

    /// Changes what is known, and tells the log when a back-off comes of it.
    fn change<T>(&self, change: impl FnOnce(&mut Seen, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let (before, outcome, after) = {
            let mut seen = self.seen.lock();
            let before = seen.backoff(now);
            let outcome = change(&mut seen, now);
            (before, outcome, seen.backoff(now))
        };
        if let Some(backoff) = after
            && before.map(|earlier| earlier.kind) != Some(backoff.kind)
        {
            let account = self.account.as_deref();
            tracing::warn!(account, kind = ?backoff.kind, until = %backoff.until, "no request goes to GitHub for a while");
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn limits() -> (ManualClock, Limits) {
        let manual = ManualClock::new(Timestamp(0));
        (manual.clone(), Limits::new(1, Clock::Manual(manual), None))
    }

    #[test]
    fn admission_asks_the_breaker_the_quota_and_the_points() {
        let (clock, limits) = limits();
        let point = limits.admit().unwrap();
        let refused = limits.admit().unwrap_err();
        assert_eq!(refused.kind, BackoffKind::Points { left_out: 0 });
        assert_eq!(limits.backoff(), None, "a lack of points is no back-off");
        point.spend();
        clock.advance(Duration::from_secs(61));
        limits.note(Quota { limit: 5_000, remaining: 500, resets_at: Timestamp(90_000) });
        assert_eq!(limits.admit().unwrap_err().code(), Code::QuotaReserved { until: Timestamp(90_000) });
        let error = limits.turned_away(Refusal::Secondary { asked: Some(Duration::from_mins(1)) });
        let until = Timestamp(121_000);
        assert_eq!(error, Error::Backoff(Backoff { kind: BackoffKind::Secondary, until }));
        assert_eq!(limits.admit().unwrap_err().until, until);
        clock.set(until);
        assert!(limits.admit().is_ok());
    }

    #[test]
    fn refused_credentials_pause_for_a_minute() {
        let (_, limits) = limits();
        assert_eq!(limits.turned_away(Refusal::Credentials), Error::Unauthorized);
        assert_eq!(limits.admit().unwrap_err().code(), Code::CredentialsRefused);
    }

    #[test]
    fn only_outages_count_towards_the_breaker() {
        let (_, limits) = limits();
        for _ in 0..30 {
            limits.ended(Some(&Error::Malformed));
            limits.ended(Some(&Error::NotFound));
        }
        assert_eq!(limits.backoff(), None);
        (0..20).for_each(|_| limits.ended(Some(&Error::TimedOut)));
        assert_eq!(limits.backoff().map(|backoff| backoff.kind), Some(BackoffKind::Breaker));
    }
}
