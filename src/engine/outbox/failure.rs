//! What a failed write means: for its next try, for the writes behind it, and in words.

use std::time::Duration;

use crate::{domain::time::Timestamp, github::Error};

/// After a refused permission everything waits this long.
pub const FORBIDDEN_PAUSE: Duration = Duration::from_hours(1);
/// The first pause after a failure; doubled each time, up to a quarter of an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// What GitHub refuses so often is parked; GitHub says 422 to those who are too eager, too.
pub const REFUSALS_MAX: i64 = 3;

/// What a failed write means for the others and for its next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The issue is gone, or nobody may write there.
    Hopeless,
    /// GitHub does not take what was sent: it is parked after [`REFUSALS_MAX`] tries.
    Refused,
    /// The credentials may not write.
    Forbidden,
    /// Nothing may be sent until then.
    NotNow {
        until: Option<Timestamp>,
    },
    Passing,
}

impl Failure {
    pub fn of(error: &Error) -> Self {
        match error {
            Error::NotFound | Error::IssuesDisabled | Error::ReadOnly | Error::UnavailableForLegalReasons => {
                Self::Hopeless
            }
            Error::Unexpected { status: 400..=499 } => Self::Refused,
            Error::Forbidden => Self::Forbidden,
            Error::Backoff(backoff) => Self::NotNow { until: Some(backoff.until) },
            Error::Unauthorized | Error::App(_) | Error::NoInstallation => Self::NotNow { until: None },
            _ => Self::Passing,
        }
    }
}

/// May it have taken effect all the same? GitHub's refusals have none; of what was lost nobody knows.
pub fn is_unsure(error: &Error) -> bool {
    Failure::of(error) == Failure::Passing
}

/// What is kept with the entry.
pub fn in_words(error: &Error) -> String {
    match error {
        Error::IssuesDisabled => {
            "the issue was deleted, or issues are turned off there (GitHub answered 410)".into()
        }
        Error::NotFound => "it is not there, or these credentials do not see it (GitHub answered 404)".into(),
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
            (Error::Unexpected { status: 422 }, Failure::Refused),
            (Error::Unexpected { status: 304 }, Failure::Passing),
            (Error::Forbidden, Failure::Forbidden),
            (Error::Unauthorized, Failure::NotNow { until: None }),
            (backoff, Failure::NotNow { until: Some(until) }),
            (Error::TimedOut, Failure::Passing),
            (Error::Failed { status: 502 }, Failure::Passing),
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
        assert!(lost.iter().all(is_unsure));
        let known =
            [Error::NotFound, Error::Forbidden, Error::Unauthorized, Error::Unexpected { status: 422 }];
        assert!(!known.iter().any(is_unsure));
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = [0, 1, 2, 3, 8, 9, 99].map(|tries| pause_after(tries).as_secs()).to_vec();
        assert_eq!(seconds, [5, 5, 10, 20, 640, 900, 900]);
    }
}
