//! GitHub's REST API, as far as Dispatch uses it; knows nothing of the store.
//!
//! Everything goes through one [`GitHub`], which picks the credentials by the repository's owner, keeps to the documented limits
//! (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api) and never follows GitHub's word
//! to another host.

mod accounts;
mod actions;
mod answer;
mod app;
mod auth;
mod blockers;
mod client;
mod error;
mod examine;
mod hooks;
mod issues;
mod kind;
mod limits;
mod link;
mod lookup;
mod mint;
mod posts;
mod pulls;
mod settings;
mod talk;
#[cfg(test)]
mod tests;
mod verdict;
pub mod webhook;
mod wire;
mod writes;

use std::sync::Arc;

pub use accounts::Allowance;
pub use actions::JobLog;
pub use auth::{AppCredentials, AppKey, Credentials, InstallationId, Installations, KeyFault};
pub use client::Validator;
pub use error::{AppFault, Error};
pub use examine::{Examiner, Grant, Grants, Identity, Reached, RepoAccess, Silence, Trouble};
pub use hooks::{DeliveryPage, HookSource, HookWish, RemoteDelivery, Which};
pub use issues::{IssuePage, ListQuery, Order, Probe, StateFilter};
pub use limits::{Backoff, BackoffKind, Point, Quota};
pub use link::NextLink;
pub use lookup::{Lookup, RemoteRepo, Standing};
pub use posts::Found;
pub use pulls::Reading;
pub use settings::{Settings, StartError};
pub use writes::Home;

use crate::clock::{Clock, Ids};
use accounts::Accounts;

/// GitHub as our credentials see it. Clones share connections, tokens and limits.
#[derive(Clone)]
pub struct GitHub(Arc<Accounts>, Arc<str>);

impl GitHub {
    /// Sets up the client; sends nothing.
    pub fn new(settings: &Settings, clock: &Clock, ids: &Ids) -> Result<Self, StartError> {
        Ok(Self(Arc::new(Accounts::new(settings, clock, ids)?), settings.site().into()))
    }

    /// Where people open it: `https://github.com`, or a server of one's own.
    pub fn site(&self) -> &str {
        &self.1
    }
}
