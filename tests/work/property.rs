//! Random sequences of everything that can happen to claims, by agents, operators and the clock, beside a small model of
//! `design.md` section 3: the same rows, labels, audit rows and history after every step; never two live claims; fences only
//! grow.
//!
//! Ten thousand cases on SQLite and five hundred on PostgreSQL; `PROPTEST_CASES` sets another number for both. Seeds of
//! failures are in `tests/proptest-regressions/work.txt`, which is committed; those cases run first.

use std::time::Duration;

use dispatch::{
    domain::{
        access::{Caller, Tier},
        claim::{EndReason, Fence, Terms, WorkState},
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
    model::{AGENTS, ISSUES, Model, Op, Outcome, Row, Which, expect, labels, ops},
    support::{App, AppBuilder, TestDb, app::engine_settings},
};

const REGRESSIONS: &str = "tests/proptest-regressions/work.txt";

/// The product beside the model.
pub struct Real {
    pub app: App,
    issues: Vec<IssueId>,
    caller: Caller,
}

/// What the database holds.
pub struct Stored {
    pub rows: Vec<StoredRow>,
    /// Rows of the audit log and of the histories.
    pub counts: (i64, i64),
    /// Of each issue.
    pub labels: Vec<Vec<String>>,
}

#[derive(Debug, sqlx::FromRow)]
pub struct StoredRow {
    id: ClaimId,
    pub fence: Fence,
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
    pub async fn new(db: TestDb) -> Self {
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
    pub async fn clear(&self) {
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

    /// All that is there, over one connection: nobody else writes.
    pub async fn stored(&self) -> Stored {
        let mut tx = self.engine().db().read_once().await.expect("a connection");
        let sql =
            "SELECT id, fence, agent_name, issue_id, state, terms, expires_at, end_reason, started, worked_at
            FROM claims ORDER BY fence";
        let rows = tx.query(sql).fetch_all().await.expect("rows");
        let sql = "SELECT (SELECT count(*) FROM audit_log), (SELECT count(*) FROM claim_history)";
        let counts = tx.query(sql).fetch_one().await.expect("two numbers");
        let sql = "SELECT labels FROM issues ORDER BY number";
        let labels: Vec<(Json<Vec<String>>,)> = tx.query(sql).fetch_all().await.expect("rows");
        let mut labels: Vec<_> = labels.into_iter().map(|(labels,)| labels.0).collect();
        for labels in &mut labels {
            labels.retain(|label| label != "bug");
            labels.sort();
        }
        Stored { rows, counts, labels }
    }

    fn shown(rows: &[StoredRow], which: Which) -> Option<Shown> {
        let (back, right) = which?;
        let row = rows.len().checked_sub(back + 1).map(|n| &rows[n]);
        let (claim, fence) = row.map_or((ClaimId("none".to_owned()), 1), |row| (row.id.clone(), row.fence.0));
        Some(Shown::Both(claim, Fence(if right { fence } else { fence + 1_000_000 })))
    }

    fn number(issue: usize) -> IssueNumber {
        IssueNumber(i64::try_from(issue).expect("a number") + 1)
    }

    pub async fn apply(&self, op: &Op, rows: &[StoredRow]) -> Outcome {
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
                    writer: Writer { agent: agent(*n), shown: Self::shown(rows, *which) },
                    checkpoint: *checkpoint,
                    summary: None,
                    blocker: Some("why".to_owned()),
                    branch: None,
                    pr_url: None,
                };
                outcome(work::checkpoint(engine, caller, &ask).await)
            }
            Op::Finish { agent: n, which, state } => {
                let writer = Writer { agent: agent(*n), shown: Self::shown(rows, *which) };
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
                    shown: Self::shown(rows, *which),
                };
                outcome(claims::unclaim(engine, caller, &ask).await)
            }
            Op::Renew { agent: n, named } => {
                let own = rows.iter().filter(|row| row.agent_name == AGENTS[*n]);
                let all = own.map(|row| renew::Named {
                    claim: row.id.clone(),
                    fence: row.fence,
                    checkpoint: None,
                    summary: None,
                });
                let all: Vec<_> = all.collect();
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

async fn run(real: &Real, ops: &[Op]) -> Result<(), TestCaseError> {
    real.clear().await;
    let mut model = Model { now: real.app.clock.now().0, ..Model::default() };
    let mut rows = real.stored().await.rows;
    for (n, op) in ops.iter().enumerate() {
        let want = expect(&mut model, op);
        let came = real.apply(op, &rows).await;
        prop_assert_eq!(came, want, "step {}: {:?}", n, op);
        let before = rows.last().map_or(0, |row| row.fence.0);
        let known = rows.len();
        let stored = real.stored().await;
        rows = stored.rows;
        prop_assert!(rows[known..].iter().all(|row| row.fence.0 > before), "fences grow");
        let there: Vec<Row> = rows.iter().map(|row| real.as_model(row)).collect();
        prop_assert_eq!(&there, &model.rows, "step {}: {:?}", n, op);
        prop_assert_eq!(
            stored.counts,
            (model.audit, model.history),
            "audit and history, step {}: {:?}",
            n,
            op
        );
        prop_assert_eq!(stored.labels, labels(&model), "labels, step {}: {:?}", n, op);
    }
    Ok(())
}

impl Real {
    pub fn as_model(&self, row: &StoredRow) -> Row {
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
}

/// Runs cases until one fails, which is then made as small as it gets.
pub fn check<T: std::fmt::Debug>(
    db: impl AsyncFnOnce() -> TestDb,
    cases: u32,
    of: &impl Strategy<Value = T>,
    run: &impl AsyncFn(&Real, &T) -> Result<(), TestCaseError>,
) {
    // One thread: a case waits for one statement after the other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let real = runtime.block_on(async { Real::new(db().await).await });
    let persistence: Option<Box<dyn proptest::test_runner::FailurePersistence>> =
        Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS)));
    let config =
        Config { cases, failure_persistence: persistence, max_shrink_iters: 2_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(of, |case| runtime.block_on(run(&real, &case)));
    // A transaction that nobody rolls back any more would keep the schema from being dropped.
    runtime.block_on(real.engine().db().close());
    if let Err(error) = outcome {
        let case = match &error {
            TestError::Fail(_, case) => format!("{case:#?}"),
            TestError::Abort(_) => String::new(),
        };
        panic!("{error}\n{case}");
    }
}

pub fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A file that no disk is asked to keep, where the system has a place for such.
pub async fn sqlite() -> TestDb {
    let in_memory = tempfile::Builder::new().tempdir_in("/dev/shm");
    match in_memory {
        Ok(folder) => TestDb::Sqlite { folder },
        Err(_) => TestDb::sqlite().await,
    }
}

#[test]
fn sqlite_agrees_with_the_model() {
    // Each half has a database of its own and other cases.
    std::thread::scope(|halves| {
        for _ in 0..2 {
            halves.spawn(|| {
                check(sqlite, cases(10_000).div_ceil(2), &ops(), &async |real, ops| run(real, ops).await);
            });
        }
    });
}

#[test]
fn postgres_agrees_with_the_model() {
    check(TestDb::postgres, cases(500), &ops(), &async |real, ops| run(real, ops).await);
}
