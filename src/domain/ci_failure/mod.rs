//! Workflows that fail on the default branch (`contract/operations.md` 5.4): what their last runs say, and what follows from
//! it for the issues that Dispatch opened about them.

mod log;
mod text;

pub use log::{Excerpt, is_scan, signature};
pub use text::{Marker, Told, find_marker};

use super::{
    ids::{IssueNumber, OutboxId, RepoId},
    issue::IssueState,
    time::Timestamp,
};

/// A run of a workflow that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: i64,
    pub workflow_id: i64,
    pub workflow: String,
    /// None where its end says nothing of the code: cancelled, skipped and the like.
    pub success: Option<bool>,
    pub url: String,
    pub head_sha: String,
    pub created_at: Timestamp,
    /// Of a fork's branch that has the same name, or of a pull request: not of ours.
    pub is_foreign: bool,
}

/// A job of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: i64,
    pub name: String,
    pub failed: bool,
    pub url: Option<String>,
}

/// What the last runs of a workflow come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health<'r> {
    /// Nothing ran to an end that says something.
    Unknown,
    Healthy,
    /// It succeeds and fails by turns.
    Flapping,
    /// It failed once.
    FailedOnce,
    /// It failed twice or more: the newest run, and the one before.
    Failing(&'r Run, &'r Run),
}

/// Each workflow with its runs, the newest first, in the order in which they ran last.
pub fn by_workflow(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    for run in runs.iter().filter(|run| !run.is_foreign && run.success.is_some()) {
        match groups.iter_mut().find(|group| group[0].workflow_id == run.workflow_id) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    for group in &mut groups {
        group.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.id)));
    }
    groups
}

/// Judges by runs of one workflow, the newest first.
pub fn judge<'r>(runs: &[&'r Run]) -> Health<'r> {
    let failed = |run: &&Run| run.success == Some(false);
    match runs {
        [] => Health::Unknown,
        [last, before, ..] if failed(last) && failed(before) => Health::Failing(last, before),
        [last, ..] if failed(last) => Health::FailedOnce,
        [_, before, ..] if failed(before) => Health::Flapping,
        _ => Health::Healthy,
    }
}

/// Where an issue about a failure stands, as far as Dispatch has a hand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// Dispatch closes it once the workflow succeeds.
    Open,
    /// It was closed, by whomever; if a person opens it again, it is that person's to close.
    Closed,
}

/// An issue about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    pub id: String,
    pub repo: RepoId,
    pub workflow_id: i64,
    pub workflow: String,
    pub signature: String,
    /// The newest run that was seen to fail thus.
    pub run_id: i64,
    /// The wish for the issue; none for one that was there before.
    pub entry: Option<OutboxId>,
    /// None until GitHub has the issue.
    pub number: Option<IssueNumber>,
    pub state: State,
    pub closed_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// What the cache has of the issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It was not read yet.
    NotYet,
    Is(IssueState),
    /// Deleted or transferred.
    Gone,
}

/// What to do about a failure with this signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filing {
    /// An issue tells of it.
    Told,
    /// Somebody closed that issue, and it has not failed twice since.
    JustClosed(IssueNumber),
    /// Open one; the last one about it is named there.
    File(Option<IssueNumber>),
}

