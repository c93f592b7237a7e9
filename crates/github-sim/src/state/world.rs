//! All repositories, by id and by the names they have and had.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::json;

use super::{Dependencies, Item, Key, Repository, Stamp, Summary};
use crate::render::{self, Urls};
use crate::webhooks::Webhooks;

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A repository that bears the name today.
    Repo(u64),
    /// A repository that bore it before a rename.
    Moved(u64),
    /// Nothing.
    Missing,
}

/// The whole state; one lock guards it, and nothing waits while holding it.
#[derive(Debug)]
pub(crate) struct World {
    pub urls: Urls,
    pub dependencies: Dependencies,
    pub webhooks: Webhooks,
    repos: HashMap<u64, Repository>,
    names: HashMap<String, u64>,
    former_names: HashMap<String, u64>,
    last_id: u64,
    last_version: u64,
}

impl World {
    pub fn new(urls: Urls, seed: u64) -> Self {
        Self {
            urls,
            dependencies: Dependencies::default(),
            webhooks: Webhooks::new(seed),
            repos: HashMap::new(),
            names: HashMap::new(),
            former_names: HashMap::new(),
            last_id: 1_000_000,
            last_version: 0,
        }
    }

    /// An id never given before, larger than all others.
    pub fn fresh_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A version never given before.
    pub fn fresh_version(&mut self) -> u64 {
        self.last_version += 1;
        self.last_version
    }

    /// Makes a repository; it takes over a name that only redirected. `None` if the name is taken.
    pub fn create_repo(&mut self, owner: &str, name: &str, now: i64) -> Option<u64> {
        self.create_repo_as(self.last_id + 1, owner, name, now)
    }

    /// The same with this id; `None` if the name or the id is taken.
    pub fn create_repo_as(&mut self, id: u64, owner: &str, name: &str, now: i64) -> Option<u64> {
        let key = name_key(owner, name);
        if self.names.contains_key(&key) || self.repos.contains_key(&id) {
            return None;
        }
        self.last_id = self.last_id.max(id);
        self.former_names.remove(&key);
        self.names.insert(key, id);
        self.repos.insert(id, Repository::new(id, owner, name, now));
        Some(id)
    }

    pub fn find(&self, owner: &str, name: &str) -> Found {
        let key = name_key(owner, name);
        if let Some(&id) = self.names.get(&key) {
            return Found::Repo(id);
        }
        match self.former_names.get(&key) {
            Some(&id) if self.repos.contains_key(&id) => Found::Moved(id),
            _ => Found::Missing,
        }
    }

    pub fn repo(&self, id: u64) -> Option<&Repository> {
        self.repos.get(&id)
    }

    pub fn repo_mut(&mut self, id: u64) -> Option<&mut Repository> {
        self.repos.get_mut(&id)
    }

    /// Every repository of an account, by id.
    pub fn repos_of(&self, owner: &str) -> Vec<&Repository> {
        let is_theirs = |repo: &&Repository| repo.owner.eq_ignore_ascii_case(owner);
        let mut repos: Vec<&Repository> = self.repos.values().filter(is_theirs).collect();
        repos.sort_unstable_by_key(|repo| repo.id);
        repos
    }

    pub fn item(&self, key: Key) -> Option<&Item> {
        self.repos.get(&key.repo)?.item(key.number)
    }

    /// Gives a repository another name and keeps the old one as a redirect. `None` if it is taken.
    pub fn rename(&mut self, id: u64, owner: &str, name: &str, stamp: Stamp<'_>) -> Option<()> {
        let new_key = name_key(owner, name);
        if self.names.get(&new_key).is_some_and(|&other| other != id) {
            return None;
        }
        let repo = self.repos.get_mut(&id)?;
        let (old_owner, old_name) = (repo.owner.clone(), repo.name.clone());
        let old_key = name_key(&old_owner, &old_name);
        owner.clone_into(&mut repo.owner);
        name.clone_into(&mut repo.name);
        self.names.remove(&old_key);
        self.former_names.insert(old_key, id);
        self.former_names.remove(&new_key);
        self.names.insert(new_key, id);
        self.renew_all(id);
        self.tell_renamed(id, stamp.actor, &old_owner, &old_name);
        Some(())
    }

    /// Deletes a repository and its webhooks, which still hear of that.
    pub fn remove_repo(&mut self, id: u64, stamp: Stamp<'_>) -> Option<Repository> {
        self.tell(id, stamp.actor, "repository", "deleted", json!({}));
        let repo = self.repos.remove(&id)?;
        self.names.remove(&name_key(&repo.owner, &repo.name));
        for item in repo.items() {
            let key = Key { repo: id, number: item.issue.number };
            let (blocked, blockers) = self.dependencies.forget(key);
            self.renew(blocked.into_iter().chain(blockers));
        }
        Some(repo)
    }

    /// Changes a repository's settings.
    pub fn set_up(&mut self, id: u64, stamp: Stamp<'_>, change: impl FnOnce(&mut Repository)) -> Option<()> {
        let repo = self.repos.get_mut(&id)?;
        let (was_archived, was_private) = (repo.is_archived, repo.is_private);
        change(repo);
        let (is_archived, is_private) = (repo.is_archived, repo.is_private);
        if is_archived != was_archived {
            let action = if is_archived { "archived" } else { "unarchived" };
            self.tell(id, stamp.actor, "repository", action, json!({}));
        }
        if is_private != was_private {
            let action = if is_private { "privatized" } else { "publicized" };
            self.tell(id, stamp.actor, "repository", action, json!({}));
        }
        Some(())
    }

    /// The JSON of an issue or pull request as the issue routes show it.
    pub fn issue_json(&mut self, key: Key) -> Option<Bytes> {
        let repo = self.repos.get(&key.repo)?;
        let item = repo.item(key.number)?;
        if let Some(json) = item.rendered() {
            return Some(json);
        }
        let json = render::issue(&self.urls, repo, item, self.summary(key));
        let item = self.repos.get_mut(&key.repo)?.item_mut(key.number)?;
        item.keep_rendered(json.clone());
        Some(json)
    }

    /// Gives items a new version because something they show changed elsewhere.
    pub fn renew(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            let version = self.fresh_version();
            if let Some(repo) = self.repos.get_mut(&key.repo)
                && let Some(item) = repo.item_mut(key.number)
            {
                item.version = version;
            }
        }
    }

    pub(super) fn renew_all(&mut self, id: u64) {
        let mut version = self.last_version;
        if let Some(repo) = self.repos.get_mut(&id) {
            for item in repo.items_mut() {
                version += 1;
                item.version = version;
            }
        }
        self.last_version = version;
    }

    fn summary(&self, key: Key) -> Summary {
        let is_open = |key: &Key| self.item(*key).is_some_and(|item| item.issue.is_open());
        let blockers: Vec<Key> = self.dependencies.blockers(key).collect();
        let blocked: Vec<Key> = self.dependencies.blocked(key).collect();
        Summary {
            blocked_by: blockers.iter().filter(|k| is_open(k)).count(),
            blocking: blocked.iter().filter(|k| is_open(k)).count(),
            total_blocked_by: blockers.len(),
            total_blocking: blocked.len(),
        }
    }
}

fn name_key(owner: &str, name: &str) -> String {
    format!("{owner}/{name}").to_ascii_lowercase()
}
