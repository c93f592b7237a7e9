//! Comments and blockers: what people add around an issue.

use serde_json::json;

use super::{Comment, Key, Stamp, World};

impl World {
    /// Adds a comment, which also counts as a change of the issue; returns its id.
    pub fn comment(&mut self, key: Key, body: &str, stamp: Stamp<'_>) -> Option<u64> {
        self.item(key)?;
        let id = self.fresh_id();
        let comment = Comment {
            id,
            issue: key.number,
            author: stamp.actor.to_owned(),
            body: body.to_owned(),
            created_at: stamp.now,
            updated_at: stamp.now,
        };
        self.repo_mut(key.repo)?.comments.insert(id, comment);
        self.edit(key, stamp, |issue| issue.comments += 1)?;
        self.tell_comment(key, stamp.actor, "created", id, json!({}));
        Some(id)
    }

    /// Rewrites a comment's text.
    pub fn edit_comment(&mut self, repo: u64, id: u64, body: &str, stamp: Stamp<'_>) -> Option<()> {
        let comment = self.repo_mut(repo)?.comments.get_mut(&id)?;
        let from = std::mem::replace(&mut comment.body, body.to_owned());
        comment.updated_at = stamp.now;
        let number = comment.issue;
        let key = Key { repo, number };
        self.touch(key, stamp)?;
        let changes = json!({ "changes": { "body": { "from": from } } });
        self.tell_comment(key, stamp.actor, "edited", id, changes);
        Some(())
    }

    /// Deletes a comment, which also counts as a change of the issue.
    pub fn delete_comment(&mut self, repo: u64, id: u64, stamp: Stamp<'_>) -> Option<()> {
        let number = self.repo(repo)?.comments.get(&id)?.issue;
        let key = Key { repo, number };
        self.tell_comment(key, stamp.actor, "deleted", id, json!({}));
        self.repo_mut(repo)?.comments.remove(&id)?;
        self.edit(key, stamp, |issue| issue.comments = issue.comments.saturating_sub(1))
    }

    /// The comments of an issue, oldest first.
    pub fn comments(&self, key: Key) -> Vec<&Comment> {
        self.repo(key.repo)
            .into_iter()
            .flat_map(|repo| repo.comments.values())
            .filter(|comment| comment.issue == key.number)
            .collect()
    }

    /// Says that `waiting` waits for `blocker`.
    pub fn block(&mut self, waiting: Key, blocker: Key, stamp: Stamp<'_>) -> Option<()> {
        self.item(waiting)?;
        self.item(blocker)?;
        self.dependencies.insert(waiting, blocker);
        self.renew([blocker]);
        self.touch(waiting, stamp)
    }

    /// Takes that back; `None` if it was not so.
    pub fn unblock(&mut self, waiting: Key, blocker: Key, stamp: Stamp<'_>) -> Option<()> {
        if !self.dependencies.remove(waiting, blocker) {
            return None;
        }
        self.renew([blocker]);
        self.touch(waiting, stamp)
    }
}
