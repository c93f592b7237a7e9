//! Who we are to GitHub: a personal access token, an App with its installations, or nobody.

mod installations;
mod key;
mod rs256;
mod tokens;

use std::sync::Arc;

pub use installations::{InstallationId, Installations};
pub use key::{AppKey, KeyFault};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::settings::StartError;
use crate::domain::{ids::TokenId, time::Timestamp};
use tokens::Tokens;
pub(super) use tokens::{Fetched, NoToken};

/// What to show to GitHub.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A personal access token; white space around it does not count.
    Token(SecretString),
    /// A GitHub App.
    App(AppCredentials),
    /// Nothing: public repositories only, 60 requests an hour.
    Anonymous,
}

/// What a GitHub App shows itself by, and where it is installed.
#[derive(Clone, Debug)]
pub struct AppCredentials {
    /// The App's number or its client id.
    pub app: String,
    pub key: AppKey,
    pub installations: Installations,
}

/// One set of credentials, with limits of its own at GitHub: a token, an installation, or nothing.
pub(super) enum Auth {
    Token(Shown),
    Installation(Box<Installation>),
    Anonymous(Shown),
}

/// One installation of the App.
pub(super) struct Installation {
    pub id: InstallationId,
    pub tokens: Tokens,
    app: Arc<AppCredentials>,
}

impl Installation {
    /// The JSON web token by which the App asks for a token of the installation.
    pub fn app_token(&self, now: Timestamp) -> Option<HeaderValue> {
        let token = self.app.key.sign(&self.app.app, now).ok()?;
        bearer(&token).ok()?.header
    }
}

/// Credentials made ready, and whose repositories they are for.
pub(super) struct Account {
    /// As the operator spells it; none for everybody else's.
    pub owners: Vec<String>,
    pub is_default: bool,
    pub auth: Auth,
}

/// What one request shows.
#[derive(Clone)]
pub(super) struct Shown {
    /// The value of `Authorization`; marked sensitive, so that no log prints it.
    pub header: Option<HeaderValue>,
    pub id: TokenId,
}

/// The accounts that these credentials make.
pub(super) fn accounts(credentials: &Credentials) -> Result<Vec<Account>, StartError> {
    let alone = |auth| vec![Account { owners: Vec::new(), is_default: true, auth }];
    match credentials {
        Credentials::Anonymous => {
            Ok(alone(Auth::Anonymous(Shown { header: None, id: TokenId("anonymous".to_owned()) })))
        }
        Credentials::Token(secret) => Ok(alone(Auth::Token(bearer(secret.expose_secret().trim())?))),
        Credentials::App(app) => Ok(installed(&Arc::new(app.clone()))),
    }
}

/// One account for each installation, however many owners it is named for.
fn installed(app: &Arc<AppCredentials>) -> Vec<Account> {
    let Installations { by_owner, default } = &app.installations;
    let mut accounts: Vec<(InstallationId, Account)> = Vec::new();
    let named = by_owner.iter().map(|(owner, id)| (Some(owner.clone()), *id));
    for (owner, id) in named.chain(default.map(|id| (None, id))) {
        let is_default = owner.is_none();
        if let Some((_, account)) = accounts.iter_mut().find(|(known, _)| *known == id) {
            account.owners.extend(owner);
            account.is_default |= is_default;
            continue;
        }
        let installation = Installation { id, tokens: Tokens::default(), app: Arc::clone(app) };
        let auth = Auth::Installation(Box::new(installation));
        accounts.push((id, Account { owners: owner.into_iter().collect(), is_default, auth }));
    }
    accounts.into_iter().map(|(_, account)| account).collect()
}

impl Auth {
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous(_))
    }

    /// Whether a new token may help where this one was refused; if so, this one is shown no more.
    pub fn give_up(&self, refused: &TokenId) -> bool {
        match self {
            Self::Installation(installation) => {
                installation.tokens.forget(refused);
                true
            }
            Self::Token(_) | Self::Anonymous(_) => false,
        }
    }
}

/// A token that GitHub gave out.
pub(super) fn fetched(token: &str, ends_at: Timestamp) -> Option<Fetched> {
    Some(Fetched { shown: bearer(token).ok()?, ends_at })
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

    fn alone(credentials: &Credentials) -> Result<Auth, StartError> {
        let mut accounts = accounts(credentials)?;
        assert!(accounts.len() == 1 && accounts[0].is_default);
        Ok(accounts.remove(0).auth)
    }

    fn token(text: &str) -> Result<Auth, StartError> {
        alone(&Credentials::Token(text.into()))
    }

    #[test]
    fn a_token_is_named_by_its_hash_and_never_printed() {
        let auth = token(" abc\n").unwrap();
        assert!(!auth.is_anonymous() && !auth.give_up(&TokenId(String::new())));
        let Auth::Token(shown) = auth else { panic!("no token") };
        // printf abc | sha256sum
        assert_eq!(shown.id.0, "ba7816bf8f01cfea");
        let header = shown.header.unwrap();
        assert_eq!(header, "Bearer abc");
        assert!(!format!("{header:?}").contains("abc"));
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_at_the_start() {
        for bad in ["", "  ", "a b", "a\nb", "ä"] {
            assert!(matches!(token(bad), Err(StartError::Token)), "{bad:?}");
        }
    }

    #[test]
    fn anonymous_shows_nothing() {
        let auth = alone(&Credentials::Anonymous).unwrap();
        assert!(auth.is_anonymous());
        assert!(matches!(auth, Auth::Anonymous(Shown { header: None, id }) if id.0 == "anonymous"));
    }

    #[tokio::test]
    async fn an_installation_is_one_account_for_all_of_its_owners() {
        let sim = github_sim::Sim::start().await;
        let key = AppKey::from_pem(&sim.create_app(7).private_key_pem()).unwrap();
        let installations = "acme:1,beta:2,gamma:1,2".parse().unwrap();
        let app = AppCredentials { app: "7".to_owned(), key, installations };
        let accounts = accounts(&Credentials::App(app)).unwrap();
        let owners: Vec<_> = accounts.iter().map(|it| (it.owners.join(" "), it.is_default)).collect();
        assert_eq!(owners, [("acme gamma".to_owned(), false), ("beta".to_owned(), true)]);
    }
}
