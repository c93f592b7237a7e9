//! What a pull request has beyond its issue half.

use serde::Serialize;

use super::{IssueState, State};
use crate::clock::as_iso_option;

/// The fields of a pull request that an issue lacks; change them with `Repo::edit_pull`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PullInfo {
    /// Branch with the change.
    pub branch: String,
    /// Owner of the fork that holds the branch; none where it is the repository's own.
    pub fork: Option<String>,
    /// Branch it is to be merged into.
    pub base: String,
    /// Commit at the tip of `branch`.
    pub head_sha: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// Unix seconds of the merge.
    #[serde(serialize_with = "as_iso_option")]
    pub merged_at: Option<i64>,
    /// `None` while GitHub still works it out.
    pub mergeable: Option<bool>,
    /// `clean`, `dirty`, `blocked`, `behind`, `unstable`, `draft` or `unknown`.
    pub mergeable_state: String,
}

impl PullInfo {
    pub(crate) fn new(branch: &str, head_sha: String) -> Self {
        Self {
            branch: branch.to_owned(),
            fork: None,
            base: "main".to_owned(),
            head_sha,
            draft: false,
            merged_at: None,
            mergeable: Some(true),
            mergeable_state: "clean".to_owned(),
        }
    }
}

/// A whole pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PullState {
    /// Number, title, labels and the other fields shared with issues.
    #[serde(flatten)]
    pub issue: IssueState,
    /// The rest.
    pub pull: PullInfo,
}

impl PullState {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.issue.state == State::Open
    }
}
