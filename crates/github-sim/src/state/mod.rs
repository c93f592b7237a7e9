//! Everything GitHub would remember: repositories, issues, labels, comments and what blocks what.

mod code;
mod comment;
mod dependencies;
mod edits;
mod issue;
mod item;
mod labels;
mod moves;
mod new_issue;
mod pull;
mod relabel;
mod repository;
mod review;
mod talk;
mod world;

pub use code::{CiJob, CiRun, CommitInfo, LineComment};
pub use comment::Comment;
pub use issue::{IssueState, State, StateReason};
pub use new_issue::NewIssue;
pub use pull::{PullInfo, PullState};
pub use review::{CheckRun, Conclusion, Review, ReviewState};

pub(crate) use code::Code;
pub(crate) use dependencies::{Dependencies, Summary};
pub(crate) use item::Item;
pub(crate) use labels::{Label, LabelBook};
pub(crate) use repository::{Gone, Repository};
pub(crate) use world::{Found, World};

/// Names one issue or pull request for as long as it stays in its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub repo: u64,
    pub number: u64,
}

/// Who changes something, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    pub actor: &'a str,
    pub now: i64,
}
