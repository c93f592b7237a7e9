//! GitHub's JSON, as far as examinations read it
//! (docs.github.com/rest/rate-limit/rate-limit, docs.github.com/rest/users/users, docs.github.com/rest/apps/apps).

use serde::Deserialize;

use super::Identity;
use crate::{
    domain::{repo::RepoName, time::Timestamp},
    github::limits::Quota,
};

#[derive(Deserialize)]
pub(super) struct RateLimits {
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    core: Hour,
}

#[derive(Deserialize)]
struct Hour {
    limit: u32,
    remaining: u32,
    reset: i64,
}

impl From<RateLimits> for Quota {
    fn from(RateLimits { resources: Resources { core } }: RateLimits) -> Self {
        let resets_at = Timestamp(core.reset.saturating_mul(1_000));
        Self { limit: core.limit, remaining: core.remaining, resets_at }
    }
}

#[derive(Deserialize)]
pub(super) struct User {
    pub login: String,
}

/// What an installation may do with one kind of thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// Not among what was granted.
    #[default]
    None,
    Read,
    #[serde(alias = "admin")]
    Write,
}

/// What an installation was granted, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Grants {
    #[serde(default)]
    pub metadata: Grant,
    #[serde(default)]
    pub issues: Grant,
    #[serde(default)]
    pub pull_requests: Grant,
}

#[derive(Deserialize)]
pub(super) struct Installed {
    app_slug: String,
    account: Option<Account>,
    permissions: Grants,
    suspended_at: Option<Timestamp>,
}

/// An enterprise has a slug in the place of a login.
#[derive(Deserialize)]
struct Account {
    #[serde(alias = "slug")]
    login: Option<String>,
}

impl From<Installed> for Identity {
    fn from(installed: Installed) -> Self {
        let account = installed.account.and_then(|account| account.login);
        Self::Installation {
            app: installed.app_slug,
            account: account.unwrap_or_else(|| "an account without a name".to_owned()),
            grants: installed.permissions,
            is_suspended: installed.suspended_at.is_some(),
        }
    }
}

/// A repository.
#[derive(Deserialize)]
pub(super) struct Repo {
    pub full_name: RepoName,
    pub archived: bool,
    pub has_issues: bool,
    pub private: bool,
    /// Of the user behind the token; GitHub tells nobody else.
    pub permissions: Option<Role>,
}

#[derive(Deserialize)]
pub(super) struct Role {
    #[serde(default)]
    pub triage: bool,
    #[serde(default)]
    pub push: bool,
}
