//! What a test does to issues and pull requests by hand.

use super::Repo;
use crate::state::{Comment, IssueState, Key, NewIssue, State};

impl Repo {
    /// Opens an issue; returns its number.
    pub fn open_issue(&self, new: impl Into<NewIssue>) -> u64 {
        let new = new.into();
        self.act(|world, stamp| world.open(self.id(), new, None, stamp)).expect("the repository exists")
    }

    /// Changes an issue or the issue half of a pull request. `updated_at` becomes now unless the
    /// change sets it; id and number cannot change.
    pub fn edit_issue(&self, number: u64, change: impl FnOnce(&mut IssueState)) {
        self.act(|world, stamp| world.edit(self.key(number), stamp, change)).expect("the issue exists");
    }

    /// Sets the title.
    pub fn set_title(&self, number: u64, title: &str) {
        self.edit_issue(number, |issue| title.clone_into(&mut issue.title));
    }

    /// Sets the body.
    pub fn set_body(&self, number: u64, body: &str) {
        self.edit_issue(number, |issue| issue.body = Some(body.to_owned()));
    }

    /// Adds a label, which the repository gets too if it lacks it.
    pub fn add_label(&self, number: u64, name: &str) {
        self.edit_issue(number, |issue| issue.labels.push(name.to_owned()));
    }

    /// Removes a label, whatever its case.
    pub fn remove_label(&self, number: u64, name: &str) {
        let name = name.to_lowercase();
        self.edit_issue(number, |issue| {
            issue.labels.retain(|label| label.to_lowercase() != name);
        });
    }

    /// Adds an assignee.
    pub fn assign(&self, number: u64, login: &str) {
        self.edit_issue(number, |issue| {
            if !issue.assignees.iter().any(|other| other == login) {
                issue.assignees.push(login.to_owned());
            }
        });
    }

    /// Removes an assignee.
    pub fn unassign(&self, number: u64, login: &str) {
        self.edit_issue(number, |issue| issue.assignees.retain(|other| other != login));
    }

    /// Writes a comment as `author`; returns its id.
    pub fn comment(&self, number: u64, author: &str, body: &str) -> u64 {
        self.act(|world, stamp| {
            let stamp = crate::state::Stamp { actor: author, ..stamp };
            world.comment(self.key(number), body, stamp)
        })
        .expect("the issue exists")
    }

    /// Deletes a comment, as `author`.
    pub fn delete_comment(&self, id: u64, author: &str) {
        self.act(|world, stamp| {
            let stamp = crate::state::Stamp { actor: author, ..stamp };
            world.delete_comment(self.id(), id, stamp)
        })
        .expect("the comment exists");
    }

    /// The comments of an issue, oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.act(|world, _| {
            let comments = world.comments(self.key(number));
            comments.into_iter().cloned().collect()
        })
    }

    /// Closes an issue as completed.
    pub fn close_issue(&self, number: u64) {
        self.edit_issue(number, |issue| issue.state = State::Closed);
    }

    /// Opens a closed issue again.
    pub fn reopen_issue(&self, number: u64) {
        self.edit_issue(number, |issue| issue.state = State::Open);
    }

    /// Deletes an issue; its number answers 410.
    pub fn delete_issue(&self, number: u64) {
        self.act(|world, stamp| world.delete(self.key(number), stamp)).expect("the issue exists");
    }

    /// Moves an issue to another repository; returns its number there. The old one answers 301.
    pub fn transfer_issue(&self, number: u64, to: &str) -> u64 {
        let to = self.sim().find_repo(to).expect("the target exists");
        self.act(|world, stamp| world.transfer(self.key(number), to, stamp)).expect("the issue exists")
    }

    /// Moves `updated_at` and nothing else.
    pub fn touch(&self, number: u64) {
        self.act(|world, stamp| world.touch(self.key(number), stamp)).expect("the issue exists");
    }

    /// Says that an issue waits for another, here or elsewhere.
    pub fn block(&self, number: u64, repo: &str, blocker: u64) {
        let blocker = self.other(repo, blocker);
        self.act(|world, stamp| world.block(self.key(number), blocker, stamp)).expect("both issues exist");
    }

    /// Takes that back.
    pub fn unblock(&self, number: u64, repo: &str, blocker: u64) {
        let blocker = self.other(repo, blocker);
        self.act(|world, stamp| world.unblock(self.key(number), blocker, stamp))
            .expect("the one blocked the other");
    }

    fn other(&self, repo: &str, number: u64) -> Key {
        let repo = self.sim().find_repo(repo).expect("the repository exists");
        Key { repo, number }
    }
}
