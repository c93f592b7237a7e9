//! The record of a heartbeat: opened before its first phase, closed in the transaction that settles it.

use std::time::Duration;

use super::{Engine, failpoint::failpoint};
use crate::{
    domain::{
        heartbeat::HeartbeatAnswer,
        ids::{AgentName, RunId},
        run::{NewPass, PassEnd, PassStatus, RUNNING, Run},
        time::Timestamp,
    },
    store::{self, ReadTx, WriteTx, agents, idempotency, reads, runs},
};

/// The `Idempotency-Key` of a request with the hash of its canonical body.
#[derive(Clone, Debug)]
pub struct Key {
    pub text: String,
    pub body_hash: String,
}

/// How a heartbeat starts.
pub enum Opening {
    /// A new pass, recorded as running.
    New { run: RunId, agent: AgentName },
    /// The key stands for a pass that has ended: its answer again.
    Replay(Box<HeartbeatAnswer>),
    /// The key stands for another body.
    OtherBody,
}

/// How long a request waits for the pass that its key stands for when another process runs it, per look.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Opens the record, or finds the pass that the key stands for and waits for its end.
pub async fn open(
    engine: &Engine,
    agent: &AgentName,
    key: Option<&Key>,
    at: Timestamp,
) -> store::Result<Opening> {
    loop {
        match try_open(engine, agent, key, at).await? {
            Tried::Done(opening) => return Ok(opening),
            Tried::Running(run) => {
                engine.passes.wait(&run).await;
                let mut tx = engine.db.read_once().await?;
                let still_runs = runs::find(&mut tx, &run).await?.is_some_and(|run| run.status == RUNNING);
                drop(tx);
                if still_runs {
                    // It runs in another process (or its record could not be closed).
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }
}

enum Tried {
    Done(Opening),
    Running(RunId),
}

async fn try_open(
    engine: &Engine,
    agent: &AgentName,
    key: Option<&Key>,
    at: Timestamp,
) -> store::Result<Tried> {
    let unfinished = engine.passes.take_unfinished();
    match open_in_one(engine, agent, key, at, &unfinished).await {
        Ok(tried) => Ok(tried),
        Err(error) => {
            engine.passes.put_back_unfinished(unfinished);
            Err(error)
        }
    }
}

async fn open_in_one(
    engine: &Engine,
    agent: &AgentName,
    key: Option<&Key>,
    at: Timestamp,
    unfinished: &[RunId],
) -> store::Result<Tried> {
    let mut tx = engine.db.write().await?;
    if !unfinished.is_empty() {
        runs::interrupt(&mut tx, unfinished, at).await?;
    }
    let run = RunId(engine.ids.next());
    if let Some(key) = key {
        let tried = take_key(&mut tx, agent, key, &run, at).await?;
        if let Some(tried) = tried {
            tx.commit().await?;
            return Ok(tried);
        }
    }
    let agent = spell(engine, &mut tx, agent, at).await?;
    let pass =
        NewPass { id: run.clone(), agent: agent.clone(), started_at: at, instance: engine.instance.clone() };
    runs::begin(&mut tx, &pass).await?;
    failpoint!("record.begin");
    // Before the commit: whoever sees the row must be able to wait for it.
    engine.passes.begin(&run);
    if let Err(error) = tx.commit().await {
        engine.passes.end(&run);
        return Err(error);
    }
    failpoint!("record.began");
    engine.passes.remember_spelling(&agent);
    Ok(Tried::Done(Opening::New { run, agent }))
}

/// Takes the key for `run`; says what it stands for when it is taken.
async fn take_key(
    tx: &mut WriteTx,
    agent: &AgentName,
    key: &Key,
    run: &RunId,
    at: Timestamp,
) -> store::Result<Option<Tried>> {
    let Some(used) = idempotency::take(tx, agent, &key.text, &key.body_hash, run, at).await? else {
        return Ok(None);
    };
    let earlier = runs::find(tx, &used.run_id).await?;
    match earlier {
        Some(earlier) if !runs::is_interrupted(&earlier) => {
            if used.body_hash != key.body_hash {
                return Ok(Some(Tried::Done(Opening::OtherBody)));
            }
            if earlier.status == RUNNING {
                return Ok(Some(Tried::Running(earlier.id)));
            }
            let answer = answer_of(tx, earlier).await?;
            Ok(Some(Tried::Done(Opening::Replay(Box::new(answer)))))
        }
        // Interrupted, or forgotten: the key is free again.
        _ => {
            let to = (run, key.body_hash.as_str());
            let ours = idempotency::hand_over(tx, agent, &key.text, &used.run_id, to, at).await?;
            Ok((!ours).then_some(Tried::Running(used.run_id)))
        }
    }
}

async fn spell(
    engine: &Engine,
    tx: &mut WriteTx,
    agent: &AgentName,
    at: Timestamp,
) -> store::Result<AgentName> {
    match engine.passes.spelling(agent) {
        Some(name) => Ok(name),
        None => agents::first_spelling(tx, agent, at).await,
    }
}

/// The answer that a finished run gave.
async fn answer_of(tx: &mut ReadTx, run: Run) -> store::Result<HeartbeatAnswer> {
    let touched = reads::list_touched(tx, &run.reads).await?;
    let own = std::iter::once(run.touched.as_slice());
    let lists = touched.iter().map(|(_, urls)| urls.as_slice()).chain(own);
    let status = match run.status.as_str() {
        "ok" => PassStatus::Ok,
        "warning" => PassStatus::Warning,
        _ => PassStatus::Error,
    };
    let finished_at = run.finished_at.unwrap_or(run.started_at);
    Ok(HeartbeatAnswer {
        status,
        agent_name: run.agent,
        started_at: run.started_at,
        finished_at,
        summary: run.summary.unwrap_or_default(),
        warnings: run.warnings,
        errors: run.errors,
        touched_issue_urls: crate::domain::heartbeat::merge_touched(lists),
        run_id: Some(run.id),
        next_heartbeat_at: run.next_heartbeat_at.unwrap_or(finished_at),
        asked: run.asked.unwrap_or_default(),
    })
}

/// Closes the record and writes what the pass confirmed; false when the record is no longer this pass's.
pub async fn close(engine: &Engine, run: &RunId, end: &PassEnd) -> store::Result<bool> {
    let closed = close_in_one(engine, run, end).await;
    if closed.is_err() {
        engine.passes.leave_unfinished(run.clone());
    }
    engine.passes.end(run);
    closed
}

async fn close_in_one(engine: &Engine, run: &RunId, end: &PassEnd) -> store::Result<bool> {
    failpoint!("record.close");
    let mut tx = engine.db.write().await?;
    let confirmed = engine.confirmations.write(&mut tx).await?;
    let closed = runs::finish(&mut tx, run, end).await;
    let committed = match closed {
        Ok(closed) => tx.commit().await.map(|()| closed),
        Err(error) => Err(error),
    };
    if committed.is_err() {
        engine.confirmations.put_back(confirmed);
    }
    failpoint!("record.closed");
    committed
}
