//! The answer of a heartbeat and the plain rules behind it (`design.md` section 1).

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    claim::Fence,
    digest::fraction,
    ids::{AgentName, ClaimId, RunId},
    notice::{Notice, Severity},
    run::PassStatus,
    task::Task,
    time::Timestamp,
};

/// At most this many touched issue URLs are listed; the summary counts all.
pub const TOUCHED_MAX: usize = 1_000;

/// What a pass came to, in the order of its fields on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatAnswer {
    pub status: PassStatus,
    /// The agent's name as it was first written.
    pub agent_name: AgentName,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// One line that counts.
    #[schema(examples(
        "3 repositories: 2 unchanged, 1 changed, 0 failed; 1 issue touched; 0 claims recovered; 0 writes sent, 0 pending"
    ))]
    pub summary: String,
    /// What passes by itself, or what the rest went on without: `<phase>: <subject>: <what>; <what to do>`.
    pub warnings: Vec<String>,
    /// What a person must mend, in the same form.
    pub errors: Vec<String>,
    /// Issues that this pass changed in the cache, sorted.
    #[schema(max_items = 1000)]
    pub touched_issue_urls: Vec<String>,
    /// The record of this pass; null when the database could not keep it.
    #[schema(required)]
    pub run_id: Option<RunId>,
    /// When the agent should beat again.
    pub next_heartbeat_at: Timestamp,
    /// What was asked for besides.
    #[serde(flatten)]
    pub asked: Asked,
}

/// Fields that are there only when the request asks for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Asked {
    /// For each claim that the request named, in its order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Lease>, required = false)]
    pub leases: Option<Vec<Lease>>,
    /// What to do next, as `next-task` would say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Task, required = false)]
    pub next: Option<Task>,
}

/// What became of a named claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    #[schema(value_type = String)]
    pub claim_id: ClaimId,
    pub fence: Fence,
    pub state: LeaseState,
    /// When it must be renewed again; null for a lost one.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
}

/// Whether a named claim is the agent's still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    Renewed,
    Lost,
}

/// What the summary counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub unchanged: usize,
    pub changed: usize,
    pub failed: usize,
    /// Not read in this pass: back-off, points used up, or still being read at the deadline.
    pub left: usize,
    pub touched: u64,
    pub recovered: u64,
    pub sent: u64,
    pub pending: u64,
}

/// One deterministic line.
pub fn summary(counts: &Counts) -> String {
    let Counts { unchanged, changed, failed, left, touched, recovered, sent, pending } = *counts;
    let all = unchanged + changed + failed + left;
    let mut line = format!(
        "{}: {unchanged} unchanged, {changed} changed, {failed} failed",
        plural(all as u64, "repository", "repositories")
    );
    if left > 0 {
        let _ = write!(line, ", {left} left for the next pass");
    }
    let _ = write!(
        line,
        "; {} touched; {} recovered; {} sent, {pending} pending",
        plural(touched, "issue", "issues"),
        plural(recovered, "claim", "claims"),
        plural(sent, "write", "writes"),
    );
    line
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `ok`, `warning` or `error`, and the messages in their two lists, in the order they came.
pub fn settle(notices: &[Notice]) -> (PassStatus, Vec<String>, Vec<String>) {
    let (mut warnings, mut errors) = (Vec::new(), Vec::new());
    for notice in notices {
        let list = match notice.severity() {
            Severity::Warning => &mut warnings,
            Severity::Critical => &mut errors,
        };
        list.push(notice.to_string());
    }
    let status = match (errors.is_empty(), warnings.is_empty()) {
        (false, _) => PassStatus::Error,
        (true, false) => PassStatus::Warning,
        (true, true) => PassStatus::Ok,
    };
    (status, warnings, errors)
}

/// When the agent should beat again: the interval times 0.85 to 1.15 by its name, so that a fleet spreads
/// out; not before GitHub's back-off ends, but in time for who has a claim to be renewed.
pub fn next_beat(
    agent: &AgentName,
    finished: Timestamp,
    interval: Duration,
    backoff: Option<Timestamp>,
    claim_ttl: Option<Duration>,
) -> Timestamp {
    let usual = finished.plus(interval.mul_f64(0.85 + 0.30 * fraction(&agent.key())));
    let at = backoff.map_or(usual, |until| usual.max(until));
    claim_ttl.map_or(at, |ttl| at.min(finished.plus(ttl / 3)))
}

/// The smallest [`TOUCHED_MAX`] of several sorted lists, without doubles.
pub fn merge_touched<'a>(lists: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    let mut all: Vec<String> = lists.into_iter().flatten().cloned().collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(TOUCHED_MAX);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::{Code, Notice};

    #[test]
    fn the_summary_counts_and_speaks_plainly() {
        let counts = Counts { unchanged: 9, changed: 1, touched: 3, ..Counts::default() };
        assert_eq!(
            summary(&counts),
            "10 repositories: 9 unchanged, 1 changed, 0 failed; 3 issues touched; 0 claims recovered; 0 writes sent, 0 pending"
        );
        let left = Counts { unchanged: 0, left: 1, touched: 1, ..Counts::default() };
        assert!(summary(&left).starts_with(
            "1 repository: 0 unchanged, 0 changed, 0 failed, 1 left for the next pass; 1 issue touched;"
        ));
    }

    #[test]
    fn an_error_outweighs_a_warning() {
        let repo = "a/b".parse().unwrap();
        let warning = Notice::sync(&repo, Code::RepoNotFound);
        let error = Notice::sync_whole(Code::CredentialsRefused);
        assert_eq!(settle(&[]).0, PassStatus::Ok);
        assert_eq!(settle(std::slice::from_ref(&warning)).0, PassStatus::Warning);
        let (status, warnings, errors) = settle(&[warning, error]);
        assert_eq!((status, warnings.len(), errors.len()), (PassStatus::Error, 1, 1));
    }

    #[test]
    fn beats_spread_by_name_and_wait_for_github() {
        let (a, b): (AgentName, AgentName) = ("a".parse().unwrap(), "A".parse().unwrap());
        let interval = Duration::from_mins(1);
        let at = next_beat(&a, Timestamp(0), interval, None, None);
        assert_eq!(at, next_beat(&b, Timestamp(0), interval, None, None));
        let span: Vec<i64> = (0..200)
            .map(|n| next_beat(&format!("agent-{n}").parse().unwrap(), Timestamp(0), interval, None, None).0)
            .collect();
        assert!(span.iter().all(|ms| (51_000..=69_000).contains(ms)));
        assert!(span.iter().max().unwrap() - span.iter().min().unwrap() > 15_000);
        let until = Some(Timestamp(3_600_000));
        assert_eq!(next_beat(&a, Timestamp(0), interval, until, None), Timestamp(3_600_000));
        let ttl = Some(Duration::from_mins(30));
        assert_eq!(
            next_beat(&a, Timestamp(0), interval, until, ttl),
            Timestamp(600_000),
            "a claim does not wait"
        );
        assert_eq!(next_beat(&a, Timestamp(0), interval, None, ttl), at);
    }

    #[test]
    fn touched_urls_are_sorted_single_and_bounded() {
        let many: Vec<String> = (0..TOUCHED_MAX).map(|n| format!("u{n:05}")).collect();
        let merged = merge_touched([many.as_slice(), &["a".to_owned(), "u00000".to_owned()]]);
        assert_eq!(merged.len(), TOUCHED_MAX);
        assert_eq!(&merged[..2], ["a", "u00000"]);
    }
}
