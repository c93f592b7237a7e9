//! Which issue blocks which (docs.github.com/rest/issues/issue-dependencies).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Key;

/// The counts that every issue shows about its blockers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub blocked_by: usize,
    pub blocking: usize,
    pub total_blocked_by: usize,
    pub total_blocking: usize,
}

/// The edges, kept in both directions.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    blockers: BTreeMap<Key, BTreeSet<Key>>,
    blocked: BTreeMap<Key, BTreeSet<Key>>,
}

impl Dependencies {
    pub fn insert(&mut self, waiting: Key, blocker: Key) {
        self.blockers.entry(waiting).or_default().insert(blocker);
        self.blocked.entry(blocker).or_default().insert(waiting);
    }

    /// Whether the edge was there.
    pub fn remove(&mut self, waiting: Key, blocker: Key) -> bool {
        drop_edge(&mut self.blocked, blocker, waiting);
        drop_edge(&mut self.blockers, waiting, blocker)
    }

    pub fn blockers(&self, of: Key) -> impl Iterator<Item = Key> + '_ {
        self.blockers.get(&of).into_iter().flatten().copied()
    }

    pub fn blocked(&self, by: Key) -> impl Iterator<Item = Key> + '_ {
        self.blocked.get(&by).into_iter().flatten().copied()
    }

    /// Issues whose counts show something about `key`.
    pub fn neighbours(&self, key: Key) -> Vec<Key> {
        self.blockers(key).chain(self.blocked(key)).collect()
    }

    /// Forgets an issue; returns whom it blocked and who blocked it.
    pub fn forget(&mut self, key: Key) -> (Vec<Key>, Vec<Key>) {
        let blocked: Vec<Key> = self.blocked(key).collect();
        let blockers: Vec<Key> = self.blockers(key).collect();
        for &other in &blocked {
            self.remove(other, key);
        }
        for &other in &blockers {
            self.remove(key, other);
        }
        (blocked, blockers)
    }
}

fn drop_edge(edges: &mut BTreeMap<Key, BTreeSet<Key>>, from: Key, to: Key) -> bool {
    let Some(ends) = edges.get_mut(&from) else {
        return false;
    };
    let was_there = ends.remove(&to);
    if ends.is_empty() {
        edges.remove(&from);
    }
    was_there
}
