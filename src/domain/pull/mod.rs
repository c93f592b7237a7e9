//! Pull requests: what they are about, and whether they need another look.

pub mod health;
pub mod links;

use super::{pull_event::Conclusion, time::Timestamp};

/// The latest run of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    pub id: i64,
    pub name: String,
    /// None while it runs.
    pub conclusion: Option<Conclusion>,
    /// A page for people.
    pub url: Option<String>,
    pub completed_at: Option<Timestamp>,
}
