//! The operator's name and password: whether a pair is the right one, remembered for a minute.

use std::time::Duration;

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier, phc::PasswordHash},
};
use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::domain::{
    digest::{hex, sha256},
    time::Timestamp,
};

/// So long a pair that was right need not be looked at again.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The pair that is right.
pub struct Password {
    user: String,
    secret: SecretString,
    /// The SHA-256 of the pair that was right last, and until when that counts.
    known: Mutex<Option<([u8; 32], Timestamp)>>,
}

/// A pair that somebody shows.
pub struct Pair {
    pub user: String,
    pub password: SecretString,
}

impl Pair {
    /// That of `Authorization: Basic …`.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, coded) = value.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(BASE64_STANDARD.decode(coded.trim()).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned().into() })
    }

    fn digest(&self) -> [u8; 32] {
        sha256(format!("{}:{}", self.user, self.password.expose_secret()))
    }
}

impl Password {
    pub const fn new(user: String, secret: SecretString) -> Self {
        Self { user, secret, known: Mutex::new(None) }
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// What sessions hang on that were opened by it, in the form of a token's id. It holds so little of the password
    /// that none can be tried against it, and enough that another password ends them.
    pub fn source(&self) -> String {
        let both = sha256(format!("{}:{}", self.user, self.secret.expose_secret()));
        hex(&sha256(format!("password {}", hex(&both[..2])))[..8])
    }

    /// Was this pair right within the last minute?
    pub fn knows(&self, pair: &Pair, now: Timestamp) -> bool {
        let known = *self.known.lock();
        known.is_some_and(|(digest, until)| now < until && bool::from(digest.ct_eq(&pair.digest())))
    }

    /// Is it right? It takes as long for a wrong name as for a wrong password.
    pub fn admits(&self, pair: &Pair, now: Timestamp) -> bool {
        let right_user = sha256(&self.user).ct_eq(&sha256(&pair.user));
        let admitted = bool::from(right_user) & self.is_right(pair.password.expose_secret());
        if admitted {
            *self.known.lock() = Some((pair.digest(), now.plus(REMEMBERED)));
        }
        admitted
    }

    fn is_right(&self, shown: &str) -> bool {
        let right = self.secret.expose_secret();
        if !right.starts_with("$argon2") {
            return sha256(right).ct_eq(&sha256(shown)).into();
        }
        PasswordHash::new(right)
            .is_ok_and(|hash| Argon2::default().verify_password(shown.as_bytes(), &hash).is_ok())
    }
}

/// Is this a text that can be checked against? For a hash that is cut short nobody would ever be let in.
pub fn is_usable(password: &str) -> bool {
    !password.starts_with("$argon2") || PasswordHash::new(password).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(user: &str, password: &str) -> Pair {
        Pair { user: user.to_owned(), password: password.to_owned().into() }
    }

    #[test]
    fn a_right_pair_is_remembered_for_a_minute() {
        let right = Password::new("ann".to_owned(), "secret".to_owned().into());
        assert!(!right.admits(&pair("ann", "wrong"), Timestamp(0)));
        assert!(!right.admits(&pair("bob", "secret"), Timestamp(0)));
        assert!(!right.knows(&pair("ann", "secret"), Timestamp(0)));
        assert!(right.admits(&pair("ann", "secret"), Timestamp(0)));
        assert!(right.knows(&pair("ann", "secret"), Timestamp(59_999)));
        assert!(!right.knows(&pair("ann", "secret"), Timestamp(60_000)));
        assert!(!right.knows(&pair("ann", "wrong"), Timestamp(0)));
    }

    #[test]
    fn a_hash_admits_what_it_is_of_and_not_itself() {
        use argon2::password_hash::PasswordHasher as _;
        let argon = Argon2::new(
            argon2::Algorithm::Argon2id,
            argon2::Version::V0x13,
            argon2::Params::new(64, 1, 1, None).unwrap(),
        );
        let hash = argon.hash_password_with_salt(b"secret", b"some salt here").unwrap().to_string();
        let right = Password::new("ann".to_owned(), hash.clone().into());
        assert!(right.admits(&pair("ann", "secret"), Timestamp(0)));
        assert!(!right.admits(&pair("ann", &hash), Timestamp(0)));
        assert!(is_usable(&hash) && is_usable("plain") && !is_usable("$argon2id$v=19$"));
    }

    #[test]
    fn a_changed_password_is_another_source() {
        let source = |password: &str| Password::new("ann".to_owned(), password.to_owned().into()).source();
        assert_eq!(source("one"), source("one"));
        assert_ne!(source("one"), source("two"));
    }
}
