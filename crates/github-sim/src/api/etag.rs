//! Weak `ETags`, different for each token
//! (docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api).

use sha2::{Digest, Sha256};

use crate::ids;

/// `W/"…"` over a representation and the token it was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub String);

/// Collects what a representation depends on.
pub(crate) struct Recipe(Sha256);

impl Recipe {
    pub fn new(caller_key: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(caller_key);
        Self(hash)
    }

    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    pub fn tag(self) -> Tag {
        Tag(format!("W/\"{}\"", ids::hex(&self.0.finalize())))
    }
}

impl Tag {
    /// Whether `If-None-Match` names it, by weak comparison (RFC 9110, 13.1.2).
    pub fn is_in(&self, if_none_match: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = opaque(&self.0);
        if_none_match.split(',').any(|candidate| candidate.trim() == "*" || opaque(candidate) == own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_by_token_and_content_and_compare_weakly() {
        let tag = Recipe::new("a").number(1).tag();
        assert_eq!(tag, Recipe::new("a").number(1).tag());
        assert_ne!(tag, Recipe::new("b").number(1).tag());
        assert_ne!(tag, Recipe::new("a").number(2).tag());
        assert!(tag.is_in(&tag.0));
        assert!(tag.is_in(&format!("\"x\", {}", tag.0.trim_start_matches("W/"))));
        assert!(tag.is_in("*"));
        assert!(!tag.is_in("\"x\""));
    }
}
