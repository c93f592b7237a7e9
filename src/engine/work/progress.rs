//! The verbs `checkpoint` and `finish`: what became of an agent's work.

use super::{Ended, Ending, Writer, changed, conclude, own, record, worked};
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        claim::{Checkpoint, Claim, EndReason, Terms, WorkState},
    },
    engine::{Engine, Result, claims::remember, failpoint::failpoint, publish},
    store::{
        WriteTx,
        claims::{self, Progress},
    },
};

/// How far the work is.
#[derive(Clone, Debug)]
pub struct CheckpointAsk {
    pub writer: Writer,
    pub checkpoint: Checkpoint,
    pub summary: Option<String>,
    /// Why it cannot go on, where the checkpoint is `BLOCKED`.
    pub blocker: Option<String>,
    pub branch: Option<String>,
    pub pr_url: Option<String>,
}

/// Moves work on, renews it, and makes it leased: whoever reports by name can be relied on to renew. `DONE` ends it
/// as `finish` does.
pub async fn checkpoint(engine: &Engine, caller: &Caller, ask: &CheckpointAsk) -> Result<Claim> {
    let mut tx = engine.db.write().await?;
    let claim = own(&mut tx, caller, &ask.writer).await?;
    let now = engine.clock.now();
    let state = ask.checkpoint.leads_to(claim.state);
    let mut progress = Progress::of(&claim, now, now.plus(engine.settings.claims.ttl));
    progress.terms = Terms::Leased;
    progress.worked_at = Some(now);
    progress.checkpoint = ask.checkpoint;
    progress.summary = ask.summary.clone().or(progress.summary);
    progress.branch = ask.branch.clone().or(progress.branch);
    progress.pr_url = ask.pr_url.clone().or(progress.pr_url);
    if state.is_live() {
        progress.state = state;
        progress.blocker = if state == WorkState::Blocked { ask.blocker.clone() } else { None };
    }
    if !claims::advance(&mut tx, &claim, &progress).await? {
        return Err(changed());
    }
    let mut claim = progress.onto(claim);
    if state.is_live() {
        remember(engine, &mut tx, &claim, "checkpoint", now).await?;
    } else {
        claim = done(engine, &mut tx, &claim, "checkpoint", None).await?.claim;
    }
    let entry = worked(caller, &claim, AuditAction::AgentWorkCheckpoint).noting(ask.checkpoint.work_name());
    record(engine, &mut tx, &entry).await?;
    tx.commit().await?;
    failpoint!("checkpoint.committed");
    Ok(claim)
}

/// How the work ended, or where it stands.
#[derive(Clone, Debug)]
pub struct FinishAsk {
    pub writer: Writer,
    pub state: WorkState,
    pub summary: Option<String>,
}

/// Ends work as `DONE`, which leaves the labels of its issue, or as `RELEASED` or `STALE`, which give the issue back;
/// any other state is noted. Finishing the same claim again in the same way changes nothing.
pub async fn finish(engine: &Engine, caller: &Caller, ask: &FinishAsk) -> Result<Claim> {
    let mut tx = engine.db.write().await?;
    if let Some(finished) = finished_before(&mut tx, ask).await? {
        return Ok(finished);
    }
    let claim = own(&mut tx, caller, &ask.writer).await?;
    let now = engine.clock.now();
    let summary = ask.summary.as_deref();
    let (claim, freed) = match ask.state {
        WorkState::Done => (done(engine, &mut tx, &claim, "finish", summary).await?.claim, None),
        state @ (WorkState::Released | WorkState::Stale) => {
            let ending = Ending::given_back(&claim, EndReason::Released, "finish");
            let ended = conclude(engine, &mut tx, &claim, Ending { state, summary, ..ending }).await?;
            if ended.issue.is_some() {
                let entry = ended.entry(claim.agent.as_str(), caller, AuditAction::UnclaimIssue);
                record(engine, &mut tx, &entry).await?;
            }
            let freed = ended.issue_id();
            (ended.claim, freed)
        }
        state @ (WorkState::Claimed | WorkState::InProgress | WorkState::Blocked) => {
            let mut progress = Progress::of(&claim, now, now.plus(engine.settings.claims.ttl));
            progress.state = state;
            if state != WorkState::Blocked {
                progress.blocker = None;
            }
            progress.worked_at = Some(now);
            progress.summary = ask.summary.clone().or(progress.summary);
            if !claims::advance(&mut tx, &claim, &progress).await? {
                return Err(changed());
            }
            let claim = progress.onto(claim);
            remember(engine, &mut tx, &claim, "finish", now).await?;
            (claim, None)
        }
    };
    let entry = worked(caller, &claim, AuditAction::AgentWorkFinished).noting(claim.state.as_str());
    record(engine, &mut tx, &entry).await?;
    tx.commit().await?;
    failpoint!("finish.committed");
    if let Some(issue) = freed {
        publish::now(engine, &issue).await;
    }
    Ok(claim)
}

/// An answer may get lost on its way: who shows the claim that it finished just so is told again.
async fn finished_before(tx: &mut WriteTx, ask: &FinishAsk) -> Result<Option<Claim>> {
    let Some(shown) = &ask.writer.shown else { return Ok(None) };
    let found = shown.find(tx).await?;
    Ok(found.filter(|claim| {
        let by_itself = matches!(claim.end_reason, Some(EndReason::Finished | EndReason::Released));
        by_itself && claim.agent == ask.writer.agent && shown.means(claim) && claim.state == ask.state
    }))
}

/// It is done; what its issue's labels say is for whoever did it.
async fn done(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    action: &str,
    summary: Option<&str>,
) -> Result<Ended> {
    let (reason, state, checkpoint) = (EndReason::Finished, WorkState::Done, Checkpoint::WorkComplete);
    let ending = Ending { reason, state, checkpoint, action, summary, note: None, gives_back: false };
    conclude(engine, tx, claim, ending).await
}
