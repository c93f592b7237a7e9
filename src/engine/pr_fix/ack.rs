//! The `ack` verb: an agent says that it has begun what it was handed.

use super::{Change, Shown, record, show_one, write};
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        ids::{AgentName, IssueNumber},
        pr_fix::{FixStatus, Generation, Hold},
        repo::RepoName,
    },
    engine::{Engine, Error, Result},
    store::{pr_fix, pr_fix_notes as notes},
};

/// What becomes of an acknowledgement.
#[derive(Debug)]
pub enum Acked {
    Acknowledged(Box<Shown>),
    Already,
    Refused(Refusal),
}

/// Why it comes to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    GenerationMismatch,
    NotQueued,
    /// The attempt was never handed out.
    NotStamped,
    /// It was handed to others.
    NotHanded,
}

/// Notes that the agent has begun: a sweep leaves the attempt to it.
pub async fn ack(
    engine: &Engine,
    caller: &Caller,
    (repo, pr): (&RepoName, IssueNumber),
    generation: Generation,
    agent: &AgentName,
) -> Result<Acked> {
    let mut tx = engine.db.write().await?;
    let repo = pr_fix::present_name(&mut tx, repo).await?;
    let before = pr_fix::lock(&mut tx, &repo, pr).await?;
    let before = before.ok_or_else(|| Error::NotFound("pr-fix item not found".to_owned()))?;
    if before.generation != generation {
        return Ok(Acked::Refused(Refusal::GenerationMismatch));
    }
    if before.status != FixStatus::Queued {
        return Ok(Acked::Refused(Refusal::NotQueued));
    }
    if !before.is_dispatched() {
        return Ok(Acked::Refused(Refusal::NotStamped));
    }
    let Some(handout) = notes::find_handout(&mut tx, &before, agent).await? else {
        return Ok(Acked::Refused(Refusal::NotHanded));
    };
    let now = engine.clock.now();
    let mut item = before.clone();
    if let Some(hold) = item.hold.as_mut().filter(|hold| hold.agent == *agent) {
        let until = now.plus(engine.settings.pr_fix.handout).max(hold.until);
        *hold = Hold { agent: hold.agent.clone(), until };
    }
    write(engine, &mut tx, &before, &mut item).await?;
    if handout.acked_at.is_some() {
        tx.commit().await?;
        return Ok(Acked::Already);
    }
    notes::acknowledge(&mut tx, &item, agent, now).await?;
    let note = format!("{agent} began");
    let change = Change::by(caller, "ack", AuditAction::PrFixAck).noting(Some(&note));
    record(engine, &mut tx, Some(&before), &item, &change).await?;
    let shown = show_one(&mut tx, item).await?;
    tx.commit().await?;
    Ok(Acked::Acknowledged(Box::new(shown)))
}
