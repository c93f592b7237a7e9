//! GitHub Apps: their keys, their installations, and the tokens of those
//! (docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app).

mod jwt;
#[cfg(feature = "apps")]
mod keys;
#[cfg(not(feature = "apps"))]
#[path = "no_keys.rs"]
mod keys;

use std::collections::{BTreeMap, HashMap};

use crate::access::{Caller, Denial, Permission};
use crate::ids;

pub(crate) use jwt::Flaw;
#[cfg(feature = "apps")]
pub(crate) use keys::Pair;
pub(crate) use keys::Public;

/// An installation token lives this long
/// (docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app).
const LIFETIME_S: i64 = 3_600;

/// An App that was registered.
#[derive(Debug)]
pub(crate) struct App {
    pub id: u64,
    pub slug: String,
    pub created_at: i64,
    key: Public,
}

impl App {
    pub fn client_id(&self) -> String {
        format!("Iv23lisim{:011}", self.id)
    }
}

/// An App on an account.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub id: u64,
    pub app: u64,
    pub account: String,
    pub permission: Permission,
    pub created_at: i64,
    pub suspended_at: Option<i64>,
}

#[derive(Debug)]
struct Grant {
    installation: u64,
    expires_s: i64,
}

/// All Apps, their installations and the tokens given out.
#[derive(Debug)]
pub(crate) struct Apps {
    seed: u64,
    registered: BTreeMap<u64, App>,
    installations: BTreeMap<u64, Installation>,
    tokens: HashMap<String, Grant>,
    given: u64,
}

impl Apps {
    pub fn new(seed: u64) -> Self {
        let (registered, installations) = (BTreeMap::new(), BTreeMap::new());
        Self { seed, registered, installations, tokens: HashMap::new(), given: 0 }
    }

    pub fn add(&mut self, id: u64, key: Public, now_s: i64) {
        let slug = format!("dispatch-sim-{id}");
        self.registered.insert(id, App { id, slug, created_at: now_s, key });
    }

    pub fn app(&self, id: u64) -> Option<&App> {
        self.registered.get(&id)
    }

    /// Puts an App on an account. `None` if there is no such App.
    pub fn install(&mut self, app: u64, account: &str, permission: Permission, now_s: i64) -> Option<u64> {
        self.registered.get(&app)?;
        self.given += 1;
        let id = 50_000_000 + self.given;
        let account = account.to_owned();
        let installation =
            Installation { id, app, account, permission, created_at: now_s, suspended_at: None };
        self.installations.insert(id, installation);
        Some(id)
    }

    pub fn installation(&self, id: u64) -> Option<&Installation> {
        self.installations.get(&id)
    }

    pub fn installation_mut(&mut self, id: u64) -> Option<&mut Installation> {
        self.installations.get_mut(&id)
    }

    pub fn installations_of(&self, app: u64) -> impl Iterator<Item = &Installation> {
        self.installations.values().filter(move |installation| installation.app == app)
    }

    /// Takes the App off the account; its tokens end with it. `None` if it was not there.
    pub fn uninstall(&mut self, id: u64) -> Option<Installation> {
        self.revoke_all(id);
        self.installations.remove(&id)
    }

    /// Ends one token.
    pub fn revoke(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// Ends every token of an installation before its time.
    pub fn revoke_all(&mut self, installation: u64) {
        self.tokens.retain(|_, grant| grant.installation != installation);
    }

    /// A new token of an installation and the second at which it ends; older ones stay valid.
    pub fn mint(&mut self, installation: u64, now_s: i64) -> (String, i64) {
        self.given += 1;
        let token = ids::installation_token(self.seed, self.given);
        let expires_s = now_s + LIFETIME_S;
        self.tokens.retain(|_, grant| grant.expires_s > now_s);
        self.tokens.insert(token.clone(), Grant { installation, expires_s });
        (token, expires_s)
    }

    /// Who shows an installation token; one that ended is as bad as one that never was.
    pub fn holder_of(&self, token: &str, now_s: i64) -> Result<Caller, Denial> {
        let grant = self.tokens.get(token).filter(|grant| grant.expires_s > now_s);
        let installation = grant.and_then(|grant| self.installations.get(&grant.installation));
        let Some(Installation { id, app, account, permission, suspended_at, .. }) = installation else {
            return Err(Denial::BadCredentials);
        };
        if suspended_at.is_some() {
            return Err(Denial::Suspended);
        }
        let slug = self.registered.get(app).map_or("ghost", |app| app.slug.as_str());
        Ok(Caller::Installation {
            id: *id,
            account: account.clone(),
            login: format!("{slug}[bot]"),
            token: token.to_owned(),
            permission: *permission,
        })
    }

    /// The App that signed a JSON web token.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<u64, Flaw> {
        let parsed = jwt::parse(token)?;
        let issuer = |app: &&App| parsed.issuer == app.id.to_string() || parsed.issuer == app.client_id();
        let app = self.registered.values().find(issuer).ok_or(Flaw::UnknownApp)?;
        if !app.key.verifies(parsed.signed.as_bytes(), &parsed.signature) {
            return Err(Flaw::Undecodable);
        }
        parsed.check_times(now_s)?;
        Ok(app.id)
    }
}
