//! What a handler knows of the request it serves.

use hyper::StatusCode;
use parking_lot::Mutex;

use super::Reply;
use super::etag::{Recipe, Tag};
use crate::access::{Access, Caller};
use crate::config::SimConfig;
use crate::limits::Standing;
use crate::server::Ask;
use crate::state::{Stamp, World};

/// One request that was let in.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub ask: &'a Ask,
    pub caller: &'a Caller,
    pub config: &'a SimConfig,
    /// For the routes about Apps.
    pub access: &'a Mutex<Access>,
    pub now_s: i64,
    /// `None` also when a fault is about the body, which a 304 does not have.
    pub if_none_match: Option<&'a str>,
    pub standing: Standing,
}

impl Context<'_> {
    /// Signs a change with the caller and the time.
    pub fn stamp(&self) -> Stamp<'_> {
        Stamp { actor: self.caller.login(), now: self.now_s }
    }

    /// Starts the tag of a representation for this caller.
    pub fn recipe(&self) -> Recipe {
        Recipe::new(self.caller.tag_key())
    }

    /// 304 if the client holds that representation.
    pub fn unchanged(&self, tag: &Tag) -> Option<Reply> {
        let is_held = self.if_none_match.is_some_and(|held| tag.is_in(held));
        is_held.then(|| Reply::not_modified(tag.clone()))
    }

    /// Tags a whole answer to a read by its body, unless its handler did better.
    pub fn tag(&self, reply: Reply) -> Reply {
        if reply.tag.is_some() || reply.status != StatusCode::OK || !self.ask.is_read() {
            return reply;
        }
        let tag = self.recipe().bytes(&reply.body).tag();
        self.unchanged(&tag).unwrap_or_else(|| reply.tagged(tag))
    }

    /// The URL of the asked list without its query, as `Link` spells it.
    pub fn list_url(&self, world: &World, repo: u64) -> String {
        let api = &world.urls.api;
        let rest = &self.ask.route.rest;
        match world.repo(repo) {
            Some(repo) if !self.config.repository_urls_in_links => {
                format!("{}{rest}", world.urls.repo(&repo.full_name()))
            }
            _ => format!("{api}/repositories/{repo}{rest}"),
        }
    }
}
