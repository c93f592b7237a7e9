//! The private key of a GitHub App, and the JSON web tokens that it signs
//! (docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app).

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::signature::RsaKeyPair;
use rustls::pki_types::{
    PrivateKeyDer,
    pem::{self, PemObject as _},
};
use serde::Serialize;

use super::rs256;
use crate::domain::time::Timestamp;

/// GitHub advises to set `iat` back: its clock may be behind ours.
const SET_BACK: Duration = Duration::from_mins(1);

/// GitHub takes at most 10 minutes; one less leaves room for clocks that disagree.
const LIFETIME: Duration = Duration::from_mins(9);

/// An RSA key that was checked; never printed, and wiped from memory when dropped.
#[derive(Clone, Debug)]
pub struct AppKey(EncodingKey);

/// Why a text is not the private key of a GitHub App. No message holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("it is no PEM file (no line `-----BEGIN … PRIVATE KEY-----`)")]
    NotPem,
    #[error("it is cut or damaged: its end or its line ends are missing, or what is between is not base64")]
    Damaged,
    #[error("it is a public key or certificate; GitHub keeps that half, set the private one")]
    Public,
    #[error("it is encrypted; remove the passphrase (openssl rsa -in KEY -out KEY)")]
    Encrypted,
    #[error("it is an OpenSSH key; GitHub hands out `-----BEGIN RSA PRIVATE KEY-----`")]
    OpenSsh,
    #[error("it is no RSA key, which GitHub Apps sign with")]
    NotRsa,
    #[error("it cannot be read as an RSA key of 2048 to 4096 bits")]
    Unusable,
}

#[derive(Serialize)]
struct Claims<'i> {
    iat: i64,
    exp: i64,
    iss: &'i str,
}

impl AppKey {
    /// Reads PKCS#1 (`BEGIN RSA PRIVATE KEY`) and PKCS#8 (`BEGIN PRIVATE KEY`). A `\n` in two characters counts
    /// as the end of a line: many secret stores hold one line only.
    pub fn from_pem(text: &str) -> Result<Self, KeyFault> {
        let text = text.replace("\\r", "").replace("\\n", "\n");
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| fault(&error, &text))?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            _ => return Err(KeyFault::NotRsa),
        };
        pair.map_err(|_| KeyFault::Unusable)?;
        Ok(Self(EncodingKey::from_rsa_der(der.secret_der())))
    }

    /// The token by which the App shows itself.
    pub(in crate::github) fn sign(
        &self,
        app: &str,
        now: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        rs256::install();
        let second = |at: Timestamp| at.0.div_euclid(1_000);
        let claims = Claims { iat: second(now.minus(SET_BACK)), exp: second(now.plus(LIFETIME)), iss: app };
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.0)
    }
}

/// What is wrong with a text that holds no private key in PEM.
fn fault(error: &pem::Error, text: &str) -> KeyFault {
    if !matches!(error, pem::Error::NoItemsFound) {
        return KeyFault::Damaged;
    }
    let begins = |kind: &str| text.contains(&format!("-----BEGIN {kind}-----"));
    if begins("ENCRYPTED PRIVATE KEY") {
        KeyFault::Encrypted
    } else if begins("OPENSSH PRIVATE KEY") {
        KeyFault::OpenSsh
    } else if ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"].into_iter().any(begins) {
        KeyFault::Public
    } else {
        KeyFault::NotPem
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use github_sim::{Sim, SimApp};
    use serde_json::{Value, json};

    use super::*;

    async fn app() -> SimApp {
        Sim::start().await.create_app(7)
    }

    #[tokio::test]
    async fn both_forms_are_read_also_on_one_line() {
        let app = app().await;
        for pem in [app.private_key_pem(), app.private_key_pkcs8_pem()] {
            let one_line = pem.replace('\n', "\\n");
            let carriage = pem.replace('\n', "\r\n");
            for text in [&pem, &one_line, &carriage, &one_line.replace("\\n", "\\r\\n")] {
                let key = AppKey::from_pem(text).unwrap();
                assert!(!format!("{key:?}").contains(&pem[40..60]));
            }
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused_and_never_shown() {
        let pem = app().await.private_key_pem();
        let renamed = |kind: &str| pem.replace("RSA PRIVATE KEY", kind);
        let cases = [
            (String::new(), KeyFault::NotPem),
            ("secret".to_owned(), KeyFault::NotPem),
            (pem.replace('\n', " "), KeyFault::Damaged),
            (pem[..200].to_owned(), KeyFault::Damaged),
            (pem.replacen("MII", "M!I", 1), KeyFault::Damaged),
            (renamed("PUBLIC KEY"), KeyFault::Public),
            (renamed("ENCRYPTED PRIVATE KEY"), KeyFault::Encrypted),
            (renamed("OPENSSH PRIVATE KEY"), KeyFault::OpenSsh),
            (renamed("EC PRIVATE KEY"), KeyFault::NotRsa),
            (renamed("PRIVATE KEY"), KeyFault::Unusable),
        ];
        for (text, want) in cases {
            let fault = AppKey::from_pem(&text).unwrap_err();
            assert_eq!(fault, want);
            assert!(!fault.to_string().contains("secret") && !format!("{fault:?}").contains("MII"));
        }
    }

    #[tokio::test]
    async fn a_token_says_who_and_for_how_long() {
        let key = AppKey::from_pem(&app().await.private_key_pem()).unwrap();
        let token = key.sign("7", Timestamp(1_000_500)).unwrap();
        let part = |n: usize| -> Value {
            let text = token.split('.').nth(n).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
        };
        assert_eq!(part(0), json!({ "typ": "JWT", "alg": "RS256" }));
        assert_eq!(part(1), json!({ "iat": 940, "exp": 1_540, "iss": "7" }));
    }
}
