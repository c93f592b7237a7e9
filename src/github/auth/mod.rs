//! Who we are to GitHub: a personal access token, or nobody.

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::settings::StartError;
use crate::domain::ids::TokenId;

/// What to show to GitHub.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A personal access token; white space around it does not count.
    Token(SecretString),
    /// Nothing: public repositories only, 60 requests an hour.
    Anonymous,
}

/// Credentials made ready for requests.
pub(super) enum Auth {
    Token(Shown),
    Anonymous(Shown),
}

/// What one request shows.
pub(super) struct Shown {
    /// The value of `Authorization`; marked sensitive, so that no log prints it.
    pub header: Option<HeaderValue>,
    pub id: TokenId,
}

impl Auth {
    pub fn new(credentials: &Credentials) -> Result<Self, StartError> {
        match credentials {
            Credentials::Anonymous => {
                Ok(Self::Anonymous(Shown { header: None, id: TokenId("anonymous".to_owned()) }))
            }
            Credentials::Token(secret) => Ok(Self::Token(bearer(secret.expose_secret().trim())?)),
        }
    }

    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous(_))
    }

    /// What a request that goes out now shows.
    pub fn present(&self) -> &Shown {
        match self {
            Self::Token(shown) | Self::Anonymous(shown) => shown,
        }
    }
}

fn bearer(token: &str) -> Result<Shown, StartError> {
    if token.is_empty() || !token.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(StartError::Token);
    }
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| StartError::Token)?;
    header.set_sensitive(true);
    Ok(Shown { header: Some(header), id: fingerprint(token) })
}

/// The first 16 hexadecimal digits of the token's SHA-256.
fn fingerprint(token: &str) -> TokenId {
    let digest = Sha256::digest(token);
    let start = digest.iter().take(8).fold(0, |start: u64, &byte| start << 8 | u64::from(byte));
    TokenId(format!("{start:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Result<Auth, StartError> {
        Auth::new(&Credentials::Token(text.into()))
    }

    #[test]
    fn a_token_is_named_by_its_hash_and_never_printed() {
        let auth = token(" abc\n").unwrap();
        // printf abc | sha256sum
        assert_eq!(auth.present().id.0, "ba7816bf8f01cfea");
        let header = auth.present().header.as_ref().unwrap();
        assert_eq!(header, "Bearer abc");
        assert!(!format!("{header:?}").contains("abc"));
        assert!(!auth.is_anonymous());
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_at_the_start() {
        for bad in ["", "  ", "a b", "a\nb", "ä"] {
            assert!(matches!(token(bad), Err(StartError::Token)), "{bad:?}");
        }
    }

    #[test]
    fn anonymous_shows_nothing() {
        let auth = Auth::new(&Credentials::Anonymous).unwrap();
        assert!(auth.is_anonymous());
        assert!(auth.present().header.is_none());
        assert_eq!(auth.present().id.0, "anonymous");
    }
}
