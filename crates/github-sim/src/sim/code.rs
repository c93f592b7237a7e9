//! What a test does around the code by hand: commits, comments on lines, workflow runs.

use super::Repo;
use crate::state::{CiRun, Stamp};

impl Repo {
    /// Pushes a commit to a branch; a pull request of the branch gets it as its head. Returns its name.
    pub fn push_commit(&self, branch: &str, message: &str) -> String {
        self.act(|world, stamp| world.push(self.id(), branch, message, stamp)).expect("the repository exists")
    }

    /// Comments on a line of a pull request as `author`; returns the comment's id.
    pub fn comment_on_line(&self, number: u64, author: &str, place: (&str, u64), body: &str) -> u64 {
        self.act(|world, stamp| {
            world.comment_on_line(self.key(number), place, body, Stamp { actor: author, ..stamp })
        })
        .expect("the pull request exists")
    }

    /// A workflow ran; returns the run's id.
    pub fn add_run(&self, run: CiRun) -> u64 {
        self.act(|world, stamp| world.add_run(self.id(), run, stamp)).expect("the repository exists")
    }
}
