//! Several verbs at the same time, as agents, operators and sweeps send them: whatever they do between each other's
//! transactions, their answers and what they leave are those of some order of them, one after the other, by the model.
//! So there are never two live claims, fences only grow, and no row of the audit log is lost.
//!
//! Ten thousand cases on SQLite and five hundred on PostgreSQL, as in `property`.

use std::time::Duration;

use dispatch::domain::claim::EndReason;
use futures_util::future::join_all;
use proptest::prelude::*;

use crate::{
    model::{Model, Op, Outcome, Row, expect, labels, op},
    property::{Real, Stored, cases, check, sqlite},
    support::TestDb,
};

/// A verb, and how long it waits before it begins: in turns of the others.
type Timed = (Op, u8);

/// What goes on at the same time, after the clock moved.
#[derive(Clone, Debug)]
struct Scene {
    before: u64,
    ops: Vec<Timed>,
}

fn scenes() -> impl Strategy<Value = Vec<Scene>> {
    let busy = || op().prop_filter("time passes between scenes only", |op| !matches!(op, Op::Advance(_)));
    let ops = prop::collection::vec((busy(), 0..30_u8), 1..4);
    let span = op().prop_map(|op| if let Op::Advance(ms) = op { ms.unsigned_abs() } else { 0 });
    prop::collection::vec((span, ops).prop_map(|(before, ops)| Scene { before, ops }), 1..5)
}

/// A step that nothing divides: a verb, or recovery of one claim.
#[derive(Clone, Copy)]
enum Step {
    Verb(usize),
    RecoverOne(usize),
}

fn steps(model: &Model, ops: &[Timed]) -> Vec<Step> {
    let mut steps = Vec::new();
    let recovers = ops.iter().any(|(op, _)| matches!(op, Op::Recover));
    for (n, (op, _)) in ops.iter().enumerate() {
        if !matches!(op, Op::Recover) {
            steps.push(Step::Verb(n));
        }
    }
    // However many sweep, each claim is taken back once.
    if recovers {
        let overdue = model.rows.iter().enumerate().filter(|(_, row)| model.overdue(row));
        steps.extend(overdue.map(|(n, _)| Step::RecoverOne(n)));
    }
    steps
}

/// Every order of the steps from here, until one explains what was seen.
fn explained(model: &Model, done: &mut [bool], steps: &[Step], seen: &Seen<'_>) -> Option<Model> {
    let mut all_done = true;
    for at in 0..steps.len() {
        if done[at] {
            continue;
        }
        all_done = false;
        let mut after = model.clone();
        match steps[at] {
            Step::RecoverOne(n) => after.recover_one(n),
            Step::Verb(n) if expect(&mut after, &seen.ops[n].0) != seen.came[n] => continue,
            Step::Verb(_) => {}
        }
        done[at] = true;
        let found = explained(&after, done, steps, seen);
        done[at] = false;
        if found.is_some() {
            return found;
        }
    }
    (all_done && seen.is(model)).then(|| model.clone())
}

/// What came of a scene.
struct Seen<'s> {
    ops: &'s [Timed],
    came: Vec<Outcome>,
    rows: Vec<Row>,
    stored: Stored,
}

impl Seen<'_> {
    fn is(&self, model: &Model) -> bool {
        self.rows == model.rows
            && self.stored.counts == (model.audit, model.history)
            && self.stored.labels == labels(model)
    }
}

async fn at_once(real: &Real, ops: &[Timed], before: &Stored) -> Vec<Outcome> {
    join_all(ops.iter().map(|(op, turns)| async move {
        for _ in 0..*turns {
            tokio::task::yield_now().await;
        }
        real.apply(op, &before.rows).await
    }))
    .await
}

async fn run(real: &Real, scenes: &[Scene]) -> Result<(), TestCaseError> {
    real.clear().await;
    let mut model = Model { now: real.app.clock.now().0, ..Model::default() };
    let mut stored = real.stored().await;
    for (n, Scene { before, ops }) in scenes.iter().enumerate() {
        real.app.clock.advance(Duration::from_millis(*before));
        model.now = real.app.clock.now().0;
        model.known = Some(model.rows.len());
        let came = at_once(real, ops, &stored).await;
        let (last, known) = (stored.rows.last().map_or(0, |row| row.fence.0), stored.rows.len());
        stored = real.stored().await;
        prop_assert!(stored.rows[known..].iter().all(|row| row.fence.0 > last), "fences grow");
        let rows: Vec<Row> = stored.rows.iter().map(|row| real.as_model(row)).collect();
        prop_assert!(are_single(&rows), "two live claims of one issue: {:#?}", rows);
        let seen = Seen { ops, came, rows, stored };
        let steps = steps(&model, ops);
        let after = explained(&model, &mut vec![false; steps.len()], &steps, &seen);
        let Some(after) = after else {
            return Err(TestCaseError::fail(format!(
                "no order of scene {n} explains it: from {model:#?}\n{ops:?}\ncame {:?}, and left {:#?}, audit and history {:?}, labels {:?}",
                seen.came, seen.rows, seen.stored.counts, seen.stored.labels
            )));
        };
        (model, stored) = (after, seen.stored);
    }
    Ok(())
}

fn are_single(rows: &[Row]) -> bool {
    let live: Vec<_> = rows.iter().filter(|row| row.end.is_none()).filter_map(|row| row.issue).collect();
    live.iter().enumerate().all(|(n, issue)| !live[..n].contains(issue))
}

#[test]
fn on_sqlite_whatever_happens_at_once_has_an_order() {
    std::thread::scope(|halves| {
        for _ in 0..2 {
            halves.spawn(|| {
                check(sqlite, cases(10_000).div_ceil(2), &scenes(), &async |real, scenes| {
                    run(real, scenes).await
                });
            });
        }
    });
}

#[test]
fn on_postgres_whatever_happens_at_once_has_an_order() {
    check(TestDb::postgres, cases(500), &scenes(), &async |real, scenes| run(real, scenes).await);
}

/// The search finds an order where there is one, and none where there is none.
#[test]
fn the_search_tells_orders_from_none() {
    let claim = |agent| (Op::Claim { agent, issue: 0, force: false, lease: false }, 0);
    let ops = [claim(0), claim(1)];
    let mut right = Model::default();
    let came = vec![Outcome::Held, Outcome::Done];
    assert_eq!(expect(&mut right, &ops[1].0), Outcome::Done);
    let seen = |came: Vec<Outcome>, model: &Model| {
        let stored = Stored { rows: Vec::new(), counts: (model.audit, model.history), labels: labels(model) };
        let seen = Seen { ops: &ops, came, rows: model.rows.clone(), stored };
        let model = Model { known: Some(0), ..Model::default() };
        explained(&model, &mut [false; 2], &steps(&model, &ops), &seen).is_some()
    };
    assert!(seen(came.clone(), &right));
    assert!(!seen(vec![Outcome::Done, Outcome::Done], &right));
    assert!(!seen(came.clone(), &Model { audit: right.audit + 1, ..right.clone() }));
    let mut ended = right.clone();
    ended.rows[0].end = Some(EndReason::Expired);
    assert!(!seen(came, &ended));
}
