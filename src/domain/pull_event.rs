//! What GitHub told of a pull request, in our words: plain facts, whatever payload they came in.

use super::{
    ids::IssueNumber,
    issue::{IssueState, RemotePull},
    time::Timestamp,
};

/// One thing that happened to a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullEvent {
    /// Opened, edited, pushed to, labelled, closed, …: what it is now.
    Changed(Box<PullNow>),
    /// A review was submitted, edited or dismissed.
    Reviewed { pull: Box<PullNow>, review: PullReview },
    /// Somebody wrote beside a line of the change.
    LineComment { pull: Box<PullNow>, comment: PullComment },
    /// Somebody wrote below the pull request. GitHub shows it as the list of issues does.
    Comment { pull: Box<RemotePull>, comment: PullComment },
    /// A check run or a check suite came to its end.
    Checked(CheckEnded),
    /// What the list of issues shows of it is all that was said.
    Listed(Box<RemotePull>),
}

/// A pull request as payloads show it whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullNow {
    /// As the list of issues shows it.
    pub listed: RemotePull,
    pub head: PullHead,
    /// The branch that it is to be merged into.
    pub base_ref: String,
    /// GitHub's present word; none while it computes, and where the payload does not say.
    pub mergeable: Option<bool>,
    /// `clean`, `dirty`, `behind`, `blocked`, `unstable`, …, as GitHub spells it.
    pub mergeable_state: Option<String>,
}

/// The newest commit of a pull request, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullHead {
    pub sha: String,
    pub branch: String,
    /// `owner/name`; none when the fork was deleted.
    pub repo: Option<String>,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullReview {
    pub id: i64,
    pub state: ReviewState,
    pub author: Option<String>,
    pub body: Option<String>,
    pub url: String,
    /// None while it is pending.
    pub submitted_at: Option<Timestamp>,
    /// The commit that was looked at.
    pub commit: Option<String>,
}

/// What a review says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewState {
    Approved,
    ChangesRequested,
    Commented,
    Dismissed,
    Pending,
}

/// A comment of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullComment {
    pub id: i64,
    pub written: Written,
    pub author: Option<String>,
    pub body: String,
    pub url: String,
    /// Where it stands, if it stands beside a line.
    pub place: Option<Place>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What became of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Created,
    Edited,
    Deleted,
}

/// A line of a changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    /// None for a comment on the whole file, or on a line that is gone.
    pub line: Option<i64>,
}

/// A check that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckEnded {
    pub kind: CheckKind,
    pub id: i64,
    /// The suite that a run is one of.
    pub suite: Option<i64>,
    /// The run's name, or the name of the app whose suite it is.
    pub name: String,
    pub conclusion: Option<Conclusion>,
    pub head_sha: String,
    /// Pull requests of this repository that GitHub names; of forks it names none.
    pub pulls: Vec<IssueNumber>,
    /// A page for people, where there is one.
    pub url: Option<String>,
    pub completed_at: Option<Timestamp>,
}

/// One check, or all checks of one app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    Run,
    Suite,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Success,
    Failure,
    Neutral,
    Cancelled,
    Skipped,
    TimedOut,
    ActionRequired,
    Stale,
    StartupFailure,
}

impl Conclusion {
    /// Does it ask for work (`contract/operations.md` 5.1)?
    pub fn is_failing(self) -> bool {
        matches!(
            self,
            Self::Failure | Self::Cancelled | Self::TimedOut | Self::ActionRequired | Self::StartupFailure
        )
    }
}

impl PullNow {
    pub fn number(&self) -> IssueNumber {
        self.listed.number
    }

    pub fn is_open(&self) -> bool {
        self.listed.state == IssueState::Open
    }

    /// Is its branch in the repository itself? One answer spells the name in one way, whatever the repository was called
    /// before.
    pub fn is_of_own_branch(&self) -> bool {
        let url = self.listed.url.to_lowercase();
        self.head.repo.as_ref().is_some_and(|repo| url.contains(&format!("/{}/pull/", repo.to_lowercase())))
    }

    pub fn is_merged(&self) -> bool {
        self.listed.merged_at.is_some()
    }
}

impl PullEvent {
    /// The pull request as the list of issues would show it, if the event shows it.
    pub fn listed(&self) -> Option<&RemotePull> {
        match self {
            Self::Changed(pull) | Self::Reviewed { pull, .. } | Self::LineComment { pull, .. } => {
                Some(&pull.listed)
            }
            Self::Comment { pull, .. } | Self::Listed(pull) => Some(pull),
            Self::Checked(_) => None,
        }
    }
}
