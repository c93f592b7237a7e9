//! The small model of `design.md` section 3 that random sequences are held against: what may happen to claims, and what
//! should come of it.

use dispatch::domain::claim::{Checkpoint, EndReason, Terms, WorkState};
use proptest::prelude::*;

pub const AGENTS: [&str; 3] = ["one", "two", "three"];
pub const ISSUES: usize = 2;
const TTL: i64 = 30 * 60 * 1_000;
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Which claim a writer means: none by name, or one of those made so far (counted from the last), with its fence or a wrong one.
pub type Which = Option<(usize, bool)>;

#[derive(Clone, Debug)]
pub enum Op {
    Claim { agent: usize, issue: usize, force: bool, lease: bool },
    Start { agent: usize, issue: Option<usize>, lease: bool },
    Checkpoint { agent: usize, which: Which, checkpoint: Checkpoint },
    Finish { agent: usize, which: Which, state: WorkState },
    Unclaim { agent: usize, issue: usize, which: Which },
    Renew { agent: usize, named: bool },
    Release { which: usize },
    Reassign { which: usize, to: usize },
    Recover,
    Advance(i64),
}

pub fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..12)
}

pub fn op() -> impl Strategy<Value = Op> {
    let (agent, issue) = (|| 0..AGENTS.len(), || 0..ISSUES);
    let which = || prop::option::weighted(0.6, (0..4_usize, prop::bool::weighted(0.9)));
    let checkpoint = prop::sample::select(vec![
        Checkpoint::IssueClaimed,
        Checkpoint::BranchCreated,
        Checkpoint::Blocked,
        Checkpoint::WorkComplete,
    ]);
    let state = prop::sample::select(WorkState::ALL.to_vec());
    let span = prop::sample::select(vec![1, 10_000, TTL - 1, TTL, TTL + 1, 2 * TTL, DAY - TTL, DAY]);
    prop_oneof![
        4 => (agent(), issue(), any::<bool>(), any::<bool>())
            .prop_map(|(agent, issue, force, lease)| Op::Claim { agent, issue, force, lease }),
        4 => (agent(), prop::option::weighted(0.8, issue()), any::<bool>())
            .prop_map(|(agent, issue, lease)| Op::Start { agent, issue, lease }),
        4 => (agent(), which(), checkpoint)
            .prop_map(|(agent, which, checkpoint)| Op::Checkpoint { agent, which, checkpoint }),
        3 => (agent(), which(), state).prop_map(|(agent, which, state)| Op::Finish { agent, which, state }),
        2 => (agent(), issue(), which()).prop_map(|(agent, issue, which)| Op::Unclaim { agent, issue, which }),
        2 => (agent(), any::<bool>()).prop_map(|(agent, named)| Op::Renew { agent, named }),
        1 => (0..4_usize).prop_map(|which| Op::Release { which }),
        2 => (0..4_usize, agent()).prop_map(|(which, to)| Op::Reassign { which, to }),
        2 => Just(Op::Recover),
        4 => span.prop_map(Op::Advance),
    ]
}

/// What a verb may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Lost,
    Held,
    Nothing,
    Invalid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub agent: String,
    pub issue: Option<usize>,
    pub state: WorkState,
    pub terms: Terms,
    pub expires: i64,
    pub end: Option<EndReason>,
    pub started: bool,
    pub worked: Option<i64>,
}

/// What the database should hold.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub now: i64,
    /// By fence.
    pub rows: Vec<Row>,
    /// The agent in the label of each issue, and whether it is in progress (else ready).
    pub labels: [(Option<String>, bool); ISSUES],
    pub audit: i64,
    pub history: i64,
    /// How many rows those know who name one; all of them if none.
    pub known: Option<usize>,
}

impl Model {
    fn live_on(&self, issue: usize) -> Option<usize> {
        self.rows.iter().position(|row| row.end.is_none() && row.issue == Some(issue))
    }

    pub fn overdue(&self, row: &Row) -> bool {
        let grace = if row.terms == Terms::Leased { 0 } else { DAY - TTL };
        row.end.is_none() && row.expires + grace <= self.now
    }

    /// What an agent means that names no claim: worked on last, else newest.
    fn current(&self, agent: &str) -> Option<usize> {
        let own = self.rows.iter().enumerate().filter(|(_, row)| row.end.is_none() && row.agent == agent);
        own.max_by_key(|(n, row)| (row.worked, *n)).map(|(n, _)| n)
    }

    fn end(&mut self, n: usize, reason: EndReason, state: WorkState, gives_back: bool) {
        self.rows[n].end = Some(reason);
        self.rows[n].state = state;
        self.history += 1;
        if let Some(issue) = self.rows[n].issue.filter(|_| gives_back) {
            let agent = self.rows[n].agent.clone();
            self.labels[issue].0.take_if(|label| *label == agent);
            self.labels[issue].1 = false;
        }
    }

