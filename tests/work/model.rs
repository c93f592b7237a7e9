//! Random sequences of everything that can happen to claims, by agents, operators and the clock, beside a small model of
//! `design.md` section 3: the same rows, labels, audit rows and history after every step; never two live claims; fences only
//! grow.
//!
//! `PROPTEST_CASES` sets the number of cases for both databases. Seeds of failures are in
//! `tests/proptest-regressions/work.txt`, which is committed; those cases run first.

use std::time::Duration;

use dispatch::{
    domain::{
        access::{Caller, Tier},
        claim::{Checkpoint, EndReason, Fence, Terms, WorkState},
        ids::{AgentName, ClaimId, IssueId, IssueNumber, TokenId},
    },
    engine::{
        self, Engine, Error, Writes,
        claims::{self, ClaimAsk, Shown, Start, UnclaimAsk},
        recover, renew,
        work::{self, CheckpointAsk, FinishAsk, Reassign, Release, StartAsk, Writer},
    },
};
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestError, TestRunner},
};
use sqlx::types::Json;

use crate::{
    field::{API, built},
    support::{App, AppBuilder, TestDb, app::engine_settings},
};

const REGRESSIONS: &str = "tests/proptest-regressions/work.txt";
const AGENTS: [&str; 3] = ["one", "two", "three"];
const ISSUES: usize = 2;
const TTL: i64 = 30 * 60 * 1_000;
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Which claim a writer means: none by name, or one of those made so far (counted from the last), with its fence or a wrong one.
type Which = Option<(usize, bool)>;

#[derive(Clone, Debug)]
enum Op {
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

fn ops() -> impl Strategy<Value = Vec<Op>> {
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
    let op = prop_oneof![
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
    ];
    prop::collection::vec(op, 1..14)
}

/// What a verb may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Lost,
    Held,
    Nothing,
    Invalid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    agent: String,
    issue: Option<usize>,
    state: WorkState,
    terms: Terms,
    expires: i64,
    end: Option<EndReason>,
    started: bool,
    worked: Option<i64>,
}

/// What the database should hold.
#[derive(Clone, Debug, Default)]
struct Model {
    now: i64,
    /// By fence.
    rows: Vec<Row>,
    /// The agent in the label of each issue, and whether it is in progress (else ready).
    labels: [(Option<String>, bool); ISSUES],
    audit: i64,
    history: i64,
}

impl Model {
    fn live_on(&self, issue: usize) -> Option<usize> {
        self.rows.iter().position(|row| row.end.is_none() && row.issue == Some(issue))
    }

    fn overdue(&self, row: &Row) -> bool {
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
        which.map(|(back, right)| (self.rows.len().checked_sub(back + 1), right))
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
            if self.overdue(&self.rows[n]) {
                self.end(n, EndReason::Expired, WorkState::Stale, true);
                self.audit += 1;
            }
        }
    }
}

/// The product beside the model.
struct Real {
    app: App,
    issues: Vec<IssueId>,
    caller: Caller,
}

#[derive(Debug, sqlx::FromRow)]
struct StoredRow {
    id: ClaimId,
    fence: Fence,
    agent_name: String,
    issue_id: Option<IssueId>,
    state: WorkState,
    terms: Terms,
    expires_at: i64,
    end_reason: Option<EndReason>,
    started: bool,
    worked_at: Option<i64>,
}

fn agent(n: usize) -> AgentName {
    AGENTS[n].parse().expect("a name")
}

fn outcome<T>(result: engine::Result<T>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(Error::ClaimLost { .. }) => Outcome::Lost,
        Err(Error::Held { .. }) => Outcome::Held,
        Err(Error::NotFound(_)) => Outcome::Nothing,
        Err(Error::Invalid { .. }) => Outcome::Invalid,
        Err(other) => panic!("{other:?}"),
    }
}

impl Real {
    async fn new(db: TestDb) -> Self {
        let settings = engine::Settings {
            // Neither reads nor writes of GitHub: what is here is all there is.
            claim_max_staleness: Duration::MAX,
            writes: Writes { enabled: false, interval: Duration::ZERO },
            ..engine_settings()
        };
        let app = built(AppBuilder { engine: settings, ..AppBuilder::default() }, db, ISSUES).await;
        let mut issues = Vec::new();
        for number in 1..=ISSUES {
            let state = app.get(&format!("/api/issues/state?repo={API}&number={number}")).await.expect(200);
            issues.push(IssueId(state["issueId"].as_str().expect("an id").to_owned()));
        }
        let caller = Caller { tier: Tier::Maintainer, token: TokenId("t".to_owned()), named: None };
        Self { app, issues, caller }
    }

    fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Nobody has claimed anything.
    async fn clear(&self) {
        let mut tx = self.engine().db().write().await.expect("a transaction");
        for sql in ["DELETE FROM claims", "DELETE FROM label_edits", "DELETE FROM audit_log"] {
            tx.query(sql).execute().await.expect("an empty table");
        }
        let labels = Json(["status/ready"]);
        tx.query("UPDATE issues SET labels = $1, status = 'ready', agent = NULL")
            .bind(labels)
            .execute()
            .await
            .expect("rows");
        tx.commit().await.expect("the end");
    }

    async fn rows(&self) -> Vec<StoredRow> {
        let mut tx = self.engine().db().read_once().await.expect("a connection");
        let sql =
            "SELECT id, fence, agent_name, issue_id, state, terms, expires_at, end_reason, started, worked_at
            FROM claims ORDER BY fence";
        tx.query(sql).fetch_all().await.expect("rows")
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut tx = self.engine().db().read_once().await.expect("a connection");
        let (count,): (i64,) = tx.query(sql).fetch_one().await.expect("a number");
        count
    }

    fn shown(&self, rows: &[StoredRow], which: Which) -> Option<Shown> {
        let (back, right) = which?;
        let row = rows.len().checked_sub(back + 1).map(|n| &rows[n]);
        let (claim, fence) = row.map_or((ClaimId("none".to_owned()), 1), |row| (row.id.clone(), row.fence.0));
        Some(Shown { claim, fence: Some(Fence(if right { fence } else { fence + 1_000_000 })) })
    }

    fn number(issue: usize) -> IssueNumber {
        IssueNumber(i64::try_from(issue).expect("a number") + 1)
    }

    async fn apply(&self, op: &Op, rows: &[StoredRow]) -> Outcome {
        let (engine, caller) = (self.engine(), &self.caller);
        match op {
            Op::Claim { agent: n, issue, force, lease } => {
                let ask = ClaimAsk {
                    issue: self.issues[*issue].clone(),
                    repo: API.to_owned(),
                    number: Self::number(*issue),
                    agent: agent(*n),
                    force: *force,
                    lease: *lease,
                    start: None,
                };
                outcome(claims::claim(engine, caller, &ask).await)
            }
            Op::Start { agent: n, issue, lease } => {
                let issue = issue.map(|issue| self.issues[issue].clone());
                let ask = StartAsk { agent: agent(*n), issue, start: Start::default(), lease: *lease };
                outcome(work::start(engine, caller, &ask).await)
            }
            Op::Checkpoint { agent: n, which, checkpoint } => {
                let ask = CheckpointAsk {
                    writer: Writer { agent: agent(*n), shown: self.shown(rows, *which) },
                    checkpoint: *checkpoint,
                    summary: None,
                    blocker: Some("why".to_owned()),
                    branch: None,
                    pr_url: None,
                };
                outcome(work::checkpoint(engine, caller, &ask).await)
            }
            Op::Finish { agent: n, which, state } => {
                let writer = Writer { agent: agent(*n), shown: self.shown(rows, *which) };
                outcome(
                    work::finish(engine, caller, &FinishAsk { writer, state: *state, summary: None }).await,
                )
            }
            Op::Unclaim { agent: n, issue, which } => {
                let ask = UnclaimAsk {
                    issue: self.issues[*issue].clone(),
                    repo: API.to_owned(),
                    number: Self::number(*issue),
                    agent: agent(*n),
                    shown: self.shown(rows, *which),
                };
                outcome(claims::unclaim(engine, caller, &ask).await)
            }
            Op::Renew { agent: n, named } => {
                let own = rows.iter().filter(|row| row.agent_name == AGENTS[*n]);
                let shown = own.map(|row| Shown { claim: row.id.clone(), fence: Some(row.fence) });
                let all: Vec<_> =
                    shown.map(|shown| renew::Named { shown, checkpoint: None, summary: None }).collect();
                let named = named.then_some(all.as_slice());
                outcome(renew::renew(engine, &agent(*n), named).await.map_err(Error::from))
            }
            Op::Release { which } => {
                let Some(n) = rows.len().checked_sub(which + 1) else { return Outcome::Done };
                let what = Release::Named { work: Some(rows[n].id.clone()), lease: None };
                outcome(work::release(engine, caller, &what, "why").await)
            }
            Op::Reassign { which, to } => {
                let Some(n) = rows.len().checked_sub(which + 1) else { return Outcome::Done };
                let ask = Reassign { work: rows[n].id.clone(), to: agent(*to), reason: "why".to_owned() };
                outcome(work::reassign(engine, caller, &ask).await)
            }
            Op::Recover => outcome(recover::recover(engine).await.map_err(Error::from)),
            Op::Advance(ms) => {
                self.app.clock.advance(Duration::from_millis(ms.unsigned_abs()));
                Outcome::Done
            }
        }
    }
}

