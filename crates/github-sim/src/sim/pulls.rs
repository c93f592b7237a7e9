//! What a test does to pull requests by hand.

use super::Repo;
use crate::state::{CheckRun, Conclusion, NewIssue, PullInfo, Review, ReviewState, Stamp, State};

impl Repo {
    /// Opens a pull request from `branch`; its number is of the same sequence as the issues'.
    pub fn open_pull(&self, new: impl Into<NewIssue>, branch: &str) -> u64 {
        self.act(|world, stamp| world.open(self.id(), new.into(), Some(branch), stamp))
            .expect("the repository exists")
    }

    /// Changes what a pull request has beyond its issue half.
    pub fn edit_pull(&self, number: u64, change: impl FnOnce(&mut PullInfo)) {
        self.act(|world, stamp| world.edit_pull(self.key(number), stamp, change))
            .expect("the pull request exists");
    }

    /// Changes what GitHub works out in the background, which moves no time.
    pub fn set_merge_state(&self, number: u64, state: &str) {
        let mergeable = match state {
            "unknown" => None,
            state => Some(state != "dirty"),
        };
        self.act(|world, _| {
            let pull = world.repo_mut(self.id())?.item_mut(number)?.pull.as_mut()?;
            state.clone_into(&mut pull.mergeable_state);
            pull.mergeable = mergeable;
            Some(())
        })
        .expect("the pull request exists");
    }

    /// Pushes a commit to the branch of a pull request; returns it.
    pub fn push(&self, number: u64) -> String {
        self.act(|world, stamp| {
            let sha = crate::ids::sha(self.id(), world.fresh_id());
            world.edit_pull(self.key(number), stamp, |pull| sha.clone_into(&mut pull.head_sha))?;
            Some(sha)
        })
        .expect("the pull request exists")
    }

    /// Closes a pull request without merging it.
    pub fn close_pull(&self, number: u64) {
        self.edit_issue(number, |issue| {
            issue.state = State::Closed;
        });
    }

    /// Merges a pull request.
    pub fn merge_pull(&self, number: u64) {
        let now = self.sim().core.now_s();
        self.edit_pull(number, |pull| pull.merged_at = Some(now));
        self.close_pull(number);
    }

    /// Reviews the present head of a pull request as `author`; returns the review's id.
    pub fn review(&self, number: u64, author: &str, state: ReviewState, body: &str) -> u64 {
        self.act(|world, stamp| world.review(self.key(number), state, body, Stamp { actor: author, ..stamp }))
            .expect("the pull request exists")
    }

    /// Takes a review back.
    pub fn dismiss(&self, review: u64) {
        self.act(|world, stamp| world.dismiss(self.id(), review, stamp)).expect("the review exists");
    }

    /// The reviews of a pull request, in the order in which they were written.
    pub fn reviews(&self, number: u64) -> Vec<Review> {
        self.act(|world, _| world.reviews(self.key(number)).into_iter().cloned().collect())
    }

    /// Runs a check of the present head of a pull request: to its end, or without one; returns the run's id.
    pub fn check(&self, number: u64, name: &str, conclusion: Option<Conclusion>) -> u64 {
        self.check_of(number, "CI", name, conclusion)
    }

    /// As [`Repo::check`], as a job of this workflow.
    pub fn check_of(&self, number: u64, workflow: &str, name: &str, conclusion: Option<Conclusion>) -> u64 {
        self.act(|world, stamp| {
            let sha = world.item(self.key(number))?.pull.as_ref()?.head_sha.clone();
            world.check(self.id(), &sha, (workflow, name), conclusion, stamp.now)
        })
        .expect("the pull request exists")
    }

    /// Runs a job of GitHub Actions on the present head of a pull request: a check with a log; returns the id of both.
    pub fn job(&self, number: u64, name: &str, conclusion: Conclusion, log: &str) -> u64 {
        self.act(|world, stamp| world.job(self.key(number), name, (conclusion, log), stamp))
            .expect("the pull request exists")
    }

    /// Lets a run end.
    pub fn conclude(&self, run: u64, conclusion: Conclusion) {
        self.act(|world, stamp| world.conclude(self.id(), run, conclusion, stamp.now))
            .expect("the run exists");
    }

    /// Every run of every check of a commit, oldest first.
    pub fn checks(&self, sha: &str) -> Vec<CheckRun> {
        self.look(|repo| repo.checks.values().filter(|run| run.head_sha == sha).cloned().collect())
    }
}
