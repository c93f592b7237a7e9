//! The heartbeats that run in this process, and those whose record could not be closed.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::ids::{AgentName, RunId};

/// Spellings remembered at once; the database knows the rest.
const SPELLINGS_MAX: usize = 10_000;

/// Passes of this process.
#[derive(Debug, Default)]
pub struct Passes {
    running: Mutex<HashMap<RunId, watch::Sender<()>>>,
    unfinished: Mutex<Vec<RunId>>,
    names: Mutex<HashMap<String, AgentName>>,
}

impl Passes {
    /// A pass begins.
    pub fn begin(&self, run: &RunId) {
        self.running.lock().insert(run.clone(), watch::Sender::new(()));
    }

    /// A pass ended, one way or the other: wakes everybody who waits for it.
    pub fn end(&self, run: &RunId) {
        self.running.lock().remove(run);
    }

    /// Is done when the pass has ended; at once when it does not run here.
    pub async fn wait(&self, run: &RunId) {
        let watching = self.running.lock().get(run).map(watch::Sender::subscribe);
        if let Some(mut watching) = watching {
            // The sender is dropped at the end, never used.
            let _ = watching.changed().await;
        }
    }

    /// The record of this run could not be closed: the database was gone.
    pub fn leave_unfinished(&self, run: RunId) {
        self.unfinished.lock().push(run);
    }

    /// Takes the runs whose record is still open.
    pub fn take_unfinished(&self) -> Vec<RunId> {
        std::mem::take(&mut *self.unfinished.lock())
    }

    /// They could not be closed this time either.
    pub fn put_back_unfinished(&self, runs: Vec<RunId>) {
        self.unfinished.lock().extend(runs);
    }

    /// The first spelling of an agent's name, if this process has met it.
    pub fn spelling(&self, agent: &AgentName) -> Option<AgentName> {
        self.names.lock().get(&agent.key()).cloned()
    }

    pub fn remember_spelling(&self, agent: &AgentName) {
        let mut names = self.names.lock();
        if names.len() >= SPELLINGS_MAX {
            names.clear();
        }
        names.insert(agent.key(), agent.clone());
    }
}
