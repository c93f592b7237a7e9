//! Pull requests that need another attempt: the words of the PR-fix queue (`contract/agents.md` section 10). The decisions
//! are in the files below, as plain functions of the row.

pub mod call;
pub mod enqueue;
pub mod handout;
pub mod mark;
pub mod settle;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    ids::{AgentName, IssueNumber, PrFixId},
    repo::RepoName,
    time::Timestamp,
};

/// Counts the attempts that a pull request was opened for. With the item's id it names one attempt.
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
#[schema(as = PrFixGeneration, minimum = 1, examples(1))]
pub struct Generation(pub i64);

impl Generation {
    pub const FIRST: Self = Self(1);

    /// That of the next attempt.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = PrFixLane)]
pub enum FixLane {
    Normal,
    Escalated,
    NeedsHuman,
}

impl FixLane {
    pub const ALL: [Self; 3] = [Self::Normal, Self::Escalated, Self::NeedsHuman];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Escalated => "ESCALATED",
            Self::NeedsHuman => "NEEDS_HUMAN",
        }
    }

    /// A lane by its name; `None` for none of them.
    pub fn named(text: &str) -> Option<Self> {
        let text = text.trim().to_uppercase().replace('-', "_");
        Self::ALL.into_iter().find(|lane| lane.as_str() == text)
    }

    /// The lane that evidence asks for: nothing is normal, and what nobody knows is for a human.
    pub fn asked(text: &str) -> Self {
        if text.trim().is_empty() { Self::Normal } else { Self::named(text).unwrap_or(Self::NeedsHuman) }
    }
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = PrFixStatus)]
pub enum FixStatus {
    Queued,
    Fixed,
    Blocked,
    Stale,
    Ignored,
}

impl FixStatus {
    pub const ALL: [Self; 5] = [Self::Queued, Self::Fixed, Self::Blocked, Self::Stale, Self::Ignored];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Fixed => "FIXED",
            Self::Blocked => "BLOCKED",
            Self::Stale => "STALE",
            Self::Ignored => "IGNORED",
        }
    }

    /// Is there something left to do, by an agent or by a human?
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Blocked)
    }
}

/// No status of the queue.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("Invalid status")]
pub struct NotAStatus;

impl FromStr for FixStatus {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let text = text.trim().to_uppercase();
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(NotAStatus)
    }
}

/// What is wrong with a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "TEXT", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = PrFixType)]
pub enum FixType {
    MergeConflict,
    CiFailure,
    ReviewFeedback,
    Other,
}

impl FixType {
    pub const ALL: [Self; 4] = [Self::MergeConflict, Self::CiFailure, Self::ReviewFeedback, Self::Other];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MergeConflict => "MERGE_CONFLICT",
            Self::CiFailure => "CI_FAILURE",
            Self::ReviewFeedback => "REVIEW_FEEDBACK",
            Self::Other => "OTHER",
        }
    }

    /// What is unknown is something else.
    pub fn asked(text: &str) -> Self {
        let text = text.trim().to_uppercase().replace('-', "_");
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Other)
    }

    /// The lesser is handed out first.
    pub const fn rank(self) -> i64 {
        match self {
            Self::MergeConflict => 0,
            Self::CiFailure => 1,
            Self::ReviewFeedback => 2,
            Self::Other => 3,
        }
    }
}

/// The limits of the queue (`PR_FIX_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// An item that took so many attempts is for a human.
    pub attempts: i64,
    /// An item that was taken back so often is for a human.
    pub reclaims: i64,
    /// How long a hand-out lasts after the last that was heard of its agent.
    pub handout: std::time::Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attempts: 5, reclaims: 3, handout: std::time::Duration::from_mins(30) }
    }
}

/// The most of each that is kept or shown of an item (the contract's).
pub const FEEDBACK_MAX: i64 = 12;
pub const EVIDENCE_SHOWN: i64 = 40;
/// Keys that are known without being shown: what is forgotten would count as new.
pub const EVIDENCE_MAX: i64 = 1_000;
pub const LATE_EVIDENCE_MAX: usize = 20;

