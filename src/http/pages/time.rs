//! Times as people say them, with the exact one beside.

use std::{fmt, time::Duration};

use crate::domain::time::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A time as an element of HTML.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: Timestamp,
    pub now: Timestamp,
}

impl askama::filters::HtmlSafe for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits and marks that mean nothing in HTML.
        let Self { at, now } = *self;
        write!(f, "<time datetime=\"{at}\" title=\"{at}\">{}</time>", said(at, now))
    }
}

/// `3 min ago`, `in 2 h`.
pub fn said(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        return format!("in {}", span(at.since(now)));
    }
    match now.since(at) {
        gone if gone < Duration::from_secs(5) => "just now".to_owned(),
        gone => format!("{} ago", span(gone)),
    }
}

/// A time's length in one unit.
pub fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ ..MINUTE => format!("{seconds} s"),
        seconds @ MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        seconds @ HOUR..DAY => format!("{} h", seconds / HOUR),
        seconds if seconds < 60 * DAY => format!("{} d", seconds / DAY),
        seconds => format!("{} months", seconds / (30 * DAY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_say_them() {
        let said = |ms: i64| said(Timestamp(1_000_000_000), Timestamp(1_000_000_000 + ms));
        for (ms, want) in [
            (0, "just now"),
            (9_000, "9 s ago"),
            (3 * 60_000, "3 min ago"),
            (26 * 3_600_000, "1 d ago"),
            (-90_000, "in 1 min"),
            (100 * 86_400_000, "3 months ago"),
        ] {
            assert_eq!(said(ms), want);
        }
    }
}