    fn insert(&mut self, agent: &str, issue: Option<usize>, lease: bool, start: bool) -> usize {
        self.rows.push(Row {
            agent: agent.to_owned(),
            issue,
            state: WorkState::Claimed,
            terms: if lease { Terms::Leased } else { Terms::Held },
            expires: self.now + TTL,
            end: None,
            started: start,
            worked: start.then_some(self.now),
        });
        self.history += 1;
        self.rows.len() - 1
    }

    fn renew(&mut self, n: usize, lease: bool) {
        self.rows[n].expires = self.now + TTL;
        if lease {
            self.rows[n].terms = Terms::Leased;
        }
    }

    fn claim(
        &mut self,
        agent: &str,
        issue: usize,
        force: bool,
        lease: bool,
        start: bool,
    ) -> Result<usize, Outcome> {
        let n = match self.live_on(issue) {
            Some(n) if self.rows[n].agent == agent => {
                self.renew(n, lease);
                n
            }
            Some(n) => {
                let overdue = self.overdue(&self.rows[n]);
                if !overdue && !force {
                    return Err(Outcome::Held);
                }
                let reason = if overdue { EndReason::Expired } else { EndReason::Forced };
                self.end(n, reason, WorkState::Stale, false);
                self.insert(agent, Some(issue), lease, start)
            }
            None => {
                let other = self.labels[issue].0.as_ref().is_some_and(|label| label != agent);
                if other && !force {
                    return Err(Outcome::Held);
                }
                self.insert(agent, Some(issue), lease, start)
            }
        };
        self.labels[issue] = (Some(agent.to_owned()), true);
        self.audit += 1;
        Ok(n)
    }

    fn supersede(&mut self, agent: &str, but: &[usize]) {
        for n in 0..self.rows.len() {
            let row = &self.rows[n];
            if row.end.is_none() && row.started && row.agent == agent && !but.contains(&n) {
                self.end(n, EndReason::Superseded, WorkState::Released, true);
                self.audit += 1;
            }
        }
    }

    fn start(&mut self, agent: &str, issue: Option<usize>, lease: bool) -> Outcome {
        let own = issue.and_then(|issue| self.live_on(issue)).filter(|n| self.rows[*n].agent == agent);
        let n = match (issue, own) {
            (_, Some(n)) => {
                self.renew(n, lease);
                self.rows[n].worked = Some(self.now);
                self.history += 1;
                n
            }
            (Some(issue), None) => match self.claim(agent, issue, false, lease, true) {
                Ok(n) => n,
                Err(outcome) => return outcome,
            },
            (None, None) => self.insert(agent, None, lease, true),
        };
        self.supersede(agent, &[n]);
        self.audit += 1;
        Outcome::Done
    }

    /// The row that a writer means.
    fn own(&self, agent: &str, which: Which) -> Result<usize, Outcome> {
        match self.shown(which) {
            None => self.current(agent).ok_or(Outcome::Nothing),
            Some((Some(n), true)) if self.rows[n].end.is_none() && self.rows[n].agent == agent => Ok(n),
            Some(_) => Err(Outcome::Lost),
        }
    }

    /// The row that is named, and whether with its fence.
    fn shown(&self, which: Which) -> Option<(Option<usize>, bool)> {
        which.map(|(back, right)| (self.named(back), right))
    }

    fn named(&self, back: usize) -> Option<usize> {
        self.known().checked_sub(back + 1)
    }

    fn known(&self) -> usize {
        self.known.unwrap_or(self.rows.len())
    }

    fn checkpoint(&mut self, agent: &str, which: Which, checkpoint: Checkpoint) -> Outcome {
        let n = match self.own(agent, which) {
            Ok(n) => n,
            Err(outcome) => return outcome,
        };
        self.renew(n, true);
        self.rows[n].worked = Some(self.now);
        let state = checkpoint.leads_to(self.rows[n].state);
        if state.is_live() {
            self.rows[n].state = state;
            self.history += 1;
        } else {
            self.end(n, EndReason::Finished, WorkState::Done, false);
        }
        self.audit += 1;
        Outcome::Done
    }

