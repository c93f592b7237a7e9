//! Handing items to agents, and what ends that (`design.md` section 4, `contract/agents.md` 3.2 and 10.7).

use super::{Count, FixLane, FixStatus, Hold, Item, Limits, Pull, Waiting};
use crate::domain::{ids::AgentName, lane::Lanes, time::Timestamp};

/// What an agent is served that asks for a lane of issues, by its key; none without a lane of that kind.
pub fn lanes_for(lanes: &Lanes, asked: Option<&str>) -> &'static [FixLane] {
    match asked {
        None => &FixLane::ALL,
        Some(key) if key == lanes.default_lane().key() => &[FixLane::Normal],
        Some(key) if key == lanes.escalation_lane().key() => &[FixLane::Escalated],
        Some(_) => &[],
    }
}

/// The item in the hands of an agent; nobody else has it.
pub fn hand_to(before: &Item, agent: &AgentName, limits: Limits, now: Timestamp) -> Item {
    let mut item = before.clone();
    item.hold = Some(Hold { agent: agent.clone(), until: now.plus(limits.handout) });
    if !item.is_dispatched() {
        item.dispatched = Some((now, item.generation));
    }
    item
}

/// What becomes of a hand-out whose time may be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its agent was heard of meanwhile.
    Lives(Item),
    /// It never got to its agent, as far as is known: the same attempt again, for anybody.
    Reclaimed(Item, String),
    /// Its agent began, and went silent: that was an attempt.
    Abandoned(Item, String),
}

/// Decides about a hand-out of which its agent was last heard at `heard`.
pub fn end_hold(before: &Item, is_acked: bool, heard: Timestamp, limits: Limits, now: Timestamp) -> Ending {
    let Some(hold) = &before.hold else { return Ending::Lives(before.clone()) };
    let until = hold.until.max(heard.plus(limits.handout));
    let mut item = before.clone();
    if until > now {
        item.hold = Some(Hold { agent: hold.agent.clone(), until });
        return Ending::Lives(item);
    }
    if is_acked {
        let capped = item.begin_attempt_or_block(limits, now);
        let note = format!("{} began and was not heard of again", hold.agent);
        return Ending::Abandoned(item, super::noted([Some(note), capped]).unwrap_or_default());
    }
    item.reclaims = item.reclaims.saturating_add(1);
    let note = format!("{} did not acknowledge it and was not heard of again", hold.agent);
    if item.reclaims > limits.reclaims {
        item.settle_as(FixStatus::Blocked);
        return Ending::Reclaimed(
            item,
            format!("{note}; it was taken back {} times before; a human is needed", limits.reclaims),
        );
    }
    item.begin_attempt(Count::Same, now);
    Ending::Reclaimed(item, note)
}

/// The pull request is closed: nothing is left to fix.
pub fn close(before: &Item) -> Item {
    let mut item = before.clone();
    item.settle_as(FixStatus::Stale);
    item
}

/// What another look at a pull request does to an item that waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is merged or closed.
    Closed(Item),
    /// It is not what it was: whoever comes may have it.
    Wakes(Item, &'static str),
    Waits(Item),
}

