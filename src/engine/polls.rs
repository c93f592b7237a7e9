//! Answers to polls that still hold. An idle fleet asks the same again and again, and an embedded database knows
//! whether anything was written meanwhile that the answer could depend on.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use crate::domain::{queue::Ask, task::Task, time::Timestamp};

/// So many answers are kept: a fleet of thousands, each with its own way of asking.
const MOST: usize = 5_000;
/// No answer is kept longer, whatever is known about it.
pub const LONGEST: Duration = Duration::from_mins(1);

/// The answers, by what was asked.
#[derive(Default)]
pub struct Polls(Mutex<HashMap<Key, Held>>);

#[derive(PartialEq, Eq, Hash)]
struct Key {
    /// As it was spelled: the answer repeats it.
    agent: String,
    lane: Option<String>,
    flags: [bool; 3],
}

impl From<&Ask> for Key {
    fn from(ask: &Ask) -> Self {
        // A task is the first of all, on whatever page.
        let Ask { agent, lane, exclude_decomposed, include_claimed, include_automated, after: _ } = ask;
        Self {
            agent: agent.as_str().to_owned(),
            lane: lane.clone(),
            flags: [*exclude_decomposed, *include_claimed, *include_automated],
        }
    }
}

/// How long an answer holds: while [`Db::changes`](crate::store::Db::changes) is what it was before the answer was read,
/// and until time alone may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    changes: u64,
    until: Timestamp,
}

impl Lasting {
    pub fn new(changes: u64, until: Timestamp) -> Self {
        Self { changes, until }
    }

    /// Does it hold at `now`, after `changes`?
    pub fn holds(self, changes: u64, now: Timestamp) -> bool {
        self.changes == changes && now < self.until
    }
}

struct Held {
    task: Task,
    lasting: Lasting,
}

impl Polls {
    /// The answer given before, if nothing can have changed it.
    pub fn find(&self, ask: &Ask, changes: u64, now: Timestamp) -> Option<(Task, Lasting)> {
        let held = self.0.lock();
        let held = held.get(&Key::from(ask))?;
        held.lasting.holds(changes, now).then(|| (held.task.clone(), held.lasting))
    }

    /// Keeps an answer as long as it lasts.
    pub fn keep(&self, ask: &Ask, task: Task, lasting: Lasting) {
        let mut held = self.0.lock();
        if held.len() >= MOST {
            held.clear();
        }
        held.insert(Key::from(ask), Held { task, lasting });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(agent: &str) -> Ask {
        Ask::of(agent.parse().unwrap())
    }

    #[test]
    fn an_answer_holds_until_something_changes_or_its_time_is_over() {
        let polls = Polls::default();
        polls.keep(&ask("coder"), Task::idle(), Lasting::new(3, Timestamp(100)));
        assert!(polls.find(&ask("coder"), 3, Timestamp(99)).is_some());
        assert!(polls.find(&ask("coder"), 3, Timestamp(100)).is_none(), "its time is over");
        assert!(polls.find(&ask("coder"), 4, Timestamp(99)).is_none(), "something was written");
        assert!(polls.find(&ask("other"), 3, Timestamp(99)).is_none());
        assert!(polls.find(&ask("Coder"), 3, Timestamp(99)).is_none(), "the answer repeats the name");
        let in_lane = Ask { lane: Some("cloud".to_owned()), ..ask("coder") };
        assert!(polls.find(&in_lane, 3, Timestamp(99)).is_none());
        let eager = Ask { include_automated: true, ..ask("coder") };
        assert!(polls.find(&eager, 3, Timestamp(99)).is_none());
    }

    #[test]
    fn what_is_kept_does_not_grow_without_end() {
        let polls = Polls::default();
        for n in 0..MOST + 10 {
            polls.keep(&ask(&format!("agent-{n}")), Task::idle(), Lasting::new(1, Timestamp(1)));
        }
        assert!(polls.0.lock().len() <= MOST);
    }
}
