//! Claims: who works on what, in which words, and for how long (`design.md` section 3, `contract/agents.md` 6).

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    ids::{AgentName, ClaimId, IssueId},
    labels::Status,
    time::Timestamp,
};

/// A number that no two grants ever share; a later grant has a larger one. What a writer shows who must not
/// be late.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[sqlx(transparent)]
#[serde(transparent)]
#[schema(minimum = 1, examples(17))]
pub struct Fence(pub i64);

/// How far a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkState {
    Claimed,
    InProgress,
    Blocked,
    Done,
    Released,
    Stale,
}

impl WorkState {
    pub const ALL: [Self; 6] =
        [Self::Claimed, Self::InProgress, Self::Blocked, Self::Done, Self::Released, Self::Stale];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "CLAIMED",
            Self::InProgress => "IN_PROGRESS",
            Self::Blocked => "BLOCKED",
            Self::Done => "DONE",
            Self::Released => "RELEASED",
            Self::Stale => "STALE",
        }
    }

    /// Does a claim in this state still hold its issue?
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Claimed | Self::InProgress | Self::Blocked)
    }

    /// A state in the words of `finish`, where some have more than one name.
    pub fn written(text: &str) -> Option<Self> {
        match normal(text).as_str() {
            "CLAIMED" | "CLAIM" => Some(Self::Claimed),
            "IN_PROGRESS" | "INPROGRESS" => Some(Self::InProgress),
            "BLOCKED" | "STUCK" => Some(Self::Blocked),
            "DONE" | "COMPLETE" | "COMPLETED" => Some(Self::Done),
            "RELEASED" | "RELEASE" => Some(Self::Released),
            "STALE" | "EXPIRED" => Some(Self::Stale),
            _ => None,
        }
    }
}

/// Trimmed, in upper case, with underscores.
fn normal(text: &str) -> String {
    text.trim().to_uppercase().replace('-', "_")
}

/// The last thing that the holder reached; each has a name in both vocabularies of the Node edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Checkpoint {
    IssueClaimed,
    RepoPrepared,
    BranchCreated,
    ChangesMade,
    TestsRunning,
    PrOpened,
    FeedbackReceived,
    WorkComplete,
    Blocked,
}

impl Checkpoint {
    /// The names of `POST /api/agent-work/checkpoint`.
    pub const WORK_NAMES: &'static str =
        "CLAIMED, REPO_PREPARED, BRANCH_CREATED, CHANGES_MADE, TESTS_RUNNING, PR_OPENED, DONE, BLOCKED";

    /// A checkpoint in either vocabulary.
    pub fn written(text: &str) -> Option<Self> {
        match normal(text).as_str() {
            "CLAIMED" | "ISSUE_CLAIMED" | "IN_PROGRESS" | "INPROGRESS" => Some(Self::IssueClaimed),
            "REPO_PREPARED" => Some(Self::RepoPrepared),
            "BRANCH_CREATED" => Some(Self::BranchCreated),
            "CHANGES_MADE" => Some(Self::ChangesMade),
            "TESTS_RUNNING" => Some(Self::TestsRunning),
            "PR_OPENED" => Some(Self::PrOpened),
            "FEEDBACK_RECEIVED" => Some(Self::FeedbackReceived),
            "DONE" | "COMPLETE" | "COMPLETED" | "WORK_COMPLETE" => Some(Self::WorkComplete),
            "BLOCKED" | "STUCK" => Some(Self::Blocked),
            _ => None,
        }
    }

