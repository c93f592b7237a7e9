//! The handle by which a test, a demo or the binary runs a simulator.

mod app;
mod code;
mod issues;
mod pulls;
mod repo;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::access::{Access, Permission};
use crate::clock::Clock;
use crate::config::SimConfig;
use crate::faults::{Fault, FaultBook, FaultId, HookHandle, Hooks, Match};
use crate::ids;
use crate::journal::{Counters, Exchange, Journal, RequestLog};
use crate::limits::Limits;
use crate::render::Urls;
use crate::server::Door;
use crate::state::{Found, World};

pub use app::SimApp;
pub use repo::Repo;

/// A running GitHub; clones are handles to the same one.
///
/// It answers until [`Sim::stop`] or the end of the runtime it was started on.
#[derive(Clone, Debug)]
pub struct Sim {
    pub(crate) core: Arc<Core>,
}

/// What all handles and connections share; each lock is held for one step and never while waiting.
#[derive(Debug)]
pub(crate) struct Core {
    pub config: SimConfig,
    pub world: Mutex<World>,
    pub access: Mutex<Access>,
    pub limits: Mutex<Limits>,
    pub journal: Mutex<Journal>,
    pub faults: Mutex<FaultBook>,
    pub hooks: Hooks,
    pub answered: AtomicU64,
    latency_us: AtomicU64,
    token: String,
    url: String,
    door: tokio::sync::Mutex<Option<Door>>,
    port: u16,
}

impl Core {
    pub fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_us.load(Ordering::Relaxed))
    }

    pub fn now_s(&self) -> i64 {
        self.config.clock.now_s()
    }
}

impl Sim {
    /// Starts with the defaults on a free port.
    pub async fn start() -> Self {
        Self::start_with(SimConfig::default()).await
    }

    /// Starts with chosen settings. Panics if the port is taken.
    pub async fn start_with(config: SimConfig) -> Self {
        let listener = crate::server::listen(config.port).await.expect("the simulator's port is free");
        let port = crate::server::port_of(&listener);
        let url = format!("http://127.0.0.1:{port}");
        let urls = Urls { api: url.clone(), html: config.html_url.trim_end_matches('/').to_owned() };
        let token = ids::token(config.seed);
        let sim = Self {
            core: Arc::new(Core {
                world: Mutex::new(World::new(urls, config.seed)),
                access: Mutex::new(Access::new(token.clone(), config.seed)),
                limits: Mutex::new(Limits::new(&config)),
                journal: Mutex::default(),
                faults: Mutex::default(),
                hooks: Hooks::default(),
                answered: AtomicU64::new(0),
                latency_us: AtomicU64::new(0),
                token,
                url,
                door: tokio::sync::Mutex::default(),
                port,
                config,
            }),
        };
        sim.set_latency(sim.core.config.latency);
        *sim.core.door.lock().await = Some(Door::open(&sim, listener));
        sim
    }

    /// Closes the listener and cuts every connection; the state stays.
    pub async fn stop(&self) {
        if let Some(door) = self.core.door.lock().await.take() {
            door.close().await;
        }
    }

    /// Listens again on the same port with the same state. Panics if the port was taken meanwhile.
    pub async fn restart(&self) {
        self.stop().await;
        let listener =
            crate::server::listen(self.core.port).await.expect("the simulator's port is still free");
        *self.core.door.lock().await = Some(Door::open(self, listener));
    }

