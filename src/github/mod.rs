//! GitHub's REST API, as far as Dispatch reads it; knows nothing of the store.
//!
//! Everything goes through one [`GitHub`] per token, which keeps to the documented limits
//! (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api) and never follows GitHub's word
//! to another host.

mod answer;
mod auth;
mod client;
mod error;
mod issues;
mod limits;
mod link;
mod lookup;
mod settings;
#[cfg(test)]
mod tests;
mod verdict;
mod wire;

use std::sync::Arc;

pub use auth::Credentials;
pub use error::Error;
pub use issues::{IssuePage, ListQuery, Order, Probe, StateFilter};
pub use limits::{Backoff, BackoffKind, Point, Quota};
pub use link::NextLink;
pub use lookup::{Lookup, RemoteRepo};
pub use settings::{Settings, StartError};

use crate::{
    clock::{Clock, Ids},
    domain::ids::TokenId,
};
use client::Client;

/// GitHub as one token sees it. Clones share connections and limits.
#[derive(Clone)]
pub struct GitHub(Arc<Client>);

impl GitHub {
    /// Sets up the client; sends nothing.
    pub fn new(settings: Settings, clock: Clock, ids: Ids) -> Result<Self, StartError> {
        Ok(Self(Arc::new(Client::new(settings, clock, ids)?)))
    }

    /// Does it read without credentials: public repositories only, 60 requests an hour?
    pub fn is_anonymous(&self) -> bool {
        self.0.auth.is_anonymous()
    }

    /// Names the credentials in use without telling them; an `ETag` belongs to one.
    pub fn token_id(&self) -> TokenId {
        self.0.auth.present().id.clone()
    }

    /// Draws the point for an ordinary read, or says why none may begin now; never waits.
    pub fn admit(&self) -> Result<Point, Backoff> {
        self.0.limits.admit()
    }

    /// The back-off that holds now, if any. A lack of points is none.
    pub fn backoff(&self) -> Option<Backoff> {
        self.0.limits.backoff()
    }

    /// The hourly quota as an answer last told it.
    pub fn quota(&self) -> Option<Quota> {
        self.0.limits.quota()
    }
}