    /// The upper-case name (`AgentWork`).
    pub const fn work_name(self) -> &'static str {
        match self {
            Self::IssueClaimed => "CLAIMED",
            Self::RepoPrepared => "REPO_PREPARED",
            Self::BranchCreated => "BRANCH_CREATED",
            Self::ChangesMade => "CHANGES_MADE",
            Self::TestsRunning => "TESTS_RUNNING",
            Self::PrOpened | Self::FeedbackReceived => "PR_OPENED",
            Self::WorkComplete => "DONE",
            Self::Blocked => "BLOCKED",
        }
    }

    /// The lower-case name (`Lease`).
    pub const fn lease_name(self) -> &'static str {
        match self {
            Self::IssueClaimed | Self::RepoPrepared => "issue_claimed",
            Self::BranchCreated => "branch_created",
            Self::ChangesMade | Self::TestsRunning => "changes_made",
            Self::PrOpened => "pr_opened",
            Self::FeedbackReceived => "feedback_received",
            Self::WorkComplete | Self::Blocked => "work_complete",
        }
    }

    /// What the holder should do next (`contract/agents.md` 6.5).
    pub const fn next_action(self) -> &'static str {
        match self {
            Self::IssueClaimed | Self::RepoPrepared => "inspect_issue",
            Self::BranchCreated => "continue_changes",
            Self::ChangesMade | Self::TestsRunning => "open_pr",
            Self::PrOpened => "check_pr_status",
            Self::FeedbackReceived => "address_pr_feedback",
            Self::WorkComplete | Self::Blocked => "finish_or_block",
        }
    }

    /// The state that a live claim is in once its holder reached this. Any progress leads out of `BLOCKED`.
    pub const fn leads_to(self, from: WorkState) -> WorkState {
        match (self, from) {
            (Self::Blocked, _) => WorkState::Blocked,
            (Self::WorkComplete, _) => WorkState::Done,
            (Self::IssueClaimed, WorkState::Claimed) => WorkState::Claimed,
            _ => WorkState::InProgress,
        }
    }
}

/// On what terms an issue is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Terms {
    /// Ends when it is not renewed within the ttl.
    Leased,
    /// By a client that never renews: stale after the ttl, taken back much later.
    Held,
}

/// Why a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its holder gave it up, or an operator did.
    Released,
    /// Its holder finished.
    Finished,
    /// It was not renewed in time.
    Expired,
    /// Another took it by `force`.
    Forced,
    /// Another's work, by an operator.
    Reassigned,
    /// Nobody's, by an operator.
    Withdrawn,
    /// The holder's label was removed or replaced on GitHub.
    Revoked,
    /// The issue was closed, deleted, transferred or done.
    IssueEnded,
    /// Its repository is tracked no more.
    Untracked,
    /// Its holder began other work.
    Superseded,
}

impl EndReason {
    /// How the history of the work names it.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Finished => "finish",
            Self::Expired => "stale",
            Self::Forced => "forced",
            Self::Reassigned => "reassigned",
            Self::Withdrawn => "released_by_operator",
            Self::Revoked => "revoked",
            Self::IssueEnded => "issue_ended",
            Self::Untracked => "untracked",
            Self::Superseded => "released_by_new_claim",
        }
    }
}

impl EndReason {
    /// Did the holder lose it, rather than give it up?
    pub const fn is_loss(self) -> bool {
        !matches!(self, Self::Released | Self::Finished | Self::Superseded)
    }
}

/// A claim as it is stored; one row is one attempt of one agent.
#[derive(Clone, Debug)]
pub struct Claim {
    pub id: ClaimId,
    pub fence: Fence,
    pub agent: AgentName,
    /// Work without an issue is outside the rule of one live claim.
    pub issue: Option<IssueId>,
    pub terms: Terms,
    pub state: WorkState,
    pub checkpoint: Checkpoint,
    /// Made by `agent-work/start`, which gives it up when its agent starts something else.
    pub started: bool,
    /// When `agent-work` was last told of it; what it is told next without a claim's id is about this one.
    pub worked_at: Option<Timestamp>,
    pub run: Option<String>,
    pub branch: Option<String>,
    pub pr_url: Option<String>,
    pub summary: Option<String>,
    pub blocker: Option<String>,
    pub created_at: Timestamp,
    pub renewed_at: Timestamp,
    /// When it is stale; a leased claim is taken back then.
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<EndReason>,
}

/// How long claims last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From one renewal of a claim to its end, or to its being stale.
    pub ttl: Duration,
    /// From the last word of a holder that never renews to its claim's end; `None`: never.
    pub held_ttl: Option<Duration>,
}

impl Timing {
    /// Claims on these terms whose `expires_at` lies at or before the answer are to be taken back now;
    /// `None`: none of them.
    pub fn overdue_before(&self, terms: Terms, now: Timestamp) -> Option<Timestamp> {
        match terms {
            Terms::Leased => Some(now),
            Terms::Held => self.held_ttl.map(|held| now.minus(held.saturating_sub(self.ttl))),
        }
    }

    /// May anybody else have the issue now? The clock stands while its work waits for others.
    pub fn is_overdue(
        &self,
        terms: Terms,
        expires_at: Timestamp,
        status: Option<Status>,
        now: Timestamp,
    ) -> bool {
        !stops_the_clock(status) && self.overdue_before(terms, now).is_some_and(|limit| expires_at <= limit)
    }
}

