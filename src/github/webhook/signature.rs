//! Signatures of deliveries (docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries).

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// The secrets that GitHub may have signed with: one, and while it is replaced two.
#[derive(Clone)]
pub struct Secrets(Vec<SecretString>);

/// Why texts cannot be secrets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretsFault {
    #[error("one of the secrets is empty")]
    Empty,
    #[error("more than two secrets; name the old and the new one while you replace it")]
    TooMany,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        let shown = |secrets: &Self| -> Vec<String> {
            secrets.0.iter().map(|secret| secret.expose_secret().to_owned()).collect()
        };
        shown(self) == shown(other)
    }
}

impl Eq for Secrets {}

impl Secrets {
    /// One secret, or the old and then the new one with a comma between.
    pub fn parse(text: &str) -> Result<Self, SecretsFault> {
        let secrets: Vec<SecretString> = text.split(',').map(|secret| secret.trim().into()).collect();
        if secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
            return Err(SecretsFault::Empty);
        }
        if secrets.len() > 2 {
            return Err(SecretsFault::TooMany);
        }
        Ok(Self(secrets))
    }

    /// What new webhooks are to be signed with.
    pub fn newest(&self) -> &SecretString {
        // Made of one or two.
        &self.0[self.0.len() - 1]
    }

    /// The length of the shortest; short ones can be guessed.
    pub fn shortest(&self) -> usize {
        self.0.iter().map(|secret| secret.expose_secret().len()).min().unwrap_or(0)
    }

    /// Is this the value of `X-Hub-Signature-256` that one of the secrets gives to these bytes? The comparison takes
    /// the same time wherever they differ.
    pub fn verify(&self, signature: &str, body: &[u8]) -> bool {
        let Some(tag) = signature.strip_prefix("sha256=").and_then(bytes_of) else { return false };
        let is_signed_with = |secret: &SecretString| {
            // HMAC takes keys of any length.
            let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
                return false;
            };
            mac.chain_update(body).verify_slice(&tag).is_ok()
        };
        self.0.iter().fold(false, |is_signed, secret| is_signed_with(secret) | is_signed)
    }
}

/// 32 bytes out of hexadecimal.
fn bytes_of(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |at: usize| char::from(digits[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = digit(2 * at)? << 4 | digit(2 * at + 1)?;
    }
    Some(bytes)
}