/// Decides whether an item waits on.
pub fn look_again(before: &Item, pull: &Pull, now: Timestamp) -> Look {
    let Some(waiting) = &before.waiting else { return Look::Waits(before.clone()) };
    let mut item = before.clone();
    item.waiting = Some(Waiting { checked_at: now, ..waiting.clone() });
    let Some(facts) = pull.facts() else { return Look::Waits(item) };
    if !facts.is_open {
        return Look::Closed(close(&item));
    }
    item.observe(pull);
    let why = match (&waiting.head, waiting.mergeable, facts.mergeable) {
        (Some(head), ..) if *head != facts.head => Some("its head moved"),
        // It was not known before: only good news are news.
        (None, _, Some(true)) => Some("it can be merged"),
        // GitHub forgets whether it can be merged whenever the branch below moves.
        (None, ..) | (_, _, None) => None,
        (_, was, is) => (was != is).then_some("whether it can be merged changed"),
    };
    if let Some(why) = why {
        item.wake(now);
        return Look::Wakes(item, why);
    }
    item.waiting = Some(Waiting {
        head: Some(facts.head.clone()),
        mergeable: facts.mergeable.or(waiting.mergeable),
        checked_at: now,
        since: waiting.since,
    });
    Look::Waits(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pr_fix::{
        Generation, PullFacts,
        tests::{agent, held, item, open, sha},
    };

    const LIMITS: Limits =
        Limits { attempts: 5, reclaims: 3, handout: std::time::Duration::from_millis(100) };

    #[test]
    fn the_roles_of_lanes_say_what_their_agents_are_served() {
        let lanes = Lanes::default();
        assert_eq!(lanes_for(&lanes, None), FixLane::ALL);
        assert_eq!(lanes_for(&lanes, Some("local")), [FixLane::Normal]);
        assert_eq!(lanes_for(&lanes, Some("frontier")), [FixLane::Escalated]);
        for other in ["cloud", "backlog"] {
            assert_eq!(lanes_for(&lanes, Some(other)), [], "{other}");
        }
        let one: Lanes = r#"{"lanes":[{"id":"a","title":"A","claimable":true}]}"#.parse().unwrap();
        assert_eq!(lanes_for(&one, Some("a")), [FixLane::Normal]);
    }

    #[test]
    fn an_attempt_is_stamped_once() {
        let first = hand_to(&item(), &agent("a"), LIMITS, Timestamp(10));
        assert_eq!(first.dispatched, Some((Timestamp(10), Generation::FIRST)));
        assert_eq!(first.hold.as_ref().map(|hold| hold.until), Some(Timestamp(110)));
        let again = hand_to(&first, &agent("b"), LIMITS, Timestamp(20));
        assert_eq!(again.dispatched, Some((Timestamp(10), Generation::FIRST)));
    }

    fn ending(before: &Item, is_acked: bool, heard: i64, now: i64) -> Ending {
        end_hold(before, is_acked, Timestamp(heard), LIMITS, Timestamp(now))
    }

    #[test]
    fn a_hand_out_lasts_from_the_last_that_was_heard() {
        let Ending::Lives(item) = ending(&held(), false, 0, 99) else { panic!("ended") };
        assert_eq!(item.hold.unwrap().until, Timestamp(100));
        let Ending::Lives(item) = ending(&held(), false, 50, 149) else { panic!("ended") };
        assert_eq!(item.hold.unwrap().until, Timestamp(150));
        for (heard, now) in [(0, 100), (50, 150)] {
            let Ending::Reclaimed(item, note) = ending(&held(), false, heard, now) else { panic!("lives") };
            assert_eq!((item.generation, item.fix_attempts, item.reclaims), (Generation(2), 1, 1));
            assert!(item.is_free() && note.starts_with("coder did not acknowledge"), "{note}");
        }
    }

    #[test]
    fn too_many_reclaims_want_a_human() {
        let Ending::Reclaimed(item, _) = ending(&Item { reclaims: 2, ..held() }, false, 0, 100) else {
            panic!("lives")
        };
        assert_eq!((item.status, item.reclaims), (FixStatus::Queued, 3));
        let Ending::Reclaimed(item, note) = ending(&Item { reclaims: 3, ..held() }, false, 0, 100) else {
            panic!("lives")
        };
        assert!(item.needs_human() && note.contains("human"), "{note}");
    }

    #[test]
    fn who_began_and_went_silent_made_an_attempt() {
        let Ending::Abandoned(item, note) = ending(&held(), true, 0, 100) else { panic!("lives") };
        assert_eq!((item.generation, item.fix_attempts, item.reclaims), (Generation(2), 2, 0));
        assert!(note.contains("was not heard of again"));
        let Ending::Abandoned(item, _) = ending(&Item { fix_attempts: 5, ..held() }, true, 0, 100) else {
            panic!("lives")
        };
        assert!(item.needs_human());
    }

    fn waiting(head: Option<char>, mergeable: Option<bool>) -> Item {
        let at = Timestamp(9);
        let waiting = Waiting { since: at, head: head.map(sha), mergeable, checked_at: at };
        Item { hold: None, waiting: Some(waiting), ..held() }
    }

    #[test]
    fn a_waiting_item_wakes_when_its_pull_request_differs() {
        let (yes, no) = (Some(true), Some(false));
        for (head, was, pull, wakes) in [
            (Some('a'), no, open('a', no), false),
            (Some('a'), no, open('b', no), true),
            (Some('a'), no, open('a', yes), true),
            (Some('a'), no, open('a', None), false),
            (Some('a'), None, open('a', None), false),
            (Some('a'), None, open('a', no), true),
            (None, None, open('a', no), false),
            (None, None, open('a', yes), true),
            (Some('a'), no, Pull::Unreadable, false),
        ] {
            let look = look_again(&waiting(head, was), &pull, Timestamp(70));
            let case = format!("{head:?} {was:?} {pull:?}: {look:?}");
            match look {
                Look::Wakes(item, _) => {
                    assert!(wakes && item.is_free(), "{case}");
                    assert_eq!((item.generation, item.dispatched), (Generation::FIRST, None), "{case}");
                }
                Look::Waits(item) => {
                    assert!(!wakes, "{case}");
                    assert_eq!(item.waiting.unwrap().checked_at, Timestamp(70), "{case}");
                }
                Look::Closed(_) => panic!("{case}"),
            }
        }
    }

    #[test]
    fn what_was_not_known_is_learned() {
        let Look::Waits(item) = look_again(&waiting(None, None), &open('a', Some(false)), Timestamp(70))
        else {
            panic!("wakes")
        };
        let waiting = item.waiting.clone().unwrap();
        assert_eq!((waiting.head, waiting.mergeable), (Some(sha('a')), Some(false)));
        assert!(matches!(look_again(&item, &open('b', Some(false)), Timestamp(80)), Look::Wakes(..)));
    }

    #[test]
    fn a_closed_pull_request_is_nobodys_work() {
        let facts = PullFacts {
            head: sha('a'),
            is_open: false,
            is_merged: true,
            mergeable: None,
            is_archived: false,
        };
        let Look::Closed(item) = look_again(&waiting(Some('a'), None), &Pull::Read(facts), Timestamp(70))
        else {
            panic!("waits")
        };
        assert_eq!((item.status, item.waiting), (FixStatus::Stale, None));
    }
}
