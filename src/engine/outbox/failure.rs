//! What a failed write means: for its next try, for the writes behind it, and in words.

use std::time::Duration;

use crate::{
    domain::{outbox::Try, time::Timestamp},
    github::Error,
};

/// After a refused permission everything waits this long.
pub const FORBIDDEN_PAUSE: Duration = Duration::from_hours(1);
/// The first pause after a failure; doubled each time, up to a quarter of an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// What GitHub refuses so often is parked; GitHub says 422 to those who are too eager, too.
pub const REFUSALS_MAX: i64 = 3;
/// What GitHub fails at so often is parked, so that it holds back what waits behind it no longer than a day. While
/// GitHub fails at everything the circuit breaker keeps tries from being made, and counted.
pub const FAILURES_MAX: i64 = 100;

/// What a failed write means for the others and for its next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The issue is gone, or nobody may write there.
    Hopeless,
    /// This one can never work; others may.
    Declined,
    /// GitHub does not take what was sent: it is parked after [`REFUSALS_MAX`] tries.
    Refused,
    /// The credentials may not write.
    Forbidden,
    /// Nothing may be sent until then.
    NotNow {
        until: Option<Timestamp>,
    },
    /// GitHub failed at this one: it is parked after [`FAILURES_MAX`] tries.
    Failing,
    Passing,
}

impl Failure {
    pub fn of(error: &Error) -> Self {
        match error {
            Error::NotFound
            | Error::Transferred
            | Error::IssuesDisabled
            | Error::ReadOnly
            | Error::UnavailableForLegalReasons => Self::Hopeless,
            Error::Locked => Self::Declined,
            Error::Unexpected { status: 400..=499 } => Self::Refused,
            Error::Forbidden => Self::Forbidden,
            Error::Backoff(backoff) => Self::NotNow { until: Some(backoff.until) },
            Error::Unauthorized | Error::App(_) | Error::NoInstallation => Self::NotNow { until: None },
            Error::Failed { .. } => Self::Failing,
            _ => Self::Passing,
        }
    }
}

/// What is known of a write that ended in an error. GitHub's refusals have no effect; of what was lost nobody knows.
pub fn tried(error: &Error) -> Try {
    match Failure::of(error) {
        Failure::Forbidden | Failure::NotNow { .. } => Try::Void,
        Failure::Hopeless | Failure::Declined | Failure::Refused => Try::Refused,
        Failure::Failing | Failure::Passing => Try::Unsure,
    }
}

/// What is kept with the entry.
pub fn in_words(error: &Error) -> String {
    match error {
        Error::IssuesDisabled => {
            "the issue was deleted, or issues are turned off there (GitHub answered 410)".into()
        }
        Error::NotFound => "it is not there, or these credentials do not see it (GitHub answered 404)".into(),
        Error::Transferred => "the issue was transferred to another repository".into(),
        Error::Locked => "the conversation is locked (GitHub answered 403)".into(),
        Error::Unexpected { status: status @ 400..=499 } => {
            format!("GitHub does not take it (it answered {status})")
        }
        other => other.code().what(),
    }
}

/// How long to wait after so many tries.
pub fn pause_after(tries: i64) -> Duration {
    let doublings = u32::try_from(tries.clamp(1, 12) - 1).unwrap_or(0);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::{Backoff, BackoffKind};

    #[test]
    fn what_a_failure_means() {
        let until = Timestamp(5);
        let backoff = Error::Backoff(Backoff { kind: BackoffKind::Secondary, until });
        let cases = [
            (Error::NotFound, Failure::Hopeless),
            (Error::IssuesDisabled, Failure::Hopeless),
            (Error::ReadOnly, Failure::Hopeless),
            (Error::Transferred, Failure::Hopeless),
            (Error::Locked, Failure::Declined),
            (Error::Unexpected { status: 422 }, Failure::Refused),
            (Error::Unexpected { status: 304 }, Failure::Passing),
            (Error::Forbidden, Failure::Forbidden),
            (Error::Unauthorized, Failure::NotNow { until: None }),
            (backoff, Failure::NotNow { until: Some(until) }),
            (Error::TimedOut, Failure::Passing),
            (Error::Failed { status: 502 }, Failure::Failing),
        ];
        for (error, want) in cases {
            assert_eq!(Failure::of(&error), want, "{error:?}");
        }
    }

    #[test]
    fn only_what_was_lost_may_have_worked() {
        let lost = [
            Error::TimedOut,
            Error::ConnectionLost,
            Error::Cut,
            Error::Malformed,
            Error::NotGitHub,
            Error::Failed { status: 500 },
        ];
        assert!(lost.iter().all(|error| tried(error) == Try::Unsure));
        let refused = [Error::NotFound, Error::Locked, Error::Unexpected { status: 422 }];
        assert!(refused.iter().all(|error| tried(error) == Try::Refused));
        assert!([Error::Forbidden, Error::Unauthorized].iter().all(|error| tried(error) == Try::Void));
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = [0, 1, 2, 3, 8, 9, 99].map(|tries| pause_after(tries).as_secs()).to_vec();
        assert_eq!(seconds, [5, 5, 10, 20, 640, 900, 900]);
    }
}