/// Decides by the issues about that failure, each with what the cache shows of it. `before`: the older of the two runs.
pub fn decide(known: &[(&Filed, Shown)], before: &Run) -> Filing {
    let is_told = |(filed, shown): &(&Filed, Shown)| match shown {
        Shown::Is(state) => *state == IssueState::Open,
        Shown::NotYet => filed.state == State::Open,
        Shown::Gone => false,
    };
    if known.iter().any(is_told) {
        return Filing::Told;
    }
    let Some((last, _)) = known.iter().max_by_key(|(filed, _)| filed.created_at) else {
        return Filing::File(None);
    };
    match last.number {
        Some(number) if last.closed_at.is_some_and(|at| before.created_at <= at) => {
            Filing::JustClosed(number)
        }
        number => Filing::File(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: i64, workflow_id: i64, success: Option<bool>) -> Run {
        Run {
            id,
            workflow_id,
            workflow: format!("w{workflow_id}"),
            success,
            url: String::new(),
            head_sha: String::new(),
            created_at: Timestamp(id * 10),
            is_foreign: false,
        }
    }

    fn filed(number: i64, state: State, closed_at: Option<i64>) -> Filed {
        Filed {
            id: number.to_string(),
            repo: RepoId("r".into()),
            workflow_id: 1,
            workflow: "w1".into(),
            signature: "s".into(),
            run_id: 1,
            entry: None,
            number: Some(IssueNumber(number)),
            state,
            closed_at: closed_at.map(Timestamp),
            created_at: Timestamp(number),
        }
    }

    #[test]
    fn the_last_runs_decide() {
        let health = |ends: &[bool]| {
            let runs: Vec<Run> =
                (1_i64..).zip(ends.iter().rev()).map(|(id, success)| run(id, 1, Some(*success))).collect();
            let groups = by_workflow(&runs);
            match groups.first().map_or(Health::Unknown, |runs| judge(runs)) {
                Health::Unknown => "unknown",
                Health::Healthy => "healthy",
                Health::Flapping => "flapping",
                Health::FailedOnce => "failed once",
                Health::Failing(last, before) => {
                    assert!(last.id == before.id + 1);
                    "failing"
                }
            }
        };
        // The newest first.
        for (ends, want) in [
            (&[][..], "unknown"),
            (&[true], "healthy"),
            (&[false], "failed once"),
            (&[true, true, false], "healthy"),
            (&[true, false], "flapping"),
            (&[false, true, false, false], "failed once"),
            (&[false, false], "failing"),
            (&[false, false, true], "failing"),
        ] {
            assert_eq!(health(ends), want, "{ends:?}");
        }
    }

    #[test]
    fn runs_are_told_apart_by_workflow_and_those_that_say_nothing_are_left_out() {
        let foreign = Run { is_foreign: true, ..run(9, 1, Some(true)) };
        let runs =
            [run(1, 1, Some(false)), run(2, 2, Some(true)), run(3, 1, None), run(4, 1, Some(false)), foreign];
        let groups: Vec<Vec<i64>> =
            by_workflow(&runs).iter().map(|group| group.iter().map(|run| run.id).collect()).collect();
        assert_eq!(groups, [vec![4, 1], vec![2]]);
    }

    #[test]
    fn one_issue_tells_of_a_failure_and_a_closed_one_is_followed_after_two_more() {
        use IssueState::{Closed, Open};
        let before = run(5, 1, Some(false));
        let open = filed(7, State::Open, None);
        let closed = |at| filed(7, State::Closed, Some(at));
        let is = Shown::Is;
        for (known, want) in [
            (vec![], Filing::File(None)),
            (vec![(&open, Shown::NotYet)], Filing::Told),
            (vec![(&open, is(Open))], Filing::Told),
            // A person opened it again.
            (vec![(&closed(10), is(Open))], Filing::Told),
            (vec![(&closed(49), is(Closed))], Filing::File(Some(IssueNumber(7)))),
            (vec![(&closed(50), is(Closed))], Filing::JustClosed(IssueNumber(7))),
            (vec![(&closed(10), Shown::Gone)], Filing::File(Some(IssueNumber(7)))),
            (vec![(&closed(10), is(Closed)), (&filed(8, State::Open, None), is(Open))], Filing::Told),
            (
                vec![(&filed(6, State::Closed, Some(1)), is(Closed)), (&closed(10), is(Closed))],
                Filing::File(Some(IssueNumber(7))),
            ),
        ] {
            assert_eq!(decide(&known, &before), want, "{known:?}");
        }
    }
}
