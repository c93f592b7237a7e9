//! RS256 for `jsonwebtoken` by `ring`, which does our TLS already: the crate's own back ends are a second
//! crypto library each (`aws-lc-rs`, or a dozen crates of `RustCrypto` with an `rsa` of known timing leaks).

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Signer},
};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `jsonwebtoken` sign by `ring` in this process.
pub(super) fn install() {
    // An error means that it was installed before.
    let _ = PROVIDER.install_default();
}

struct Rs256(RsaKeyPair);

impl Signer<Vec<u8>> for Rs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| Error::new())?;
        Ok(signature)
    }
}

impl JwtSigner for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that `CryptoProvider` asks for")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    if *algorithm != Algorithm::RS256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    // The two forms of DER exclude each other: the second element is a number in one, a sequence in the other.
    let pair = RsaKeyPair::from_der(key.as_bytes()).or_else(|_| RsaKeyPair::from_pkcs8(key.as_bytes()));
    let pair = pair.map_err(|_| ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(Rs256(pair)))
}

/// Nobody sends us tokens to verify.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that `CryptoProvider` asks for")]
fn verifier(_: &Algorithm, _: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}