/// A pull request in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: PrFixId,
    /// In lower case.
    pub repo: RepoName,
    pub pr: IssueNumber,
    /// Where the work came from.
    pub issue: Option<IssueNumber>,
    pub branch: Option<String>,
    pub url: Option<String>,
    pub title: Option<String>,
    pub author: Option<String>,
    pub lane: FixLane,
    pub kind: FixType,
    pub reason: String,
    pub status: FixStatus,
    pub queued_at: Timestamp,
    pub updated_at: Timestamp,
    /// Since when the present attempt waits for its turn.
    pub turn_at: Timestamp,
    /// The head that was last heard of.
    pub head_sha: Option<String>,
    /// The head when the present attempt began.
    pub attempt_head_sha: Option<String>,
    pub generation: Generation,
    pub fix_attempts: i64,
    pub reclaims: i64,
    /// When an attempt was handed out first, and which.
    pub dispatched: Option<(Timestamp, Generation)>,
    pub hold: Option<Hold>,
    pub waiting: Option<Waiting>,
}

/// Who has the present attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub agent: AgentName,
    /// At least; longer when more was heard of the agent meanwhile.
    pub until: Timestamp,
}

/// What the pull request was like when its agent had done what it could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub since: Timestamp,
    /// Unknown when GitHub could not be asked.
    pub head: Option<String>,
    pub mergeable: Option<bool>,
    pub checked_at: Timestamp,
    /// Not looked at again before.
    pub look_at: Timestamp,
}

/// What was asked of GitHub about a pull request, as far as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    NotRead,
    Unreadable,
    Read(PullFacts),
}

/// A pull request as GitHub shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFacts {
    /// The commit at its tip.
    pub head: String,
    pub is_open: bool,
    pub is_merged: bool,
    /// Unknown while GitHub works it out.
    pub mergeable: Option<bool>,
    /// Its repository is read-only.
    pub is_archived: bool,
}

impl Pull {
    /// The facts, if they were read.
    pub const fn facts(&self) -> Option<&PullFacts> {
        match self {
            Self::Read(facts) => Some(facts),
            Self::NotRead | Self::Unreadable => None,
        }
    }
}

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<T, R> {
    /// It hangs on what GitHub says of the pull request: ask, and decide again.
    NeedsPull,
    Refused(R),
    Is(T),
}

/// How the attempts are counted when one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    /// Another one.
    Next,
    /// As if it were the first.
    First,
    /// The last one never began.
    Same,
}

impl Item {
    /// `owner/name#7`.
    pub fn pull_request(&self) -> String {
        format!("{}#{}", self.repo, self.pr)
    }

    /// May it be handed to anybody?
    pub fn is_free(&self) -> bool {
        self.status == FixStatus::Queued && self.hold.is_none() && self.waiting.is_none()
    }

    /// Was the present attempt handed out?
    pub fn is_dispatched(&self) -> bool {
        self.dispatched.is_some_and(|(_, generation)| generation == self.generation)
    }

    /// Does it ask for a human?
    pub fn needs_human(&self) -> bool {
        self.status == FixStatus::Blocked && self.lane == FixLane::NeedsHuman
    }

    /// GitHub showed this head.
    fn observe(&mut self, pull: &Pull) {
        if let Some(facts) = pull.facts() {
            self.head_sha = Some(facts.head.clone());
        }
    }

    /// Nobody has it, and it waits for nothing.
    fn let_go(&mut self) {
        self.hold = None;
        self.waiting = None;
    }

    /// Whoever comes may have it: its next hand-out is a first one, of the same attempt.
    fn wake(&mut self, now: Timestamp) {
        self.let_go();
        self.dispatched = None;
        self.turn_at = now;
    }

    fn begin_attempt(&mut self, count: Count, now: Timestamp) {
        self.let_go();
        self.status = FixStatus::Queued;
        self.generation = self.generation.next();
        self.fix_attempts = match count {
            Count::Next => self.fix_attempts.saturating_add(1),
            Count::First => 1,
            Count::Same => self.fix_attempts,
        };
        self.attempt_head_sha.clone_from(&self.head_sha);
        self.dispatched = None;
        self.turn_at = now;
    }

