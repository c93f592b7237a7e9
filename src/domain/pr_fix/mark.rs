//! Marks: somebody says where an item stands, and what becomes of that (`contract/agents.md` 10.3 and 10.5).

use super::{
    Count, Decision, FixLane, FixStatus, Generation, Item, Limits, Pull,
    enqueue::{Late, is_actionable},
    is_same_commit, noted,
};
use crate::domain::time::Timestamp;

/// What is said of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub status: FixStatus,
    pub note: Option<String>,
    /// Of which attempt; without it, of the present one.
    pub generation: Option<Generation>,
    /// Where the attempt began, for whom does not know it otherwise.
    pub attempt_head_sha: Option<String>,
    /// Nothing had to be done: the head need not have moved.
    pub already_addressed: bool,
    pub evidence: Option<String>,
}

/// What becomes of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    pub item: Item,
    /// The item stands where it was said to.
    pub applied: bool,
    pub note: Option<String>,
}

/// Why a mark or a requeue is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("pr-fix generation mismatch: the item is at generation {is}, not {shown}")]
    GenerationMoved { is: Generation, shown: Generation },
    #[error("Cannot mark QUEUED: repository is archived")]
    Archived,
    #[error("Cannot requeue: {0}")]
    Requeue(String),
}

/// Decides a mark.
pub fn mark(
    before: &Item,
    ask: &Mark,
    late: &[Late],
    pull: &Pull,
    limits: Limits,
    now: Timestamp,
) -> Decision<Marked, Refusal> {
    if let Some(shown) = ask.generation.filter(|shown| *shown != before.generation) {
        return Decision::Refused(Refusal::GenerationMoved { is: before.generation, shown });
    }
    let mut item = before.clone();
    item.observe(pull);
    let said = ask.note.clone();
    match ask.status {
        FixStatus::Queued => return queue(item, ask, pull, now),
        FixStatus::Stale | FixStatus::Ignored => item.settle_as(ask.status),
        FixStatus::Fixed | FixStatus::Blocked => {
            let why = match guard(before, ask, late, pull) {
                Guard::NeedsPull => return Decision::NeedsPull,
                Guard::Passes => None,
                Guard::Reopens(why) => Some(why),
            };
            if let Some(why) = why {
                let capped = item.begin_attempt_or_block(limits, now);
                let applied = item.status == ask.status;
                let note = noted([said, Some(why.to_owned()), capped]);
                return Decision::Is(Marked { item, applied, note });
            }
            item.settle_as(ask.status);
        }
    }
    let evidence = ask.evidence.clone().filter(|_| ask.already_addressed);
    let addressed = ask.already_addressed.then(|| "already addressed".to_owned());
    Decision::Is(Marked { item, applied: true, note: noted([said, addressed, evidence]) })
}

