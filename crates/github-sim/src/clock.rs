//! Time as the simulator sees it: the machine's clock, or one that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// A clock that stands still until a test moves it; every clone shows the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `unix_ms` milliseconds since the Unix epoch.
    pub fn new(unix_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(unix_ms)))
    }

    /// The shown time in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Jumps to `unix_ms`, backwards too.
    pub fn set_ms(&self, unix_ms: i64) {
        self.0.store(unix_ms, Ordering::SeqCst);
    }

    /// Moves forward by whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// The clock that stamps `updated_at` and runs the limits' windows.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock moved by its owner.
    Manual(ManualClock),
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => Timestamp::now().as_millisecond(),
            Self::Manual(clock) => clock.now_ms(),
        }
    }

    /// Whole seconds since the Unix epoch, cut and not rounded, as GitHub stamps its rows.
    pub fn now_s(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }
}

/// `2026-01-31T09:30:00Z`, the form of every time in GitHub's JSON.
pub(crate) fn iso(unix_s: i64) -> String {
    Timestamp::from_second(unix_s).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// Reads an ISO 8601 instant in whole seconds; a bare date is its midnight in UTC.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond().div_euclid(1000));
    }
    let date = text.parse::<jiff::civil::DateTime>().ok()?;
    let instant = jiff::tz::TimeZone::UTC.to_timestamp(date).ok()?;
    Some(instant.as_second())
}

/// The form of the HTTP `Date` header.
pub(crate) fn http_date(unix_s: i64) -> String {
    Timestamp::from_second(unix_s)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// Serialises epoch seconds in GitHub's form.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
pub(crate) fn as_iso<S: serde::Serializer>(unix_s: &i64, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&iso(*unix_s))
}

/// Serialises optional epoch seconds in GitHub's form.
#[expect(clippy::ref_option, reason = "serde hands the field over by reference")]
pub(crate) fn as_iso_option<S: serde::Serializer>(unix_s: &Option<i64>, out: S) -> Result<S::Ok, S::Error> {
    match unix_s {
        Some(at) => out.serialize_some(&iso(*at)),
        None => out.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_in_whole_seconds() {
        assert_eq!(iso(1_767_225_600), "2026-01-01T00:00:00Z");
        assert_eq!(parse_iso("2026-01-01T00:00:00Z"), Some(1_767_225_600));
        assert_eq!(parse_iso("2026-01-01T00:00:00.900Z"), Some(1_767_225_600));
        assert_eq!(parse_iso("2026-01-01T02:00:00+02:00"), Some(1_767_225_600));
        assert_eq!(parse_iso("2026-01-01"), Some(1_767_225_600));
        assert_eq!(parse_iso("yesterday"), None);
        assert_eq!(http_date(1_767_225_600), "Thu, 01 Jan 2026 00:00:00 GMT");
    }
}
