//! Evidence that a pull request needs work, and what it does to the item (`contract/agents.md` 10.1).

use super::{FixLane, FixStatus, FixType, Generation, Item, Limits, Pull};
use crate::domain::{
    ids::{IssueNumber, PrFixId},
    repo::RepoName,
    time::Timestamp,
};

/// What somebody saw of a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub repo: RepoName,
    pub pr: IssueNumber,
    pub reason: String,
    pub feedback: String,
    /// Names it: the same evidence seen again is nothing new.
    pub key: String,
    pub lane: FixLane,
    pub kind: FixType,
    pub issue: Option<IssueNumber>,
    pub branch: Option<String>,
    pub url: Option<String>,
    pub title: Option<String>,
    pub head_sha: Option<String>,
    pub author: Option<String>,
}

/// Evidence that came while an attempt was out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    pub key: String,
    pub head: Option<String>,
}

impl Late {
    /// Did a person say it?
    pub fn is_talk(&self) -> bool {
        ["review", "review_comment", "comment"].contains(&self.kind())
    }

    fn kind(&self) -> &str {
        self.key.split(':').next().unwrap_or_default()
    }

    /// As lists show it.
    pub fn shown(&self) -> String {
        format!("{}@{}", self.key, self.head.as_deref().unwrap_or("unknown"))
    }
}

/// Does what came late keep an attempt from being settled? `None`: that hangs on the pull request's head.
pub fn is_actionable(late: &[Late], pull: &Pull) -> Option<bool> {
    let checks: Vec<&Late> = late.iter().filter(|late| late.kind() == "check_run").collect();
    if late.iter().any(Late::is_talk) || checks.iter().any(|check| check.head.is_none()) {
        return Some(true);
    }
    match pull {
        _ if checks.is_empty() => Some(false),
        Pull::NotRead => None,
        Pull::Unreadable => Some(true),
        Pull::Read(facts) => {
            let heads = checks.iter().filter_map(|check| check.head.as_deref());
            Some(heads.into_iter().any(|head| super::is_same_commit(head, &facts.head)))
        }
    }
}

/// Which of the late evidence makes room for more, the oldest first: what no person said, if there is any.
pub fn evicted(late: &[Late]) -> Option<usize> {
    late.iter().position(|late| !late.is_talk()).or((!late.is_empty()).then_some(0))
}

/// What evidence does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueued {
    pub item: Item,
    pub note: Option<String>,
    /// It came while the present attempt was out.
    pub late: Option<Late>,
}

/// A log of GitHub Actions is no address of a pull request.
fn is_item_url(url: &str) -> bool {
    !url.contains("/actions/runs/")
}

/// The item of the first evidence.
pub fn first(id: PrFixId, evidence: &Evidence, now: Timestamp) -> Item {
    Item {
        id,
        repo: evidence.repo.clone(),
        pr: evidence.pr,
        issue: evidence.issue,
        branch: evidence.branch.clone(),
        url: evidence.url.clone().filter(|url| is_item_url(url)),
        title: evidence.title.clone(),
        author: evidence.author.clone(),
        lane: evidence.lane,
        kind: evidence.kind,
        reason: evidence.reason.clone(),
        status: status_for(evidence.lane),
        queued_at: now,
        updated_at: now,
        turn_at: now,
        head_sha: evidence.head_sha.clone(),
        attempt_head_sha: evidence.head_sha.clone(),
        generation: Generation::FIRST,
        fix_attempts: 1,
        reclaims: 0,
        dispatched: None,
        hold: None,
        waiting: None,
    }
}

const fn status_for(lane: FixLane) -> FixStatus {
    match lane {
        FixLane::NeedsHuman => FixStatus::Blocked,
        FixLane::Normal | FixLane::Escalated => FixStatus::Queued,
    }
}

/// More evidence of an item that is there; `is_known`: it was seen before.
pub fn enqueue(
    before: &Item,
    evidence: &Evidence,
    is_known: bool,
    limits: Limits,
    now: Timestamp,
) -> Enqueued {
    let mut item = before.clone();
    // The agent said that it was fixed, but the same evidence still holds of the same commit.
    let no_progress = is_known
        && before.status == FixStatus::Fixed
        && evidence.head_sha.is_some()
        && evidence.head_sha == before.head_sha;
    describe(&mut item, evidence);
    if is_known && !no_progress {
        // What is known changes nothing: not the lane that somebody chose since, either.
        return Enqueued { item, note: None, late: None };
    }
    (item.lane, item.kind) = (evidence.lane, evidence.kind);
    item.reason.clone_from(&evidence.reason);
    if matches!(before.status, FixStatus::Stale | FixStatus::Ignored) {
        return Enqueued { item, note: None, late: None };
    }
    let (mut note, mut late) = (None, None);
    match (before.status, status_for(evidence.lane)) {
        (_, FixStatus::Blocked) => item.settle_as(FixStatus::Blocked),
        (FixStatus::Queued, _) => {
            late = before
                .is_dispatched()
                .then(|| Late { key: evidence.key.clone(), head: evidence.head_sha.clone() });
            if before.waiting.is_some() {
                item.wake(now);
            }
        }
        _ => note = item.begin_attempt_or_block(limits, now),
    }
    Enqueued { item, note, late }
}