fn expect(model: &mut Model, op: &Op) -> Outcome {
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
                if own && (named || row.terms == Terms::Leased) {
                    model.renew(n, named);
                }
            }
            Outcome::Done
        }
        Op::Release { which } => {
            model.rows.len().checked_sub(which + 1).map_or(Outcome::Done, |n| model.release(n))
        }
        Op::Reassign { which, to } => {
            model.rows.len().checked_sub(which + 1).map_or(Outcome::Done, |n| model.reassign(n, AGENTS[to]))
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

async fn run(real: &Real, ops: &[Op]) -> Result<(), TestCaseError> {
    real.clear().await;
    let mut model = Model { now: real.app.clock.now().0, ..Model::default() };
    let mut rows = real.rows().await;
    for (n, op) in ops.iter().enumerate() {
        let want = expect(&mut model, op);
        let came = real.apply(op, &rows).await;
        prop_assert_eq!(came, want, "step {}: {:?}", n, op);
        let before = rows.last().map_or(0, |row| row.fence.0);
        let known = rows.len();
        rows = real.rows().await;
        prop_assert!(rows[known..].iter().all(|row| row.fence.0 > before), "fences grow");
        let there: Vec<Row> = rows.iter().map(|row| real.as_model(row)).collect();
        prop_assert_eq!(&there, &model.rows, "step {}: {:?}", n, op);
        let counts = (
            real.count("SELECT count(*) FROM audit_log").await,
            real.count("SELECT count(*) FROM claim_history").await,
        );
        prop_assert_eq!(counts, (model.audit, model.history), "audit and history, step {}: {:?}", n, op);
        prop_assert_eq!(real.labels().await, labels(&model), "labels, step {}: {:?}", n, op);
    }
    Ok(())
}

/// What the labels of each issue should be, in order.
fn labels(model: &Model) -> Vec<Vec<String>> {
    let one = |(agent, in_progress): &(Option<String>, bool)| {
        let mut labels = vec![if *in_progress { "status/in-progress" } else { "status/ready" }.to_owned()];
        labels.extend(agent.as_ref().map(|agent| format!("agent/{agent}")));
        labels.sort();
        labels
    };
    model.labels.iter().map(one).collect()
}

impl Real {
    fn as_model(&self, row: &StoredRow) -> Row {
        let place =
            |id: &IssueId| self.issues.iter().position(|issue| issue == id).expect("an issue of ours");
        Row {
            agent: row.agent_name.clone(),
            issue: row.issue_id.as_ref().map(place),
            state: row.state,
            terms: row.terms,
            expires: row.expires_at,
            end: row.end_reason,
            started: row.started,
            worked: row.worked_at,
        }
    }

    async fn labels(&self) -> Vec<Vec<String>> {
        let mut tx = self.engine().db().read_once().await.expect("a connection");
        let rows: Vec<(Json<Vec<String>>,)> =
            tx.query("SELECT labels FROM issues ORDER BY number").fetch_all().await.expect("rows");
        let mut all: Vec<_> = rows.into_iter().map(|(labels,)| labels.0).collect();
        for labels in &mut all {
            labels.retain(|label| label != "bug");
            labels.sort();
        }
        all
    }
}

fn check(runtime: &tokio::runtime::Runtime, db: TestDb, cases: u32) {
    let real = runtime.block_on(Real::new(db));
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(cases);
    let persistence: Option<Box<dyn proptest::test_runner::FailurePersistence>> =
        Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS)));
    let config =
        Config { cases, failure_persistence: persistence, max_shrink_iters: 2_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&ops(), |ops| runtime.block_on(run(&real, &ops)));
    if let Err(error) = outcome {
        let steps = match &error {
            TestError::Fail(_, ops) => ops.iter().map(|op| format!("  {op:?}\n")).collect(),
            TestError::Abort(_) => String::new(),
        };
        panic!("{error}\n{steps}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn sqlite_agrees_with_the_model() {
    let runtime = runtime();
    let db = runtime.block_on(TestDb::sqlite());
    check(&runtime, db, 10_000);
}

#[test]
fn postgres_agrees_with_the_model() {
    let runtime = runtime();
    let db = runtime.block_on(TestDb::postgres());
    check(&runtime, db, 500);
}
