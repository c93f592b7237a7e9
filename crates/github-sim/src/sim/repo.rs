//! A handle to one repository: its name, its settings, what it holds.

use crate::Sim;
use crate::sim::split_name;
use crate::state::{IssueState, Key, NewIssue, PullState, Repository, Stamp, World};

/// Who acts when a test changes something by hand.
const SOMEONE: &str = "octocat";

/// One repository, by id: the handle stays good through renames.
///
/// Every method panics when the repository, or an issue it names, does not exist.
#[derive(Clone, Debug)]
pub struct Repo {
    sim: Sim,
    id: u64,
}

impl Repo {
    pub(crate) fn new(sim: &Sim, id: u64) -> Self {
        Self { sim: sim.clone(), id }
    }

    /// The id in `/repositories/{id}`.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// `owner/name` as it is spelled today.
    pub fn full_name(&self) -> String {
        self.look(Repository::full_name)
    }

    /// Renames within the owner or, with `owner/name`, beyond; the old name redirects.
    pub fn rename(&self, new_name: &str) {
        let (owner, name) = match split_name(new_name) {
            Some((owner, name)) => (owner.to_owned(), name.to_owned()),
            None => (self.look(|repo| repo.owner.clone()), new_name.to_owned()),
        };
        self.act(|world, stamp| world.rename(self.id, &owner, &name, stamp))
            .expect("the repository exists and the new name is free");
    }

    /// Gives the repository to another owner; the old name redirects.
    pub fn transfer_owner(&self, owner: &str) {
        let name = self.look(|repo| repo.name.clone());
        self.rename(&format!("{owner}/{name}"));
    }

    /// Deletes the repository; both its URLs answer 404.
    pub fn delete(&self) {
        self.act(|world, stamp| world.remove_repo(self.id, stamp)).expect("the repository exists");
    }

    /// Turns the issue tracker off; its routes answer 410.
    pub fn disable_issues(&self) {
        self.set(|repo| repo.has_issues = false);
    }

    /// Turns the issue tracker on again.
    pub fn enable_issues(&self) {
        self.set(|repo| repo.has_issues = true);
    }

    /// Hides the repository from requests without a token, or shows it again.
    pub fn set_private(&self, is_private: bool) {
        self.set(|repo| repo.is_private = is_private);
    }

    /// Makes the repository read-only.
    pub fn archive(&self) {
        self.set(|repo| repo.is_archived = true);
    }

    /// Makes an archived repository writable again.
    pub fn unarchive(&self) {
        self.set(|repo| repo.is_archived = false);
    }

    /// Gives a label another name, also where issues bear it; their `updated_at` stays as it is.
    pub fn rename_label(&self, name: &str, to: &str) {
        self.act(|world, stamp| world.rename_label(self.id, name, to, stamp)).expect("the label exists");
    }

    /// Deletes a label and takes it from every issue; their `updated_at` stays as it is.
    pub fn delete_label(&self, name: &str) {
        self.act(|world, stamp| world.delete_label(self.id, name, stamp)).expect("the label exists");
    }

    /// Every issue that exists, by number; pull requests are left out.
    pub fn issues(&self) -> Vec<IssueState> {
        let mut issues: Vec<IssueState> = self.look(|repo| {
            repo.items().filter(|item| item.pull.is_none()).map(|item| item.issue.clone()).collect()
        });
        issues.sort_unstable_by_key(|issue| issue.number);
        issues
    }

    /// One issue, or the issue half of a pull request.
    pub fn issue(&self, number: u64) -> Option<IssueState> {
        self.look(|repo| repo.item(number).map(|item| item.issue.clone()))
    }

    /// Every pull request, by number.
    pub fn pulls(&self) -> Vec<PullState> {
        let mut pulls: Vec<PullState> = self.look(|repo| {
            repo.items()
                .filter_map(|item| Some(PullState { issue: item.issue.clone(), pull: item.pull.clone()? }))
                .collect()
        });
        pulls.sort_unstable_by_key(|pull| pull.issue.number);
        pulls
    }

    /// The repository's label names in alphabetical order.
    pub fn labels(&self) -> Vec<String> {
        self.look(|repo| repo.labels.names())
    }

    /// Opens `count` issues, made one by one from their index.
    pub fn seed<N: Into<NewIssue>>(&self, count: usize, mut make: impl FnMut(usize) -> N) {
        for index in 0..count {
            self.open_issue(make(index));
        }
    }

    pub(super) fn sim(&self) -> &Sim {
        &self.sim
    }

    pub(super) fn key(&self, number: u64) -> Key {
        Key { repo: self.id, number }
    }

    /// Changes the world as someone, now.
    pub(super) fn act<R>(&self, change: impl FnOnce(&mut World, Stamp<'_>) -> R) -> R {
        let stamp = Stamp { actor: SOMEONE, now: self.sim.core.now_s() };
        change(&mut self.sim.core.world.lock(), stamp)
    }

    pub(super) fn look<R>(&self, read: impl FnOnce(&Repository) -> R) -> R {
        let world = self.sim.core.world.lock();
        read(world.repo(self.id).expect("the repository exists"))
    }

    fn set(&self, change: impl FnOnce(&mut Repository)) {
        self.act(|world, stamp| world.set_up(self.id, stamp, change)).expect("the repository exists");
    }
}
