//! Pages of lists: how many rows, and where the next page starts.

use super::time::Timestamp;

/// The most rows of a list without `limit` (`design.md` section 10).
pub const DEFAULT_LIMIT: i64 = 1_000;

/// The most rows that may be asked for.
pub const LIMIT_MAX: i64 = 1_000;

/// The row after which a page starts: lists are ordered by a time and an id, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: Timestamp,
    pub id: String,
}

/// A text that no list of ours gave out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a cursor of this list; take it from the X-Next-Cursor header")]
pub struct NotACursor;

impl Cursor {
    /// The opaque form for the wire.
    pub fn encode(&self) -> String {
        format!("{}~{}", self.at.0, self.id)
    }

    pub fn decode(text: &str) -> Result<Self, NotACursor> {
        let (at, id) = text.split_once('~').ok_or(NotACursor)?;
        let at = at.parse().map(Timestamp).map_err(|_| NotACursor)?;
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
            return Err(NotACursor);
        }
        Ok(Self { at, id: id.to_owned() })
    }
}

/// Where a page of a list starts whose order changes under it: behind so many rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped(i64);

impl Skipped {
    /// Nobody pages through more.
    const MAX: i64 = 10_000;
    const PREFIX: &str = "skip~";

    /// `None`: it is a cursor of another kind.
    pub fn decode(text: &str) -> Option<Result<Self, NotACursor>> {
        let rows = text.strip_prefix(Self::PREFIX)?;
        let digits = rows.bytes().all(|c| c.is_ascii_digit());
        let rows = rows.parse().ok().filter(|rows| digits && *rows <= Self::MAX);
        Some(rows.map(Self).ok_or(NotACursor))
    }

    /// The opaque form for the wire.
    pub fn encode(self) -> String {
        format!("{}{}", Self::PREFIX, self.0)
    }

    pub fn rows(self) -> i64 {
        self.0
    }

    /// Where the page after one of `rows` rows starts.
    #[must_use]
    pub fn after(self, rows: usize) -> Self {
        Self(self.0.saturating_add(i64::try_from(rows).unwrap_or(Self::MAX)).min(Self::MAX))
    }

    /// How many rows may follow; none at the end.
    pub fn left(self) -> i64 {
        Self::MAX - self.0
    }
}

/// One page; `next` is absent on the last.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<Cursor>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), next: None }
    }
}

impl<T> Page<T> {
    /// Cuts rows, of which one more than `limit` was read, to a page.
    pub fn cut(mut rows: Vec<T>, limit: i64, place: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(place) } else { None };
        Self { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_wire_and_strangers_do_not() {
        let cursor = Cursor { at: Timestamp(-3), id: "019b-x".into() };
        assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        for bad in ["", "~", "1~", "x~y", "1~a b", "1~'"] {
            assert_eq!(Cursor::decode(bad), Err(NotACursor), "{bad:?}");
        }
    }

    #[test]
    fn skipped_rows_survive_the_wire_and_strangers_do_not() {
        let third = Skipped::default().after(1_000).after(1_000);
        assert_eq!(Skipped::decode(&third.encode()), Some(Ok(third)));
        assert_eq!(Skipped::decode("3~id"), None);
        for bad in ["skip~", "skip~-1", "skip~+1", "skip~x", "skip~10001", "skip~99999999999999999999"] {
            assert_eq!(Skipped::decode(bad), Some(Err(NotACursor)), "{bad:?}");
        }
        assert_eq!((third.left(), third.after(usize::MAX).left()), (8_000, 0));
    }

    #[test]
    fn a_page_knows_whether_more_follows() {
        let place = |n: &i64| Cursor { at: Timestamp(*n), id: n.to_string() };
        assert_eq!(Page::cut(vec![3, 2, 1], 2, place).next, Some(place(&2)));
        assert_eq!(Page::cut(vec![3, 2], 2, place).next, None);
    }
}
