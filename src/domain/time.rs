//! Points in time: milliseconds since 1970, UTC.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z. On the wire: RFC 3339, UTC, milliseconds, `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, utoipa::ToSchema)]
#[sqlx(transparent)]
#[schema(
    value_type = String,
    format = DateTime,
    description = "RFC 3339, UTC, with milliseconds.",
    examples("2026-01-31T12:00:00.000Z")
)]
pub struct Timestamp(pub i64);

/// The text is not an RFC 3339 time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an RFC 3339 time such as 2026-01-31T12:00:00Z")]
pub struct NotATime;

impl Timestamp {
    /// This time plus `span`; saturates instead of wrapping.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This time minus `span`; saturates instead of wrapping.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same time without its fraction of a second, as GitHub stores times.
    pub fn whole_second(self) -> Self {
        Self(self.0.div_euclid(1_000) * 1_000)
    }
}

/// How many milliseconds another clock is ahead of ours, at least: it showed `told`, which may leave out as much as
/// `grain`, at some moment while ours went from `asked` to `heard`.
pub fn ahead_by(told: Timestamp, grain: Duration, asked: Timestamp, heard: Timestamp) -> i64 {
    let least = told.0.saturating_sub(heard.0);
    let most = told.plus(grain).0.saturating_sub(asked.0);
    // Zero where the two may agree.
    0.clamp(least, most.max(least))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let time: jiff::Timestamp = text.trim().parse().map_err(|_| NotATime)?;
        Ok(Self(time.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_three_digits_and_z() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_767_225_600_007).to_string(), "2026-01-01T00:00:00.007Z");
    }

    #[test]
    fn reads_offsets_and_refuses_the_rest() {
        assert_eq!("2026-01-01T01:00:00+01:00".parse(), Ok(Timestamp(1_767_225_600_000)));
        for bad in ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(NotATime), "{bad}");
        }
    }

    #[test]
    fn another_clock_is_ahead_by_no_more_than_is_sure() {
        let ahead = |told, asked, heard| {
            ahead_by(Timestamp(told), Duration::from_secs(1), Timestamp(asked), Timestamp(heard))
        };
        assert_eq!(
            (ahead(5_000, 5_000, 5_100), ahead(5_000, 5_900, 5_950), ahead(5_000, 4_800, 5_050)),
            (0, 0, 0)
        );
        assert_eq!((ahead(9_000, 5_000, 5_100), ahead(1_000, 5_000, 5_100)), (3_900, -3_000));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(i64::MAX).plus(Duration::from_secs(1)), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp(-1).whole_second(), Timestamp(-1_000));
    }
}
