//! What a report of a task settles (`contract/agents.md` 4.2).

use super::{
    Decision, FixLane, FixStatus, Generation, Item, Limits, Pull, Waiting,
    enqueue::{Late, is_actionable},
    handout::close,
    mark::{Mark, Marked, mark},
    noted,
};
use crate::domain::{
    ids::AgentName,
    repo::RepoName,
    report::{Action, Attempt, Report, Resolution, TaskOutcome},
    time::Timestamp,
};

/// Who reports, and what is known of the attempt that the report names.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub agent: &'a AgentName,
    /// The repository that the report names, by its present name.
    pub repo: Option<&'a RepoName>,
    pub report: &'a Report,
    pub attempt: &'a Attempt,
    /// The present attempt was handed to this agent.
    pub was_handed: bool,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub resolution: Resolution,
    /// The item as it is afterwards; absent when the report changes nothing.
    pub item: Option<Item>,
    pub note: Option<String>,
}

/// Nothing refuses a report: what it may not settle it skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

/// Decides what a report means to the item that it names.
pub fn settle(
    before: &Item,
    told: Told<'_>,
    late: &[Late],
    pull: &Pull,
    limits: Limits,
    now: Timestamp,
) -> Decision<Settlement, Never> {
    if let Some(reason) = barred(before, told) {
        return Decision::Is(Settlement {
            resolution: resolution(before, told, Action::Skipped, reason),
            item: None,
            note: None,
        });
    }
    match told.report.outcome {
        TaskOutcome::Blocked => by_mark(before, told, late, pull, limits, now, FixStatus::Blocked),
        TaskOutcome::Failed => Decision::Is(failed(before, told, limits, now)),
        _ => match pull {
            Pull::NotRead => Decision::NeedsPull,
            Pull::Read(facts) if !facts.is_open => Decision::Is(closed(before, told, facts.is_merged)),
            Pull::Read(facts) if facts.mergeable == Some(true) => {
                by_mark(before, told, late, pull, limits, now, FixStatus::Fixed)
            }
            Pull::Read(_) | Pull::Unreadable => Decision::Is(deferred(before, told, late, pull, now)),
        },
    }
}

/// Why a report settles nothing.
fn barred(item: &Item, told: Told<'_>) -> Option<String> {
    let Told { agent, repo, report, attempt, was_handed } = told;
    let held_by_other = item.hold.as_ref().filter(|hold| hold.agent != *agent);
    if repo != Some(&item.repo) || report.pull_request_number != Some(item.pr.0) {
        return Some(format!("the pr-fix item is of {}, not of the pull request named", item.pull_request()));
    }
    if attempt.generation != item.generation.0 {
        let (shown, is) = (Generation(attempt.generation), item.generation);
        return Some(format!("stale attempt: generation {shown}, the item is at {is}"));
    }
    if item.status != FixStatus::Queued {
        return Some(format!("pr-fix item already {}", item.status.as_str()));
    }
    if let Some(hold) = held_by_other {
        return Some(format!("the attempt is in the hands of {}", hold.agent));
    }
    (!was_handed).then(|| format!("the attempt was not handed to {agent}"))
}

fn resolution(item: &Item, told: Told<'_>, action: Action, reason: String) -> Resolution {
    Resolution {
        matched: true,
        action,
        item_id: Some(item.id.0.clone()),
        reason: Some(reason),
        attempt_generation: Some(told.attempt.generation),
    }
}

/// Settles by a mark; what is answered follows from where the item stands afterwards.
fn by_mark(
    before: &Item,
    told: Told<'_>,
    late: &[Late],
    pull: &Pull,
    limits: Limits,
    now: Timestamp,
    status: FixStatus,
) -> Decision<Settlement, Never> {
    let report = told.report;
    let ask = Mark {
        status,
        note: report.summary.clone(),
        generation: None,
        attempt_head_sha: None,
        already_addressed: report.outcome == TaskOutcome::AlreadyAddressed,
        evidence: report.evidence.clone(),
    };
    let Marked { item, note, .. } = match mark(before, &ask, late, pull, limits, now) {
        Decision::NeedsPull => return Decision::NeedsPull,
        // Only what a mark without a generation never meets is refused.
        Decision::Refused(refusal) => {
            let resolution = resolution(before, told, Action::Skipped, refusal.to_string());
            return Decision::Is(Settlement { resolution, item: None, note: None });
        }
        Decision::Is(marked) => marked,
    };
    let (action, reason) = match item.status {
        FixStatus::Fixed => (Action::Fixed, "the pull request can be merged".to_owned()),
        FixStatus::Blocked => (Action::Blocked, "a human is needed".to_owned()),
        _ => (Action::Requeued, format!("opened again as generation {}", item.generation)),
    };
    Decision::Is(Settlement { resolution: resolution(before, told, action, reason), item: Some(item), note })
}