    fn finish(&mut self, agent: &str, which: Which, state: WorkState) -> Outcome {
        if let Some((Some(n), true)) = self.shown(which) {
            let row = &self.rows[n];
            let by_itself = matches!(row.end, Some(EndReason::Finished | EndReason::Released));
            if by_itself && row.agent == agent && row.state == state {
                return Outcome::Done;
            }
        }
        let n = match self.own(agent, which) {
            Ok(n) => n,
            Err(outcome) => return outcome,
        };
        match state {
            WorkState::Done => self.end(n, EndReason::Finished, state, false),
            WorkState::Released | WorkState::Stale => {
                self.end(n, EndReason::Released, state, true);
                self.audit += i64::from(self.rows[n].issue.is_some());
            }
            _ => {
                self.renew(n, false);
                self.rows[n].worked = Some(self.now);
                self.rows[n].state = state;
                self.history += 1;
            }
        }
        self.audit += 1;
        Outcome::Done
    }

    fn unclaim(&mut self, agent: &str, issue: usize, which: Which) -> Outcome {
        let live = self.live_on(issue);
        if let Some((shown, right)) = self.shown(which)
            && !(right && shown.is_some() && shown == live)
        {
            return Outcome::Lost;
        }
        match live.filter(|n| self.rows[*n].agent == agent) {
            Some(n) => self.end(n, EndReason::Released, WorkState::Released, true),
            None if self.labels[issue].0.as_deref() == Some(agent) => self.labels[issue] = (None, false),
            None => return Outcome::Invalid,
        }
        self.audit += 1;
        Outcome::Done
    }

    fn release(&mut self, n: usize) -> Outcome {
        if self.rows[n].end.is_none() {
            self.end(n, EndReason::Withdrawn, WorkState::Released, true);
        } else if self.rows[n].state == WorkState::Stale {
            self.rows[n].state = WorkState::Released;
            self.history += 1;
        } else {
            return Outcome::Invalid;
        }
        self.audit += 1;
        Outcome::Done
    }

    fn reassign(&mut self, n: usize, to: &str) -> Outcome {
        let (issue, live) = (self.rows[n].issue, self.rows[n].end.is_none());
        if !live && self.rows[n].state != WorkState::Stale {
            return Outcome::Invalid;
        }
        let mut after = self.clone();
        after.supersede(to, &[n]);
        if live {
            after.end(n, EndReason::Reassigned, WorkState::Released, false);
        } else if issue.is_some_and(|issue| after.live_on(issue).is_some()) {
            return Outcome::Held;
        }
        let given = after.insert(to, issue, false, false);
        after.rows[given].worked = Some(after.now);
        if let Some(issue) = issue {
            after.labels[issue].0 = Some(to.to_owned());
        }
        after.audit += 1;
        *self = after;
        Outcome::Done
    }

    fn recover(&mut self) {
        for n in 0..self.rows.len() {
            self.recover_one(n);
        }
    }

    pub fn recover_one(&mut self, n: usize) {
        if self.overdue(&self.rows[n]) {
            self.end(n, EndReason::Expired, WorkState::Stale, true);
            self.audit += 1;
        }
    }
}

pub fn expect(model: &mut Model, op: &Op) -> Outcome {
    match *op {
        Op::Claim { agent, issue, force, lease } => model
            .claim(AGENTS[agent], issue, force, lease, false)
            .map_or_else(|outcome| outcome, |_| Outcome::Done),
        Op::Start { agent, issue, lease } => model.start(AGENTS[agent], issue, lease),
        Op::Checkpoint { agent, which, checkpoint } => model.checkpoint(AGENTS[agent], which, checkpoint),
        Op::Finish { agent, which, state } => model.finish(AGENTS[agent], which, state),
        Op::Unclaim { agent, issue, which } => model.unclaim(AGENTS[agent], issue, which),
        Op::Renew { agent, named } => {
            for n in 0..model.rows.len() {
                let row = &model.rows[n];
                let own = row.end.is_none() && row.agent == AGENTS[agent];
                let is_meant = if named { n < model.known() } else { row.terms == Terms::Leased };
                if own && is_meant {
                    model.renew(n, named);
                }
            }
            Outcome::Done
        }
        Op::Release { which } => model.named(which).map_or(Outcome::Done, |n| model.release(n)),
        Op::Reassign { which, to } => {
            model.named(which).map_or(Outcome::Done, |n| model.reassign(n, AGENTS[to]))
        }
        Op::Recover => {
            model.recover();
            Outcome::Done
        }
        Op::Advance(ms) => {
            model.now += ms;
            Outcome::Done
        }
    }
}

/// What the labels of each issue should be, in order.
pub fn labels(model: &Model) -> Vec<Vec<String>> {
    let one = |(agent, in_progress): &(Option<String>, bool)| {
        let mut labels = vec![if *in_progress { "status/in-progress" } else { "status/ready" }.to_owned()];
        labels.extend(agent.as_ref().map(|agent| format!("agent/{agent}")));
        labels.sort();
        labels
    };
    model.labels.iter().map(one).collect()
}