    /// Base URL of the API, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.core.url.clone()
    }

    /// A valid personal access token; it follows from the seed.
    pub fn token(&self) -> String {
        self.core.token.clone()
    }

    /// Makes another token valid, with a user, a quota and `ETags` of its own.
    pub fn add_token(&self, token: &str) {
        self.core.access.lock().grant(token.to_owned());
    }

    /// Makes a token answer 401 "Bad credentials".
    pub fn revoke_token(&self, token: &str) {
        self.core.access.lock().revoke(token);
    }

    /// Changes what a token may do. Panics if the token is not valid.
    pub fn token_permission(&self, token: &str, permission: Permission) {
        let known = self.core.access.lock().permit(token, permission);
        assert!(known, "no such token: {token}");
    }

    /// Makes a token a classic one with these scopes, such as `repo` or `public_repo, read:org`; others are
    /// fine-grained. Panics if the token is not valid.
    pub fn token_scopes(&self, token: &str, scopes: &str) {
        let known = self.core.access.lock().set_scopes(token, scopes);
        assert!(known, "no such token: {token}");
    }

    /// Changes what a fine-grained token may do with webhooks of repositories; at first all of it. Panics if the
    /// token is not valid.
    pub fn token_hooks(&self, token: &str, permission: Permission) {
        let known = self.core.access.lock().permit_hooks(token, permission);
        assert!(known, "no such token: {token}");
    }

    /// The simulator's time in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.core.config.clock.now_ms()
    }

    /// The clock it runs by.
    pub fn clock(&self) -> Clock {
        self.core.config.clock.clone()
    }

    /// Changes how long each answer waits before it leaves.
    pub fn set_latency(&self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.core.latency_us.store(us, Ordering::Relaxed);
    }

    /// Makes a repository. Panics if the name is not `owner/name` or is taken.
    pub fn create_repo(&self, full_name: &str) -> Repo {
        let (owner, name) = split_name(full_name).expect("a repository is named owner/name");
        let now = self.core.now_s();
        let id = self.core.world.lock().create_repo(owner, name, now);
        Repo::new(self, id.expect("the repository's name is free"))
    }

    /// The same with an id of one's own, such as GitHub gave it. Panics if that is taken.
    pub fn create_repo_as(&self, id: u64, full_name: &str) -> Repo {
        let (owner, name) = split_name(full_name).expect("a repository is named owner/name");
        let now = self.core.now_s();
        let id = self.core.world.lock().create_repo_as(id, owner, name, now);
        Repo::new(self, id.expect("the repository's name and id are free"))
    }

    /// The repository that bears this name today, without case. Panics if there is none.
    pub fn repo(&self, full_name: &str) -> Repo {
        let id = self.find_repo(full_name);
        Repo::new(self, id.expect("the repository exists"))
    }

    pub(crate) fn find_repo(&self, full_name: &str) -> Option<u64> {
        let (owner, name) = split_name(full_name)?;
        match self.core.world.lock().find(owner, name) {
            Found::Repo(id) => Some(id),
            Found::Moved(_) | Found::Missing => None,
        }
    }

    /// The sums so far.
    pub fn counters(&self) -> Counters {
        self.core.journal.lock().counters()
    }

    /// The latest requests, oldest first.
    pub fn requests(&self) -> Vec<RequestLog> {
        self.core.journal.lock().requests()
    }

    /// Every request that got an answer, oldest first, with bodies; none unless
    /// [`SimConfig::keep_exchanges`] is set.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.core.journal.lock().exchanges()
    }

    /// Starts counters and log again from zero; limits are not touched.
    pub fn reset_counters(&self) {
        self.core.journal.lock().reset();
    }

    /// Sets a fault; of several that match, the one set first strikes.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.core.faults.lock().set(fault)
    }

    /// How often a fault struck, also after it was cleared.
    pub fn fault_hits(&self, id: FaultId) -> u64 {
        self.core.faults.lock().hits(id)
    }

    /// Ends one fault; what already hangs stays hanging.
    pub fn clear_fault(&self, id: FaultId) {
        self.core.faults.lock().clear(id);
    }

    /// Ends every fault.
    pub fn clear_faults(&self) {
        self.core.faults.lock().clear_all();
    }

    /// Runs code just before each matching request is served; narrow it with `.after` and `.times`.
    pub fn hook(&self, on: Match, action: impl FnMut(&Self) + Send + 'static) -> HookHandle {
        self.core.hooks.set(on, Box::new(action))
    }

    /// Removes every hook.
    pub fn clear_hooks(&self) {
        self.core.hooks.clear();
    }
}

/// `owner` and `name`, if both are there and nothing else.
pub(crate) fn split_name(full_name: &str) -> Option<(&str, &str)> {
    let (owner, name) = full_name.split_once('/')?;
    let fits = !owner.is_empty() && !name.is_empty() && !name.contains('/');
    fits.then_some((owner, name))
}
