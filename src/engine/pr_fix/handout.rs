//! Handing out: the item that an agent is given, the same again until it is done with it (`design.md` section 4).

use super::write;
use crate::{
    domain::{
        ids::AgentName,
        pr_fix::{
            FixLane, Item,
            handout::{hand_to, lanes_for},
        },
        queue::Ask,
        task::Task,
        time::Timestamp,
    },
    engine::{Engine, failpoint::failpoint, pr_fix::sweep},
    store::{self, WriteTx, agents, pr_fix, pr_fix_notes as notes},
};

/// What the PR-fix queue has for an agent that asks for its next task.
pub struct Next {
    pub task: Option<Task>,
    /// Some issue is not given out because of its pull request.
    pub defers: bool,
    /// Nobody has an item: time alone changes nothing.
    pub lasts: bool,
}

/// Free items of each lane that are tried before looking again.
const TRIED: i64 = 8;
/// So often it is looked again; whoever loses an item to others each time comes back.
const ROUNDS: usize = 32;

/// Hands an item to the agent, or gives it the one that it has. Where there is none, that is one statement.
pub async fn next(engine: &Engine, ask: &Ask) -> store::Result<Next> {
    let lanes = lanes_for(engine.settings.rules.lanes(), ask.lane.as_deref());
    let now = engine.clock.now();
    let mut tx = engine.db.read_once().await?;
    let outlook = pr_fix::outlook(&mut tx, &ask.agent, lanes, now).await?;
    drop(tx);
    let (defers, lasts) = (outlook.defers, !outlook.held);
    if outlook.own
        && let Some(task) = held(engine, ask, lanes, now).await?
    {
        return Ok(Next { task: Some(task), defers, lasts });
    }
    if outlook.late {
        sweep::end_late(engine, lanes).await?;
    }
    let task =
        if outlook.own || outlook.free || outlook.late { take(engine, ask, lanes).await? } else { None };
    Ok(Next { task, defers, lasts })
}

/// What the agent has, as long as it has it for sure; nothing is written.
async fn held(engine: &Engine, ask: &Ask, lanes: &[FixLane], now: Timestamp) -> store::Result<Option<Task>> {
    let mut tx = engine.db.read().await?;
    let item = pr_fix::find_held(&mut tx, &ask.agent, lanes).await?;
    let Some(item) = item.filter(|item| item.hold.as_ref().is_some_and(|hold| hold.until > now)) else {
        return Ok(None);
    };
    let feedback = notes::list_feedback(&mut tx, &item.id).await?;
    Ok(Some(Task::followup_pr(ask.agent.clone(), &item, &feedback)))
}

async fn take(engine: &Engine, ask: &Ask, lanes: &[FixLane]) -> store::Result<Option<Task>> {
    let mut tx = engine.db.write().await?;
    // The row of its name makes polls of one agent wait for each other: they get the same item.
    let agent = agents::first_spelling(&mut tx, &ask.agent, engine.clock.now()).await?;
    let item = match pr_fix::find_held(&mut tx, &agent, lanes).await? {
        Some(item) => Some(item),
        None => take_free(engine, &mut tx, &agent, lanes).await?,
    };
    let Some(item) = item else { return Ok(None) };
    let feedback = notes::list_feedback(&mut tx, &item.id).await?;
    tx.commit().await?;
    failpoint!("pr_fix.handed");
    Ok(Some(Task::followup_pr(ask.agent.clone(), &item, &feedback)))
}

async fn take_free(
    engine: &Engine,
    tx: &mut WriteTx,
    agent: &AgentName,
    lanes: &[FixLane],
) -> store::Result<Option<Item>> {
    for _ in 0..ROUNDS {
        let free = pr_fix::list_free(tx, lanes, TRIED).await?;
        if free.is_empty() {
            return Ok(None);
        }
        for id in free {
            let locked = pr_fix::lock_by_id(tx, &id).await?;
            let Some(before) = locked.filter(|item| item.is_free() && lanes.contains(&item.lane)) else {
                continue;
            };
            let now = engine.clock.now();
            let mut item = hand_to(&before, agent, engine.settings.pr_fix, now);
            if !before.is_dispatched() {
                notes::clear_late_evidence(tx, &item.id).await?;
            }
            write(engine, tx, &before, &mut item).await?;
            notes::add_handout(tx, &item, agent, now).await?;
            return Ok(Some(item));
        }
    }
    Ok(None)
}
