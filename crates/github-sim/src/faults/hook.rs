//! Hooks: a test's own code, run just before a chosen request is served.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::{Match, Subject};
use crate::Sim;

type Action = Box<dyn FnMut(&Sim) + Send>;

struct Hook {
    on: Match,
    after: AtomicU32,
    times: AtomicU32,
    seen: AtomicU32,
    runs: AtomicU32,
    action: Mutex<Action>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("on", &self.on).finish_non_exhaustive()
    }
}

impl Hook {
    fn is_due(&self, subject: &Subject<'_>) -> bool {
        if !self.on.accepts(subject) {
            return false;
        }
        let seen = self.seen.fetch_add(1, Ordering::SeqCst);
        let after = self.after.load(Ordering::SeqCst);
        let times = self.times.load(Ordering::SeqCst);
        seen >= after && seen - after < times
    }
}

/// Narrows a hook down; without a word it runs at every matching request.
#[derive(Clone, Debug)]
pub struct HookHandle(Arc<Hook>);

impl HookHandle {
    /// Lets so many matching requests pass first.
    #[expect(clippy::return_self_not_must_use, reason = "the handle is a view of a hook that is already set")]
    pub fn after(self, skipped: u32) -> Self {
        self.0.after.store(skipped, Ordering::SeqCst);
        self
    }

    /// Runs it at most so often.
    #[expect(clippy::return_self_not_must_use, reason = "the handle is a view of a hook that is already set")]
    pub fn times(self, times: u32) -> Self {
        self.0.times.store(times, Ordering::SeqCst);
        self
    }

    /// How often it ran.
    pub fn runs(&self) -> u32 {
        self.0.runs.load(Ordering::SeqCst)
    }
}

/// The hooks that are set.
#[derive(Debug, Default)]
pub(crate) struct Hooks(Mutex<Vec<Arc<Hook>>>);

impl Hooks {
    pub fn set(&self, on: Match, action: Action) -> HookHandle {
        let hook = Arc::new(Hook {
            on,
            after: AtomicU32::new(0),
            times: AtomicU32::new(u32::MAX),
            seen: AtomicU32::new(0),
            runs: AtomicU32::new(0),
            action: Mutex::new(action),
        });
        self.0.lock().push(Arc::clone(&hook));
        HookHandle(hook)
    }

    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// Runs what is due; the list is free meanwhile, so a hook may set another.
    pub fn run(&self, sim: &Sim, subject: &Subject<'_>) {
        let mut due = self.0.lock().clone();
        due.retain(|hook| hook.is_due(subject));
        for hook in due {
            hook.action.lock()(sim);
            hook.runs.fetch_add(1, Ordering::SeqCst);
        }
    }
}
