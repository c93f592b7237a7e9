//! Instead of keys, where the feature `apps` is off: there are none, so there is no App.

/// The half of a key that GitHub keeps; nobody has one.
#[derive(Debug)]
pub(crate) struct Public;

impl Public {
    /// Reads no key.
    pub fn from_pem(_pem: &str) -> Option<Self> {
        None
    }

    /// Whether that key signed the message by RS256.
    pub fn verifies(&self, _message: &[u8], _signature: &[u8]) -> bool {
        false
    }
}
