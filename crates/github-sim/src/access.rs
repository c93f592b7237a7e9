//! Who calls: personal access tokens and what they may do.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::ids;

/// What a token may do with repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Only read; a write answers 403 "Resource not accessible by personal access token".
    Read,
    /// Read and write; what a token has at first.
    Write,
}

/// The sender of one request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Token { token: String, login: String, permission: Permission },
    Anonymous,
}

impl Caller {
    /// What limits and `ETags` are kept by.
    pub fn key(&self) -> &str {
        match self {
            Self::Token { token, .. } => token,
            Self::Anonymous => "anonymous",
        }
    }

    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    pub fn can_write(&self) -> bool {
        matches!(self, Self::Token { permission: Permission::Write, .. })
    }

    /// The login that signs what the caller writes.
    pub fn login(&self) -> &str {
        match self {
            Self::Token { login, .. } => login,
            Self::Anonymous => "ghost",
        }
    }
}

#[derive(Debug)]
struct Holder {
    login: String,
    permission: Permission,
}

/// The tokens that are valid now.
#[derive(Debug)]
pub(crate) struct Access {
    holders: HashMap<String, Holder>,
    given: usize,
}

impl Access {
    pub fn new(first: String) -> Self {
        let mut access = Self { holders: HashMap::new(), given: 0 };
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
        self.holders.entry(token).or_insert(Holder { login, permission: Permission::Write });
    }

    pub fn revoke(&mut self, token: &str) {
        self.holders.remove(token);
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

    /// Reads an `Authorization` header, `Bearer` or `token`
    /// (docs.github.com/rest/authentication/authenticating-to-the-rest-api); `None` is 401.
    pub fn identify(&self, authorization: Option<&str>) -> Option<Caller> {
        let Some(header) = authorization else {
            return Some(Caller::Anonymous);
        };
        let (scheme, token) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
            return None;
        }
        let token = token.trim();
        let holder = self.holders.get(token)?;
        Some(Caller::Token {
            token: token.to_owned(),
            login: holder.login.clone(),
            permission: holder.permission,
        })
    }
}

/// The number GitHub puts into its limit messages.
pub(crate) fn user_id(caller: &Caller) -> u64 {
    ids::user(caller.login())
}
