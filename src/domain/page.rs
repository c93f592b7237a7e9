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

/// One page; `next` is absent on the last.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<Cursor>,
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
    fn a_page_knows_whether_more_follows() {
        let place = |n: &i64| Cursor { at: Timestamp(*n), id: n.to_string() };
        assert_eq!(Page::cut(vec![3, 2, 1], 2, place).next, Some(place(&2)));
        assert_eq!(Page::cut(vec![3, 2], 2, place).next, None);
    }
}
