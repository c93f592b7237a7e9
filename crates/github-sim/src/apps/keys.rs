//! RSA keys of Apps: made from a seed, so that none lies in a file, and checked against.
//!
//! A key of 2 048 bits takes about a tenth of a second.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rsa::pkcs1::{DecodeRsaPublicKey as _, EncodeRsaPrivateKey as _};
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::{DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::signature::Verifier as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha2::Sha256;

/// The half of a key that GitHub keeps.
#[derive(Debug)]
pub(crate) struct Public(VerifyingKey<Sha256>);

impl Public {
    /// Reads `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Option<Self> {
        let key = RsaPublicKey::from_public_key_pem(pem).ok();
        let key = key.or_else(|| RsaPublicKey::from_pkcs1_pem(pem).ok())?;
        Some(Self(VerifyingKey::new(key)))
    }

    /// Whether that key signed the message by RS256.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::try_from(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}

/// A whole key; the private half in both forms that programs meet.
pub(crate) struct Pair {
    pub public: Public,
    /// `BEGIN RSA PRIVATE KEY`, the form in which GitHub hands keys out.
    pub pkcs1: String,
    /// `BEGIN PRIVATE KEY`.
    pub pkcs8: String,
    /// `BEGIN PUBLIC KEY`.
    pub spki: String,
}

impl Pair {
    /// The same key for the same seed. Panics if the numbers run out, which they do not.
    pub fn generate(seed: u64) -> Self {
        let key = RsaPrivateKey::new(&mut StdRng::seed_from_u64(seed), 2_048).expect("two primes");
        let pkcs1 = key.to_pkcs1_pem(LineEnding::LF).expect("a key in PEM").to_string();
        let pkcs8 = key.to_pkcs8_pem(LineEnding::LF).expect("a key in PEM").to_string();
        let public = key.to_public_key();
        let spki = public.to_public_key_pem(LineEnding::LF).expect("a key in PEM");
        Self { public: Public(VerifyingKey::new(public)), pkcs1, pkcs8, spki }
    }
}
