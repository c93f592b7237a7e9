//! The wire form of a change.

use serde::Deserialize;

use crate::state::{Conclusion, ReviewState};

/// A change of one repository or of something in it.
#[derive(Debug, Deserialize)]
pub(super) struct Mutation {
    pub repo: String,
    #[serde(flatten)]
    pub change: Change,
}

/// What changes.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Change {
    CreateRepo,
    DeleteRepo,
    Archive,
    Unarchive,
    RenameLabel {
        label: String,
        to: String,
    },
    DeleteLabel {
        label: String,
    },
    DisableIssues,
    EnableIssues,
    RenameRepo {
        to: String,
    },
    SetPrivate {
        private: bool,
    },
    OpenIssue {
        title: String,
        body: Option<String>,
        #[serde(default)]
        labels: Vec<String>,
        #[serde(default)]
        assignees: Vec<String>,
    },
    OpenPull {
        title: String,
        branch: String,
        body: Option<String>,
    },
    #[serde(untagged)]
    OnIssue(OnIssue),
}

/// A change of an issue or pull request that must exist.
#[derive(Debug, Deserialize)]
pub(super) struct OnIssue {
    pub number: u64,
    #[serde(flatten)]
    pub change: IssueChange,
}

/// What changes of it.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum IssueChange {
    Edit {
        title: Option<String>,
        body: Option<String>,
    },
    Close,
    Reopen,
    Touch,
    Delete,
    Transfer {
        to: String,
    },
    AddLabel {
        label: String,
    },
    RemoveLabel {
        label: String,
    },
    Assign {
        login: String,
    },
    Unassign {
        login: String,
    },
    Comment {
        body: String,
        #[serde(default = "someone")]
        author: String,
    },
    Block {
        blocker: u64,
        blocker_repo: Option<String>,
    },
    Unblock {
        blocker: u64,
        blocker_repo: Option<String>,
    },
    ClosePull,
    MergePull,
    Push,
    MergeState {
        state: String,
    },
    Review {
        state: ReviewState,
        #[serde(default = "someone")]
        author: String,
        #[serde(default)]
        body: String,
    },
    Check {
        name: String,
        conclusion: Option<Conclusion>,
    },
}

fn someone() -> String {
    "octocat".to_owned()
}