/// What is told of the pull request itself; what is not told stays.
fn describe(item: &mut Item, evidence: &Evidence) {
    item.issue = evidence.issue.or(item.issue);
    for (field, told) in [
        (&mut item.branch, &evidence.branch),
        (&mut item.title, &evidence.title),
        (&mut item.head_sha, &evidence.head_sha),
        (&mut item.author, &evidence.author),
    ] {
        if told.is_some() {
            field.clone_from(told);
        }
    }
    if item.url.is_none() {
        item.url = evidence.url.clone().filter(|url| is_item_url(url));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pr_fix::{
        Waiting,
        tests::{held, item, open, sha},
    };

    const NOW: Timestamp = Timestamp(50);

    fn evidence() -> Evidence {
        Evidence {
            repo: "acme/api".parse().unwrap(),
            pr: IssueNumber(7),
            reason: "review".into(),
            feedback: "mend it".into(),
            key: "review:1".into(),
            lane: FixLane::Normal,
            kind: FixType::ReviewFeedback,
            issue: None,
            branch: None,
            url: None,
            title: None,
            head_sha: None,
            author: None,
        }
    }

    fn at(status: FixStatus) -> Item {
        Item { status, ..item() }
    }

    fn after(before: &Item, evidence: &Evidence, is_known: bool) -> Item {
        enqueue(before, evidence, is_known, Limits::default(), NOW).item
    }

    #[test]
    fn the_table_of_statuses() {
        use FixStatus::{Blocked, Fixed, Ignored, Queued, Stale};
        let (new, known) = (false, true);
        for (status, is_known, lane, want, generation) in [
            (Queued, new, FixLane::Normal, Queued, 1),
            (Queued, known, FixLane::Normal, Queued, 1),
            (Queued, new, FixLane::NeedsHuman, Blocked, 1),
            (Queued, known, FixLane::NeedsHuman, Queued, 1),
            (Fixed, new, FixLane::Normal, Queued, 2),
            (Fixed, new, FixLane::NeedsHuman, Blocked, 1),
            (Fixed, known, FixLane::Normal, Fixed, 1),
            (Blocked, new, FixLane::Escalated, Queued, 2),
            (Blocked, known, FixLane::Normal, Blocked, 1),
            (Stale, new, FixLane::Normal, Stale, 1),
            (Stale, known, FixLane::Normal, Stale, 1),
            (Ignored, new, FixLane::NeedsHuman, Ignored, 1),
            (Ignored, known, FixLane::Normal, Ignored, 1),
        ] {
            let next = after(&at(status), &Evidence { lane, ..evidence() }, is_known);
            let case = format!("{status:?}, known {is_known}, {lane:?}");
            assert_eq!((next.status, next.generation), (want, Generation(generation)), "{case}");
            assert_eq!(next.fix_attempts, generation, "{case}");
        }
    }

    #[test]
    fn known_evidence_of_the_same_commit_reopens_what_is_said_to_be_fixed() {
        let same = Evidence { head_sha: Some(sha('a')), ..evidence() };
        let other = Evidence { head_sha: Some(sha('b')), ..evidence() };
        let fixed = at(FixStatus::Fixed);
        assert_eq!(after(&fixed, &same, true).status, FixStatus::Queued);
        assert_eq!(after(&fixed, &other, true).status, FixStatus::Fixed);
        let human = Evidence { lane: FixLane::NeedsHuman, ..same.clone() };
        assert_eq!(after(&fixed, &human, true).status, FixStatus::Blocked);
        let unknown = Item { head_sha: None, ..at(FixStatus::Fixed) };
        assert_eq!(after(&unknown, &evidence(), true).status, FixStatus::Fixed);
    }

    #[test]
    fn a_new_attempt_starts_from_the_newest_head() {
        let next = after(&at(FixStatus::Fixed), &Evidence { head_sha: Some(sha('b')), ..evidence() }, false);
        assert_eq!((next.head_sha.clone(), next.attempt_head_sha), (Some(sha('b')), Some(sha('b'))));
        assert_eq!((next.turn_at, next.queued_at), (NOW, Timestamp(0)), "its turn comes anew");
        let still =
            after(&at(FixStatus::Queued), &Evidence { head_sha: Some(sha('b')), ..evidence() }, false);
        assert_eq!((still.head_sha, still.attempt_head_sha), (Some(sha('b')), Some(sha('a'))));
    }

    #[test]
    fn enough_attempts_are_enough() {
        let tired = Item { fix_attempts: 5, ..at(FixStatus::Fixed) };
        let done = enqueue(&tired, &evidence(), false, Limits::default(), NOW);
        assert!(done.item.needs_human() && done.note.unwrap().contains("5 of 5"));
        let last = Item { fix_attempts: 4, ..at(FixStatus::Fixed) };
        assert_eq!(after(&last, &evidence(), false).fix_attempts, 5);
    }

    #[test]
    fn known_evidence_changes_no_lane_and_no_reason() {
        let human = Item { lane: FixLane::NeedsHuman, ..at(FixStatus::Blocked) };
        let same = after(&human, &evidence(), true);
        assert_eq!(
            (same.lane, same.kind, same.reason),
            (FixLane::NeedsHuman, FixType::CiFailure, "red".into())
        );
        let other = after(&human, &evidence(), false);
        assert_eq!((other.lane, other.kind), (FixLane::Normal, FixType::ReviewFeedback));
    }

    #[test]
    fn what_is_told_is_kept_and_the_first_address_stays() {
        let run = "https://github.com/acme/api/actions/runs/1".to_owned();
        let told = Evidence {
            url: Some(run.clone()),
            title: Some("t".into()),
            issue: Some(IssueNumber(3)),
            ..evidence()
        };
        let first = first(PrFixId("i".into()), &told, NOW);
        assert_eq!((first.url.clone(), first.title.as_deref()), (None, Some("t")));
        let with = after(&first, &Evidence { url: Some("u".into()), ..evidence() }, true);
        assert_eq!(
            (with.url.as_deref(), with.title.as_deref(), with.issue),
            (Some("u"), Some("t"), Some(IssueNumber(3)))
        );
        assert_eq!(
            after(&with, &Evidence { url: Some("v".into()), ..evidence() }, true).url.as_deref(),
            Some("u")
        );
        assert_eq!(after(&with, &Evidence { url: Some(run), ..evidence() }, false).url.as_deref(), Some("u"));
    }

    #[test]
    fn what_comes_while_an_attempt_is_out_is_late() {
        let late = |before: &Item, is_known| {
            let at = Evidence { head_sha: Some(sha('b')), ..evidence() };
            enqueue(before, &at, is_known, Limits::default(), NOW).late.map(|late| late.shown())
        };
        assert_eq!(late(&held(), false), Some(format!("review:1@{}", sha('b'))));
        assert_eq!((late(&held(), true), late(&item(), false)), (None, None));
        let earlier = Item { generation: Generation(2), ..held() };
        assert_eq!(late(&earlier, false), None, "another attempt was out");
    }

    #[test]
    fn new_evidence_ends_the_waiting() {
        let waiting = Waiting { since: Timestamp(9), head: None, mergeable: None, checked_at: Timestamp(9) };
        let before = Item { hold: None, waiting: Some(waiting), ..held() };
        assert!(!before.is_free());
        assert!(!after(&before, &evidence(), true).is_free());
        let next = enqueue(&before, &evidence(), false, Limits::default(), NOW);
        assert!(next.item.is_free() && next.late.is_some());
        assert_eq!((next.item.generation, next.item.dispatched), (Generation::FIRST, None));
    }

    #[test]
    fn what_people_say_counts_and_checks_of_the_head() {
        let late = |key: &str, head: Option<char>| Late { key: key.into(), head: head.map(sha) };
        let now = open('b', None);
        for (late, pull, want) in [
            (vec![], Pull::NotRead, Some(false)),
            (vec![late("review:1", None)], Pull::NotRead, Some(true)),
            (vec![late("review_comment:1", None)], Pull::NotRead, Some(true)),
            (vec![late("comment:1", Some('a'))], Pull::NotRead, Some(true)),
            (vec![late("check_run:1", None)], Pull::NotRead, Some(true)),
            (vec![late("check_run:1", Some('a'))], Pull::NotRead, None),
            (vec![late("check_run:1", Some('a'))], Pull::Unreadable, Some(true)),
            (vec![late("check_run:1", Some('a'))], now.clone(), Some(false)),
            (vec![late("check_run:1", Some('a')), late("check_run:2", Some('b'))], now.clone(), Some(true)),
            (vec![late("linked-health:1", None)], Pull::NotRead, Some(false)),
        ] {
            assert_eq!(is_actionable(&late, &pull), want, "{late:?} {pull:?}");
        }
    }

    #[test]
    fn what_nobody_said_makes_room_first() {
        let late = |key: &str| Late { key: key.into(), head: None };
        assert_eq!(evicted(&[late("review:1"), late("check_run:1"), late("check_run:2")]), Some(1));
        assert_eq!(evicted(&[late("review:1"), late("comment:1")]), Some(0));
        assert_eq!(evicted(&[]), None);
    }
}
