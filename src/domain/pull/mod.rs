//! Pull requests: what they are about, and whether they need another look.

pub mod health;
pub mod links;

use self::health::Decision;
use super::{ids::IssueNumber, pull_event::Conclusion, time::Timestamp};

/// The latest run of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    pub id: i64,
    /// What it was started with; two workflows may well have a job of one name.
    pub suite: Option<i64>,
    pub name: String,
    /// None while it runs.
    pub conclusion: Option<Conclusion>,
    /// A page for people.
    pub url: Option<String>,
    pub completed_at: Option<Timestamp>,
}

/// The pull request that an issue shows, and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedPull {
    pub number: IssueNumber,
    pub url: String,
    pub needs_followup: bool,
    /// In words.
    pub reasons: Vec<String>,
    pub decision: Option<Decision>,
    /// As GitHub spells it.
    pub merge_state: Option<String>,
    /// When all that was computed; none: not yet.
    pub checked_at: Option<Timestamp>,
}