/// No claim runs out while its issue waits for a review or for what blocks it.
pub const fn stops_the_clock(status: Option<Status>) -> bool {
    matches!(status, Some(Status::InReview | Status::Blocked))
}

/// The text is no state of work.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("one of CLAIMED, IN_PROGRESS, BLOCKED, DONE, RELEASED, STALE")]
pub struct NotAState;

impl FromStr for WorkState {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { ttl: Duration::from_mins(30), held_ttl: Some(Duration::from_hours(24)) };

    #[test]
    fn a_lease_ends_at_its_ttl_and_a_held_claim_much_later() {
        let granted = Timestamp(1_000_000_000_000);
        let (ms, day) = (Duration::from_millis(1), Duration::from_hours(24));
        let expires = granted.plus(TIMING.ttl);
        let cases = [
            (Terms::Leased, TIMING.ttl.saturating_sub(ms), false),
            (Terms::Leased, TIMING.ttl, true),
            (Terms::Leased, TIMING.ttl + ms, true),
            (Terms::Held, TIMING.ttl + ms, false),
            (Terms::Held, day.saturating_sub(ms), false),
            (Terms::Held, day, true),
        ];
        for (terms, after, want) in cases {
            let now = granted.plus(after);
            assert_eq!(
                TIMING.is_overdue(terms, expires, Some(Status::InProgress), now),
                want,
                "{terms:?} {after:?}"
            );
            assert!(!TIMING.is_overdue(terms, expires, Some(Status::InReview), now));
            assert!(!TIMING.is_overdue(terms, expires, Some(Status::Blocked), now));
        }
        let never = Timing { held_ttl: None, ..TIMING };
        assert!(!never.is_overdue(Terms::Held, expires, None, granted.plus(Duration::from_hours(9_999))));
    }

    #[test]
    fn both_vocabularies_name_the_same_checkpoints() {
        let cases = [
            ("issue_claimed", "CLAIMED", "inspect_issue"),
            ("branch_created", "BRANCH_CREATED", "continue_changes"),
            ("changes_made", "CHANGES_MADE", "open_pr"),
            ("pr_opened", "PR_OPENED", "check_pr_status"),
            ("feedback_received", "PR_OPENED", "address_pr_feedback"),
            ("work_complete", "DONE", "finish_or_block"),
        ];
        for (lease, work, action) in cases {
            let checkpoint = Checkpoint::written(lease).unwrap();
            assert_eq!(
                (checkpoint.lease_name(), checkpoint.work_name(), checkpoint.next_action()),
                (lease, work, action)
            );
        }
        for name in Checkpoint::WORK_NAMES.split(", ") {
            assert_eq!(
                Checkpoint::written(&name.to_lowercase().replace('_', "-")).unwrap().work_name(),
                name
            );
        }
        assert_eq!(Checkpoint::written(" stuck "), Some(Checkpoint::Blocked));
        assert_eq!(Checkpoint::written("IN-PROGRESS"), Some(Checkpoint::IssueClaimed));
        assert!(Checkpoint::written("soon").is_none() && Checkpoint::written("").is_none());
    }

    #[test]
    fn checkpoints_move_the_state() {
        use WorkState::{Blocked, Claimed, Done, InProgress};
        let cases = [
            (Checkpoint::IssueClaimed, Claimed, Claimed),
            (Checkpoint::IssueClaimed, Blocked, InProgress),
            (Checkpoint::BranchCreated, Claimed, InProgress),
            (Checkpoint::PrOpened, Blocked, InProgress),
            (Checkpoint::Blocked, InProgress, Blocked),
            (Checkpoint::WorkComplete, InProgress, Done),
        ];
        for (checkpoint, from, to) in cases {
            assert_eq!(checkpoint.leads_to(from), to, "{checkpoint:?} from {from:?}");
        }
    }

    #[test]
    fn states_have_other_names() {
        for (text, state) in [
            ("complete", WorkState::Done),
            ("COMPLETED", WorkState::Done),
            ("stuck", WorkState::Blocked),
            ("release", WorkState::Released),
            ("expired", WorkState::Stale),
            ("claim", WorkState::Claimed),
            ("in-progress", WorkState::InProgress),
        ] {
            assert_eq!(WorkState::written(text), Some(state), "{text}");
        }
        for state in WorkState::ALL {
            assert_eq!(WorkState::written(state.as_str()), Some(state));
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!(WorkState::written("gone").is_none() && "claimed".parse::<WorkState>().is_err());
    }
}