    /// It comes to its end, as far as agents go.
    pub fn settle_as(&mut self, status: FixStatus) {
        self.let_go();
        self.status = status;
        if status == FixStatus::Blocked {
            self.lane = FixLane::NeedsHuman;
        }
    }

    /// Another attempt, unless it had as many as it may have: then a human must look. Gives what to note of that.
    fn begin_attempt_or_block(&mut self, limits: Limits, now: Timestamp) -> Option<String> {
        if self.fix_attempts >= limits.attempts {
            self.settle_as(FixStatus::Blocked);
            return Some(format!(
                "{} of {} attempts were made; a human is needed",
                self.fix_attempts, limits.attempts
            ));
        }
        self.begin_attempt(Count::Next, now);
        None
    }
}

/// Are these the same commit? Either may be shortened.
fn is_same_commit(one: &str, other: &str) -> bool {
    let shorter = one.len().min(other.len());
    shorter >= 7 && one.as_bytes()[..shorter].eq_ignore_ascii_case(&other.as_bytes()[..shorter])
}

/// Joins what there is to note.
fn noted(parts: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.trim().is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An item at its first attempt.
    pub(crate) fn item() -> Item {
        Item {
            id: PrFixId("i".into()),
            repo: "acme/api".parse().unwrap(),
            pr: IssueNumber(7),
            issue: None,
            branch: None,
            url: None,
            title: None,
            author: None,
            lane: FixLane::Normal,
            kind: FixType::CiFailure,
            reason: "red".into(),
            status: FixStatus::Queued,
            queued_at: Timestamp(0),
            updated_at: Timestamp(0),
            turn_at: Timestamp(0),
            head_sha: Some(sha('a')),
            attempt_head_sha: Some(sha('a')),
            generation: Generation::FIRST,
            fix_attempts: 1,
            reclaims: 0,
            dispatched: None,
            hold: None,
            waiting: None,
        }
    }

    pub(crate) fn sha(letter: char) -> String {
        letter.to_string().repeat(40)
    }

    pub(crate) fn agent(name: &str) -> AgentName {
        name.parse().unwrap()
    }

    /// Handed to `coder`.
    pub(crate) fn held() -> Item {
        let hold = Hold { agent: agent("coder"), until: Timestamp(100) };
        Item { hold: Some(hold), dispatched: Some((Timestamp(1), Generation::FIRST)), ..item() }
    }

    pub(crate) fn open(head: char, mergeable: Option<bool>) -> Pull {
        Pull::Read(PullFacts {
            head: sha(head),
            is_open: true,
            is_merged: false,
            mergeable,
            is_archived: false,
        })
    }

    #[test]
    fn lanes_and_types_are_read_as_clients_write_them() {
        for (text, want) in [
            ("", FixLane::Normal),
            (" ", FixLane::Normal),
            ("normal", FixLane::Normal),
            ("Escalated", FixLane::Escalated),
            ("needs-human", FixLane::NeedsHuman),
            ("NEEDS_HUMAN", FixLane::NeedsHuman),
            ("frontier", FixLane::NeedsHuman),
        ] {
            assert_eq!(FixLane::asked(text), want, "{text:?}");
        }
        assert_eq!(FixLane::named("frontier"), None);
        for kind in FixType::ALL {
            assert_eq!(FixType::asked(&kind.as_str().to_lowercase().replace('_', "-")), kind);
        }
        assert_eq!(FixType::asked("weird"), FixType::Other);
        assert!(FixType::ALL.is_sorted_by_key(|kind| kind.rank()));
        assert_eq!("fixed".parse(), Ok(FixStatus::Fixed));
        assert_eq!("".parse::<FixStatus>(), Err(NotAStatus));
    }

    #[test]
    fn names_on_the_wire_are_those_in_the_database() {
        for status in FixStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for lane in FixLane::ALL {
            assert_eq!(serde_json::to_value(lane).unwrap(), lane.as_str());
        }
        for kind in FixType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn commits_compare_by_what_both_say() {
        assert!(is_same_commit(&sha('a'), &sha('a')) && is_same_commit(&sha('a'), "AAAAAAA"));
        assert!(!is_same_commit(&sha('a'), &sha('b')) && !is_same_commit(&sha('a'), "aaa"));
    }
}
