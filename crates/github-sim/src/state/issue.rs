//! One issue's content, as tests and the control API see it.

use serde::{Deserialize, Serialize};

use crate::clock::{as_iso, as_iso_option};

/// Whether an issue or pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Still to do.
    Open,
    /// Done, dropped or merged.
    Closed,
}

/// Why an issue is in its state (docs.github.com/rest/issues/issues#update-an-issue).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateReason {
    /// Closed as done; the default of a close.
    Completed,
    /// Closed as dropped.
    NotPlanned,
    /// Closed as a copy of another.
    Duplicate,
    /// Open again after a close.
    Reopened,
}

/// The content of an issue, or the issue half of a pull request; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IssueState {
    /// Database id, unique over the whole simulator.
    pub id: u64,
    /// Number within the repository, shared with pull requests and never used twice.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown; GitHub sends `null` for none.
    pub body: Option<String>,
    /// Open or closed.
    pub state: State,
    /// Why it is closed, or that it was reopened.
    pub state_reason: Option<StateReason>,
    /// Label names as the repository spells them.
    pub labels: Vec<String>,
    /// Logins.
    pub assignees: Vec<String>,
    /// Login of who opened it.
    pub author: String,
    /// Whether comments are closed.
    pub locked: bool,
    /// Number of comments.
    pub comments: u64,
    /// Time of opening; kept by a transfer.
    #[serde(serialize_with = "as_iso")]
    pub created_at: i64,
    /// Time of the last change.
    #[serde(serialize_with = "as_iso")]
    pub updated_at: i64,
    /// Time of closing.
    #[serde(serialize_with = "as_iso_option")]
    pub closed_at: Option<i64>,
    /// Login of who closed it.
    pub closed_by: Option<String>,
}

impl IssueState {
    /// Whether the issue is open.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether it bears the label, compared without case as GitHub does.
    pub fn has_label(&self, name: &str) -> bool {
        let wanted = name.to_lowercase();
        self.labels.iter().any(|l| l.to_lowercase() == wanted)
    }
}
