//! Opening and editing issues and pull requests.

use serde_json::json;

use super::{IssueState, Item, Key, NewIssue, PullInfo, Stamp, State, StateReason, World};

impl World {
    /// Opens an issue, or a pull request when `branch` is given; returns its number.
    pub fn open(&mut self, repo: u64, new: NewIssue, branch: Option<&str>, stamp: Stamp<'_>) -> Option<u64> {
        let id = self.fresh_id();
        let version = self.fresh_version();
        let labels = self.spell_labels(repo, &new.labels, stamp)?;
        let number = self.repo_mut(repo)?.next_number();
        let pull = branch.map(|name| PullInfo::new(name, crate::ids::sha(repo, number)));
        let created_at = new.created_at.unwrap_or(stamp.now);
        let issue = IssueState {
            id,
            number,
            title: new.title,
            body: new.body,
            state: State::Open,
            state_reason: None,
            labels,
            assignees: new.assignees,
            author: new.author.unwrap_or_else(|| stamp.actor.to_owned()),
            locked: false,
            comments: 0,
            created_at,
            updated_at: new.updated_at.unwrap_or(created_at.max(stamp.now)),
            closed_at: None,
            closed_by: None,
        };
        self.repo_mut(repo)?.insert(Item::new(issue, pull, version));
        self.tell_opened(Key { repo, number }, stamp.actor);
        Some(number)
    }

    /// Changes an issue and everything that follows from it: `updated_at` (unless the change set
    /// it), the closing fields, the spelling of labels, the counts of its neighbours.
    pub fn edit<R>(
        &mut self,
        key: Key,
        stamp: Stamp<'_>,
        change: impl FnOnce(&mut IssueState) -> R,
    ) -> Option<R> {
        let item = self.item(key)?;
        let is_pull = item.pull.is_some();
        let before = item.issue.clone();
        let mut after = before.clone();
        let outcome = change(&mut after);
        after.id = before.id;
        after.number = before.number;
        after.labels = self.spell_labels(key.repo, &after.labels, stamp)?;
        settle_state(&before, &mut after, stamp);
        if is_pull {
            after.state_reason = None;
        }
        if after.updated_at == before.updated_at {
            after.updated_at = stamp.now;
        }
        let state_changed = after.state != before.state;
        self.put(key, |item| item.issue = after)?;
        if state_changed {
            self.renew(self.dependencies.neighbours(key));
        }
        self.tell_edited(key, &before, stamp.actor);
        Some(outcome)
    }

    /// Changes what a pull request has beyond its issue half; `None` for an issue.
    pub fn edit_pull(
        &mut self,
        key: Key,
        stamp: Stamp<'_>,
        change: impl FnOnce(&mut PullInfo),
    ) -> Option<()> {
        let before = self.item(key)?.pull.clone()?;
        self.put(key, |item| {
            if let Some(pull) = &mut item.pull {
                change(pull);
            }
            item.issue.updated_at = stamp.now;
        })?;
        self.tell_pull_edited(key, &before, stamp.actor);
        Some(())
    }

    /// Moves nothing but `updated_at`.
    pub fn touch(&mut self, key: Key, stamp: Stamp<'_>) -> Option<()> {
        self.put(key, |item| item.issue.updated_at = stamp.now)
    }

    /// Writes an item under a new version.
    pub(super) fn put(&mut self, key: Key, change: impl FnOnce(&mut Item)) -> Option<()> {
        let version = self.fresh_version();
        self.repo_mut(key.repo)?.change(key.number, |item| {
            change(item);
            item.version = version;
        })?;
        Some(())
    }

    /// Label names as the repository spells them, each once; missing labels are made.
    fn spell_labels(&mut self, repo: u64, names: &[String], stamp: Stamp<'_>) -> Option<Vec<String>> {
        let mut spelled: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let id = self.fresh_id();
            let is_new = self.repo(repo)?.labels.find(name).is_none();
            let name = self.repo_mut(repo)?.labels.spell(name, id);
            if is_new {
                self.tell_label(repo, stamp.actor, "created", &name, json!({}));
            }
            if !spelled.contains(&name) {
                spelled.push(name);
            }
        }
        Some(spelled)
    }
}

fn settle_state(before: &IssueState, after: &mut IssueState, stamp: Stamp<'_>) {
    match (before.state, after.state) {
        (State::Open, State::Closed) => {
            after.closed_at.get_or_insert(stamp.now);
            after.closed_by.get_or_insert_with(|| stamp.actor.to_owned());
            if after.state_reason == before.state_reason {
                after.state_reason = Some(StateReason::Completed);
            }
        }
        (State::Closed, State::Open) => {
            after.closed_at = None;
            after.closed_by = None;
            after.state_reason = Some(StateReason::Reopened);
        }
        _ => {}
    }
}
