//! Who calls: personal access tokens, Apps and their installations, and what each may do.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::apps::{Apps, Flaw};
use crate::ids;
use crate::state::Repository;

/// What a token may do with repositories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Neither issues nor pull requests, but the metadata that every grant brings: in private repositories their
    /// routes answer 403 "Resource not accessible by …".
    None,
    /// Only read; a write answers 403 "Resource not accessible by personal access token" (or "by integration").
    Read,
    /// Read and write; what a token has at first.
    #[default]
    Write,
}

/// The sender of one request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Token {
        token: String,
        login: String,
        permission: Permission,
        /// A classic token's, separated by commas; `None` for a fine-grained one.
        scopes: Option<String>,
        /// What it may do with webhooks.
        hooks: Permission,
    },
    /// An installation of an App, by one of its tokens.
    Installation {
        id: u64,
        account: String,
        login: String,
        token: String,
        permission: Permission,
    },
    /// An App as itself, by a JSON web token.
    App {
        id: u64,
    },
    Anonymous,
}

/// Why a caller is turned away before its request is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    BadCredentials,
    /// A JSON web token that GitHub does not take.
    Jwt(Flaw),
    /// An installation that its owner suspended.
    Suspended,
}

impl Caller {
    /// What limits are kept by: an installation keeps its own over all of its tokens
    /// (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#primary-rate-limit-for-github-app-installations).
    pub fn limit_key(&self) -> String {
        match self {
            Self::Token { token, .. } => token.clone(),
            Self::Installation { id, .. } => format!("installation {id}"),
            Self::App { id } => format!("app {id}"),
            Self::Anonymous => "anonymous".to_owned(),
        }
    }

    /// What `ETags` are made for.
    pub fn tag_key(&self) -> &str {
        match self {
            Self::Token { token, .. } | Self::Installation { token, .. } => token,
            Self::App { .. } => "app",
            Self::Anonymous => "anonymous",
        }
    }

    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    pub fn can_write(&self) -> bool {
        match self {
            Self::Token { permission: Permission::Write, scopes, .. } => {
                scopes.as_deref().is_none_or(|scopes| has(scopes, "repo") || has(scopes, "public_repo"))
            }
            Self::Installation { permission, .. } => *permission == Permission::Write,
            Self::Token { .. } | Self::App { .. } | Self::Anonymous => false,
        }
    }

    /// Whether it reads issues and pull requests there; public ones need no permission
    /// (docs.github.com/rest/issues/issues#list-repository-issues).
    pub fn may_read_issues(&self, repo: &Repository) -> bool {
        let denied = matches!(
            self,
            Self::Token { permission: Permission::None, .. }
                | Self::Installation { permission: Permission::None, .. }
        );
        !repo.is_private || !denied
    }

    /// What the caller may do with a repository's webhooks: a fine-grained token by its permission "Webhooks", a
    /// classic one by its scopes (docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps). An
    /// App has a webhook of its own and is not granted those of repositories here.
    pub fn hooks(&self) -> Permission {
        match self {
            Self::Token { scopes: Some(scopes), .. } => {
                let any = |wanted: &[&str]| wanted.iter().any(|scope| has(scopes, scope));
                match () {
                    () if any(&["repo", "admin:repo_hook", "write:repo_hook"]) => Permission::Write,
                    () if any(&["read:repo_hook"]) => Permission::Read,
                    () => Permission::None,
                }
            }
            Self::Token { hooks, .. } => *hooks,
            Self::Installation { .. } | Self::App { .. } | Self::Anonymous => Permission::None,
        }
    }

    /// The scopes of a classic token
    /// (docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps).
    pub fn scopes(&self) -> Option<&str> {
        match self {
            Self::Token { scopes, .. } => scopes.as_deref(),
            Self::Installation { .. } | Self::App { .. } | Self::Anonymous => None,
        }
    }