/// May an item be settled as it was said to be?
enum Guard {
    /// That hangs on what GitHub says.
    NeedsPull,
    Passes,
    Reopens(&'static str),
}

fn guard(before: &Item, ask: &Mark, late: &[Late], pull: &Pull) -> Guard {
    match is_actionable(late, pull) {
        None => return Guard::NeedsPull,
        Some(true) => return Guard::Reopens("new evidence came while the attempt was out"),
        Some(false) => {}
    }
    let is_guarded =
        ask.status == FixStatus::Fixed && before.status != FixStatus::Fixed && !ask.already_addressed;
    let baseline =
        before.attempt_head_sha.as_ref().or(ask.attempt_head_sha.as_ref()).or(before.head_sha.as_ref());
    let Some(baseline) = baseline.filter(|_| is_guarded) else { return Guard::Passes };
    match pull {
        Pull::NotRead => Guard::NeedsPull,
        Pull::Read(facts) if is_same_commit(baseline, &facts.head) => {
            Guard::Reopens("the pull request's head has not moved since the attempt began")
        }
        Pull::Read(_) | Pull::Unreadable => Guard::Passes,
    }
}

fn queue(mut item: Item, ask: &Mark, pull: &Pull, now: Timestamp) -> Decision<Marked, Refusal> {
    match pull {
        Pull::NotRead => return Decision::NeedsPull,
        Pull::Read(facts) if facts.is_archived => return Decision::Refused(Refusal::Archived),
        Pull::Read(_) | Pull::Unreadable => {}
    }
    item.lane = FixLane::Normal;
    if item.status != FixStatus::Queued {
        item.begin_attempt(Count::Next, now);
    } else if item.waiting.is_some() {
        item.wake(now);
    }
    Decision::Is(Marked { item, applied: true, note: ask.note.clone() })
}

/// Decides a requeue: a person gives an item another chance, from the beginning. `said_closed`: the caller says that the
/// pull request is; GitHub's word counts as well.
pub fn requeue(before: &Item, said_closed: bool, pull: &Pull, now: Timestamp) -> Decision<Item, Refusal> {
    let refuse = |why: String| Decision::Refused(Refusal::Requeue(why));
    let may_be = matches!(before.status, FixStatus::Blocked | FixStatus::Fixed) || before.waiting.is_some();
    if !may_be {
        return refuse(format!("item is {}, not BLOCKED or FIXED", before.status.as_str()));
    }
    if said_closed || pull.facts().is_some_and(|facts| !facts.is_open) {
        return refuse("upstream PR is merged or closed".to_owned());
    }
    match pull {
        Pull::NotRead => return Decision::NeedsPull,
        Pull::Read(facts) if facts.is_archived => return refuse("repository is archived".to_owned()),
        Pull::Read(_) | Pull::Unreadable => {}
    }
    let mut item = before.clone();
    item.observe(pull);
    item.lane = FixLane::Normal;
    item.reclaims = 0;
    item.begin_attempt(Count::First, now);
    Decision::Is(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pr_fix::{
        PullFacts, Waiting,
        tests::{held, item, open, sha},
    };

    const NOW: Timestamp = Timestamp(50);

    fn say(status: FixStatus) -> Mark {
        Mark {
            status,
            note: None,
            generation: None,
            attempt_head_sha: None,
            already_addressed: false,
            evidence: None,
        }
    }

    fn marked(before: &Item, ask: &Mark, late: &[Late], pull: &Pull) -> Decision<Marked, Refusal> {
        mark(before, ask, late, pull, Limits::default(), NOW)
    }

    #[track_caller]
    fn done(decision: Decision<Marked, Refusal>) -> Marked {
        match decision {
            Decision::Is(marked) => marked,
            other => panic!("{other:?}"),
        }
    }

    fn closed(is_merged: bool) -> Pull {
        let facts =
            PullFacts { head: sha('b'), is_open: false, is_merged, mergeable: None, is_archived: false };
        Pull::Read(facts)
    }

    fn archived() -> Pull {
        let facts =
            PullFacts { head: sha('b'), is_open: true, is_merged: false, mergeable: None, is_archived: true };
        Pull::Read(facts)
    }

    #[test]
    fn fixed_needs_a_head_that_moved() {
        let fixed = say(FixStatus::Fixed);
        assert_eq!(marked(&held(), &fixed, &[], &Pull::NotRead), Decision::NeedsPull);
        let moved = done(marked(&held(), &fixed, &[], &open('b', None)));
        assert_eq!((moved.item.status, moved.applied, moved.item.hold), (FixStatus::Fixed, true, None));
        assert_eq!(moved.item.generation, Generation::FIRST);
        let same = done(marked(&held(), &fixed, &[], &open('a', Some(true))));
        assert_eq!((same.item.status, same.applied), (FixStatus::Queued, false));
        assert_eq!((same.item.generation, same.item.fix_attempts), (Generation(2), 2));
        assert!(same.note.unwrap().contains("has not moved"));
        let tired = Item { fix_attempts: 5, ..held() };
        let stuck = done(marked(&tired, &fixed, &[], &open('a', None)));
        assert!(stuck.item.needs_human() && !stuck.applied);
        for (before, pull) in [
            (held(), Pull::Unreadable),
            (Item { head_sha: None, attempt_head_sha: None, ..held() }, Pull::NotRead),
            (Item { status: FixStatus::Fixed, ..item() }, Pull::NotRead),
        ] {
            assert_eq!(done(marked(&before, &fixed, &[], &pull)).item.status, FixStatus::Fixed, "{before:?}");
        }
    }

    #[test]
    fn the_baseline_is_that_of_the_attempt_then_the_callers_then_the_last_head() {
        let fixed = Mark { attempt_head_sha: Some(sha('b')), ..say(FixStatus::Fixed) };
        let at = |attempt: Option<char>, ask: &Mark| {
            let before = Item { attempt_head_sha: attempt.map(sha), head_sha: Some(sha('c')), ..held() };
            done(marked(&before, ask, &[], &open('b', None))).applied
        };
        assert!(at(Some('a'), &fixed), "the stored baseline counts before the caller's");
        assert!(!at(None, &fixed));
        assert!(at(None, &say(FixStatus::Fixed)));
    }

    #[test]
    fn who_had_nothing_to_do_need_not_move_the_head() {
        let addressed = Mark {
            already_addressed: true,
            evidence: Some("in #9".into()),
            note: Some("n".into()),
            ..say(FixStatus::Fixed)
        };
        let marked = done(marked(&held(), &addressed, &[], &Pull::NotRead));
        assert_eq!(
            (marked.item.status, marked.note.as_deref()),
            (FixStatus::Fixed, Some("n; already addressed; in #9"))
        );
    }

    #[test]
    fn late_evidence_reopens_instead() {
        let late = [Late { key: "review:2".into(), head: None }];
        for status in [FixStatus::Fixed, FixStatus::Blocked] {
            let reopened = done(marked(&held(), &say(status), &late, &Pull::NotRead));
            assert_eq!((reopened.item.status, reopened.applied), (FixStatus::Queued, false), "{status:?}");
            assert_eq!(reopened.item.generation, Generation(2));
            let tired = Item { fix_attempts: 5, ..held() };
            assert!(done(marked(&tired, &say(status), &late, &Pull::NotRead)).item.needs_human());
        }
        let stale = done(marked(&held(), &say(FixStatus::Stale), &late, &Pull::NotRead));
        assert_eq!((stale.item.status, stale.applied), (FixStatus::Stale, true));
        let check = [Late { key: "check_run:1".into(), head: Some(sha('a')) }];
        assert_eq!(marked(&held(), &say(FixStatus::Blocked), &check, &Pull::NotRead), Decision::NeedsPull);
        assert!(done(marked(&held(), &say(FixStatus::Blocked), &check, &open('b', None))).applied);
    }

    #[test]
    fn lanes_follow_the_status() {
        let blocked = done(marked(&held(), &say(FixStatus::Blocked), &[], &Pull::NotRead)).item;
        assert!(blocked.needs_human());
        let again = done(marked(&blocked, &say(FixStatus::Queued), &[], &Pull::Unreadable)).item;
        assert_eq!((again.lane, again.generation, again.fix_attempts), (FixLane::Normal, Generation(2), 2));
        let escalated = Item { lane: FixLane::Escalated, ..held() };
        let still = done(marked(&escalated, &say(FixStatus::Queued), &[], &open('a', None))).item;
        assert_eq!((still.lane, still.generation), (FixLane::Normal, Generation::FIRST));
        assert!(still.hold.is_some(), "whoever has it keeps it");
        let refused = marked(&blocked, &say(FixStatus::Queued), &[], &archived());
        assert_eq!(refused, Decision::Refused(Refusal::Archived));
    }

    #[test]
    fn another_generation_is_refused() {
        let ask = Mark { generation: Some(Generation(2)), ..say(FixStatus::Stale) };
        let Decision::Refused(refusal) = marked(&held(), &ask, &[], &Pull::NotRead) else { panic!("taken") };
        assert!(refusal.to_string().contains("generation mismatch"), "{refusal}");
    }

    #[test]
    fn a_requeue_begins_anew() {
        let tired = Item {
            fix_attempts: 5,
            reclaims: 3,
            status: FixStatus::Blocked,
            lane: FixLane::NeedsHuman,
            ..held()
        };
        assert_eq!(requeue(&tired, false, &Pull::NotRead, NOW), Decision::NeedsPull);
        let Decision::Is(next) = requeue(&tired, false, &open('b', None), NOW) else { panic!("refused") };
        assert_eq!((next.status, next.lane, next.fix_attempts), (FixStatus::Queued, FixLane::Normal, 1));
        assert_eq!((next.generation, next.reclaims), (Generation(2), 0));
        assert_eq!((next.attempt_head_sha, next.hold), (Some(sha('b')), None));
        let why = |before: &Item, said, pull: &Pull| match requeue(before, said, pull, NOW) {
            Decision::Refused(refusal) => refusal.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            why(&held(), false, &Pull::NotRead),
            "Cannot requeue: item is QUEUED, not BLOCKED or FIXED"
        );
        let gone = "Cannot requeue: upstream PR is merged or closed";
        assert_eq!(why(&tired, true, &Pull::NotRead), gone);
        assert_eq!(
            (why(&tired, false, &closed(true)), why(&tired, false, &closed(false))),
            (gone.into(), gone.into())
        );
        assert_eq!(why(&tired, false, &archived()), "Cannot requeue: repository is archived");
        assert!(matches!(requeue(&tired, false, &Pull::Unreadable, NOW), Decision::Is(_)));
        let waiting = Waiting { since: NOW, head: None, mergeable: None, checked_at: NOW };
        let waits = Item { waiting: Some(waiting), hold: None, ..held() };
        assert!(matches!(requeue(&waits, false, &Pull::Unreadable, NOW), Decision::Is(_)));
    }
}