fn failed(before: &Item, told: Told<'_>, limits: Limits, now: Timestamp) -> Settlement {
    let mut item = before.clone();
    let capped = item.begin_attempt_or_block(limits, now);
    let (action, reason) = if let Some(capped) = &capped {
        (Action::Blocked, capped.clone())
    } else {
        item.lane = FixLane::Normal;
        (Action::Requeued, format!("another attempt, generation {}", item.generation))
    };
    let said = told.report.error.clone().or_else(|| told.report.summary.clone());
    let note = noted([Some("the attempt failed".to_owned()), said, capped]);
    Settlement { resolution: resolution(before, told, action, reason), item: Some(item), note }
}

fn closed(before: &Item, told: Told<'_>, is_merged: bool) -> Settlement {
    let reason = if is_merged { "the pull request is merged" } else { "the pull request is closed" };
    Settlement {
        resolution: resolution(before, told, Action::Skipped, reason.to_owned()),
        item: Some(close(before)),
        note: Some(reason.to_owned()),
    }
}

/// It is not known that the pull request can be merged: the item waits, unless something came that nobody looked at.
fn deferred(before: &Item, told: Told<'_>, late: &[Late], pull: &Pull, now: Timestamp) -> Settlement {
    let mut item = before.clone();
    item.observe(pull);
    let facts = pull.facts();
    let reason = match facts.and_then(|facts| facts.mergeable) {
        Some(_) => "the pull request cannot be merged yet",
        None if facts.is_some() => "GitHub does not know yet whether the pull request can be merged",
        None => "GitHub could not be asked about the pull request",
    };
    if is_actionable(late, pull) == Some(true) {
        item.wake(now);
    } else {
        item.let_go();
        item.waiting = Some(Waiting {
            since: now,
            head: facts.map(|facts| facts.head.clone()),
            mergeable: facts.and_then(|facts| facts.mergeable),
            checked_at: now,
        });
    }
    Settlement {
        resolution: resolution(before, told, Action::Deferred, reason.to_owned()),
        item: Some(item),
        note: noted([told.report.summary.clone(), Some(reason.to_owned())]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::pr_fix::{
        PullFacts,
        tests::{agent, held, open, sha},
    };

    const NOW: Timestamp = Timestamp(50);

    fn report(outcome: &str) -> Report {
        let value = json!({ "taskType": "followup-pr", "outcome": outcome, "repoFullName": "ACME/api",
            "pullRequestNumber": 7, "summary": "said", "evidence": "seen" });
        serde_json::from_value(value).unwrap()
    }

    fn told(before: &Item, report: &Report, late: &[Late], pull: &Pull) -> Decision<Settlement, Never> {
        let attempt = Attempt { id: "i".into(), generation: 1 };
        let repo = "ACME/api".parse().ok();
        let told =
            Told { agent: &agent("Coder"), repo: repo.as_ref(), report, attempt: &attempt, was_handed: true };
        settle(before, told, late, pull, Limits::default(), NOW)
    }

    #[track_caller]
    fn done(
        before: &Item,
        outcome: &str,
        late: &[Late],
        pull: &Pull,
    ) -> (Action, Option<Item>, Option<String>) {
        match told(before, &report(outcome), late, pull) {
            Decision::Is(settled) => {
                assert_eq!(settled.resolution.attempt_generation, Some(1));
                assert_eq!(settled.resolution.item_id.as_deref(), Some("i"));
                (settled.resolution.action, settled.item, settled.note)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The item, the outcome, what came late, what GitHub says; what is answered, and where the item stands.
    type Case<'a> = (&'a Item, &'a str, &'a [Late], Pull, Action, FixStatus);

    #[test]
    fn outcomes_and_what_github_says() {
        let closed = |is_merged| {
            let facts =
                PullFacts { head: sha('b'), is_open: false, is_merged, mergeable: None, is_archived: false };
            Pull::Read(facts)
        };
        let tired = Item { fix_attempts: 5, ..held() };
        let review = [Late { key: "review:1".into(), head: None }];
        let moved = open('b', Some(true));
        let cases: [Case<'_>; 17] = [
            (&held(), "blocked", &[], Pull::NotRead, Action::Blocked, FixStatus::Blocked),
            (&held(), "blocked", &review, Pull::NotRead, Action::Requeued, FixStatus::Queued),
            (&tired, "blocked", &review, Pull::NotRead, Action::Blocked, FixStatus::Blocked),
            (&held(), "failed", &[], Pull::NotRead, Action::Requeued, FixStatus::Queued),
            (&tired, "failed", &[], Pull::NotRead, Action::Blocked, FixStatus::Blocked),
            (&held(), "pr_updated", &[], moved.clone(), Action::Fixed, FixStatus::Fixed),
            (&held(), "pr_opened", &[], moved.clone(), Action::Fixed, FixStatus::Fixed),
            (&held(), "issue_updated", &[], moved.clone(), Action::Fixed, FixStatus::Fixed),
            (&held(), "pr_updated", &review, moved, Action::Requeued, FixStatus::Queued),
            (&held(), "pr_updated", &[], open('a', Some(true)), Action::Requeued, FixStatus::Queued),
            (&tired, "pr_updated", &[], open('a', Some(true)), Action::Blocked, FixStatus::Blocked),
            (&held(), "no_changes_needed", &[], open('a', Some(true)), Action::Requeued, FixStatus::Queued),
            (&held(), "already_addressed", &[], open('a', Some(true)), Action::Fixed, FixStatus::Fixed),
            (&held(), "already_addressed", &[], open('a', Some(false)), Action::Deferred, FixStatus::Queued),
            (&held(), "pr_updated", &[], Pull::Unreadable, Action::Deferred, FixStatus::Queued),
            (&held(), "pr_updated", &[], closed(true), Action::Skipped, FixStatus::Stale),
            (&held(), "pr_updated", &[], closed(false), Action::Skipped, FixStatus::Stale),
        ];
        for (before, outcome, late, pull, action, status) in cases {
            let (is, item, _) = done(before, outcome, late, &pull);
            let case = format!("{outcome} {late:?} {pull:?}");
            assert_eq!((is, item.map(|item| item.status)), (action, Some(status)), "{case}");
        }
        for outcome in ["pr_updated", "already_addressed", "issue_closed"] {
            assert_eq!(told(&held(), &report(outcome), &[], &Pull::NotRead), Decision::NeedsPull);
        }
    }

    #[test]
    fn a_failed_attempt_is_followed_by_a_normal_one() {
        let escalated = Item { lane: FixLane::Escalated, ..held() };
        let (_, item, note) = done(&escalated, "failed", &[], &Pull::NotRead);
        let item = item.unwrap();
        assert_eq!((item.lane, item.generation, item.fix_attempts), (FixLane::Normal, Generation(2), 2));
        assert_eq!((item.hold, note.as_deref()), (None, Some("the attempt failed; said")));
    }

    #[test]
    fn what_is_deferred_waits_unless_something_new_came() {
        let no = open('b', Some(false));
        let item = done(&held(), "pr_updated", &[], &no).1.unwrap();
        let waiting = item.waiting.clone().unwrap();
        assert_eq!(
            (item.generation, item.hold.clone(), waiting.head, waiting.mergeable),
            (Generation::FIRST, None, Some(sha('b')), Some(false))
        );
        let late = [Late { key: "comment:1".into(), head: None }];
        assert!(done(&held(), "pr_updated", &late, &no).1.unwrap().is_free());
    }

    #[test]
    fn only_who_has_the_present_attempt_settles_it() {
        let report = report("blocked");
        let skipped = |before: &Item, name: &str, generation, was_handed| {
            let attempt = Attempt { id: "i".into(), generation };
            let repo = "acme/api".parse().ok();
            let told = Told {
                agent: &agent(name),
                repo: repo.as_ref(),
                report: &report,
                attempt: &attempt,
                was_handed,
            };
            match settle(before, told, &[], &Pull::NotRead, Limits::default(), NOW) {
                Decision::Is(Settlement { resolution, item: None, .. }) => {
                    assert_eq!((resolution.matched, resolution.action), (true, Action::Skipped));
                    resolution.reason.unwrap()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(skipped(&held(), "coder", 2, true), "stale attempt: generation 2, the item is at 1");
        assert_eq!(skipped(&held(), "other", 1, true), "the attempt is in the hands of coder");
        let free = Item { hold: None, ..held() };
        assert_eq!(skipped(&free, "other", 1, false), "the attempt was not handed to other");
        let fixed = Item { status: FixStatus::Fixed, ..held() };
        assert_eq!(skipped(&fixed, "coder", 1, true), "pr-fix item already FIXED");
        let elsewhere = Item { repo: "acme/web".parse().unwrap(), ..held() };
        assert!(skipped(&elsewhere, "coder", 1, true).contains("acme/web#7"));
    }

    #[test]
    fn evidence_of_who_had_nothing_to_do_is_noted() {
        let (.., note) = done(&held(), "already_addressed", &[], &open('a', Some(true)));
        assert_eq!(note.as_deref(), Some("said; already addressed; seen"));
    }
}