    /// Whether the repository exists for this caller; an installation sees those of its account only.
    pub fn may_see(&self, repo: &Repository) -> bool {
        match self {
            // Without the scope `repo` a classic token sees what everybody sees.
            Self::Token { scopes: Some(scopes), .. } => !repo.is_private || has(scopes, "repo"),
            Self::Token { scopes: None, .. } => true,
            Self::Installation { account, .. } => repo.owner.eq_ignore_ascii_case(account),
            Self::App { .. } => false,
            Self::Anonymous => !repo.is_private,
        }
    }

    /// The login that signs what the caller writes.
    pub fn login(&self) -> &str {
        match self {
            Self::Token { login, .. } | Self::Installation { login, .. } => login,
            Self::App { .. } | Self::Anonymous => "ghost",
        }
    }
}

fn has(scopes: &str, wanted: &str) -> bool {
    scopes.split(',').any(|scope| scope.trim() == wanted)
}

#[derive(Debug)]
struct Holder {
    login: String,
    permission: Permission,
    scopes: Option<String>,
    hooks: Permission,
}

/// The tokens that are valid now, and the Apps.
#[derive(Debug)]
pub(crate) struct Access {
    pub apps: Apps,
    holders: HashMap<String, Holder>,
    given: usize,
}

impl Access {
    pub fn new(first: String, seed: u64) -> Self {
        let mut access = Self { apps: Apps::new(seed), holders: HashMap::new(), given: 0 };
        access.grant(first);
        access
    }

    /// Makes a token valid; each belongs to a user of its own.
    pub fn grant(&mut self, token: String) {
        self.given += 1;
        let login = match self.given {
            1 => "dispatch-bot".to_owned(),
            n => format!("dispatch-bot-{n}"),
        };
        let (permission, hooks) = (Permission::Write, Permission::Write);
        self.holders.entry(token).or_insert(Holder { login, permission, scopes: None, hooks });
    }

    pub fn revoke(&mut self, token: &str) {
        self.holders.remove(token);
        self.apps.revoke(token);
    }

    /// Whether the token is valid and now has that permission.
    pub fn permit(&mut self, token: &str, permission: Permission) -> bool {
        match self.holders.get_mut(token) {
            Some(holder) => {
                holder.permission = permission;
                true
            }
            None => false,
        }
    }

    /// Whether the token is valid and now has that permission for webhooks.
    pub fn permit_hooks(&mut self, token: &str, permission: Permission) -> bool {
        let holder = self.holders.get_mut(token);
        holder.map(|holder| holder.hooks = permission).is_some()
    }

    /// Makes a token a classic one; whether it is valid.
    pub fn set_scopes(&mut self, token: &str, scopes: &str) -> bool {
        match self.holders.get_mut(token) {
            Some(holder) => {
                holder.scopes = Some(scopes.to_owned());
                true
            }
            None => false,
        }
    }

    /// Reads an `Authorization` header, `Bearer` or `token`
    /// (docs.github.com/rest/authentication/authenticating-to-the-rest-api).
    pub fn identify(&self, authorization: Option<&str>, now_s: i64) -> Result<Caller, Denial> {
        let Some(header) = authorization else {
            return Ok(Caller::Anonymous);
        };
        let (scheme, token) = header.split_once(' ').ok_or(Denial::BadCredentials)?;
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
            return Err(Denial::BadCredentials);
        }
        let token = token.trim();
        if let Some(Holder { login, permission, scopes, hooks }) = self.holders.get(token) {
            let (login, scopes) = (login.clone(), scopes.clone());
            let (permission, hooks) = (*permission, *hooks);
            return Ok(Caller::Token { token: token.to_owned(), login, permission, scopes, hooks });
        }
        if token.split('.').count() == 3 {
            return self.apps.verify(token, now_s).map(|id| Caller::App { id }).map_err(Denial::Jwt);
        }
        self.apps.holder_of(token, now_s)
    }
}

/// The number GitHub puts into its limit messages.
pub(crate) fn user_id(caller: &Caller) -> u64 {
    ids::user(caller.login())
}
