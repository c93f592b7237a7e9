//! Issues that leave: deletion and transfer to another repository.

use serde_json::json;

use super::{Gone, Item, Key, Stamp, World};

impl World {
    /// Deletes an issue; its number answers 410 from now on.
    pub fn delete(&mut self, key: Key, stamp: Stamp<'_>) -> Option<()> {
        self.tell_item(key, stamp.actor, "deleted", json!({}));
        let repo = self.repo_mut(key.repo)?;
        repo.remove(key.number)?;
        repo.gone.insert(key.number, Gone::Deleted);
        repo.comments.retain(|_, c| c.issue != key.number);
        let (blocked, blockers) = self.dependencies.forget(key);
        self.renew(blocked.into_iter().chain(blockers));
        Some(())
    }

    /// Moves an issue to another repository of the simulator; returns its number there.
    ///
    /// Comments and assignees go along, labels only where the target has one of that name
    /// (docs.github.com/issues/tracking-your-work-with-issues/administering-issues/transferring-an-issue-to-another-repository).
    pub fn transfer(&mut self, key: Key, to: u64, stamp: Stamp<'_>) -> Option<u64> {
        self.repo(to)?;
        let old = self.told(key);
        let id = self.fresh_id();
        let version = self.fresh_version();
        let item = self.repo_mut(key.repo)?.remove(key.number)?;
        let target = self.repo_mut(to)?;
        let number = target.next_number();
        let mut issue = item.issue;
        issue.id = id;
        issue.number = number;
        issue.updated_at = stamp.now;
        issue.labels = issue
            .labels
            .iter()
            .filter_map(|name| target.labels.find(name).map(|label| label.name.clone()))
            .collect();
        target.insert(Item::new(issue, item.pull, version));
        let there = Key { repo: to, number };
        self.move_comments(key, there);
        self.move_edges(key, there);
        let gone = &mut self.repo_mut(key.repo)?.gone;
        gone.insert(key.number, Gone::Transferred(there));
        self.tell_transferred(key, there, old, stamp.actor);
        Some(number)
    }

    fn move_comments(&mut self, from: Key, to: Key) {
        let Some(repo) = self.repo_mut(from.repo) else {
            return;
        };
        let moved: Vec<_> = repo.comments.extract_if(.., |_, comment| comment.issue == from.number).collect();
        if let Some(target) = self.repo_mut(to.repo) {
            for (id, mut comment) in moved {
                comment.issue = to.number;
                target.comments.insert(id, comment);
            }
        }
    }

    fn move_edges(&mut self, from: Key, to: Key) {
        let (blocked, blockers) = self.dependencies.forget(from);
        for &other in &blocked {
            self.dependencies.insert(other, to);
        }
        for &other in &blockers {
            self.dependencies.insert(to, other);
        }
        self.renew(blocked.into_iter().chain(blockers));
    }
}
