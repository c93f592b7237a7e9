//! Cursors: opaque to clients, a place in the order to us.

use crate::ids;

/// A place in a sorted list: the sort key, and the id that breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    pub key: i64,
    pub id: u64,
}

impl Cursor {
    /// The form for URLs.
    pub fn text(self) -> String {
        let plain = format!("cursor:v2:{}:{}", self.key, self.id);
        ids::hex(plain.as_bytes())
    }

    pub fn parse(text: &str) -> Option<Self> {
        let pairs = text.as_bytes().chunks(2);
        let plain: Option<Vec<u8>> =
            pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        let plain = String::from_utf8(plain?).ok()?;
        let (key, id) = plain.strip_prefix("cursor:v2:")?.split_once(':')?;
        Some(Self { key: key.parse().ok()?, id: id.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_a_url() {
        let cursor = Cursor { key: -7, id: 42 };
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        assert_eq!(Cursor::parse("zz"), None);
        assert_eq!(Cursor::parse(""), None);
    }
}
