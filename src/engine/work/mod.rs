//! Work: the words of `agent-work` for claims (`design.md` section 3, "The two vocabularies"). A row is one attempt of
//! one agent; with an issue it is the issue's claim, without one it stands outside the rule of one live claim.

mod operate;
mod progress;
mod start;

pub use operate::{Reassign, Release, Released, reassign, release};
pub use progress::{CheckpointAsk, FinishAsk, checkpoint, finish};
pub use start::{StartAsk, start};

use super::{
    Engine, Error, Result,
    claims::{Shown, lost, remember},
    labels,
};
use crate::{
    domain::{
        access::{Caller, Tier},
        audit::{AuditAction, NewAudit},
        claim::{Checkpoint, Claim, EndReason, WorkState},
        ids::{AgentName, AuditId, IssueId},
        labels::recovery_edits,
    },
    store::{
        WriteTx, audit,
        claims::{self, End},
        issue_facts::{self, IssueFacts},
        work,
    },
};

/// Who reports on work, and on which.
#[derive(Clone, Debug)]
pub struct Writer {
    pub agent: AgentName,
    /// The claim that is meant; without it, what the agent works on.
    pub shown: Option<Shown>,
}

/// The live claim that a writer means, locked. A late writer is refused.
async fn own(tx: &mut WriteTx, caller: &Caller, writer: &Writer) -> Result<Claim> {
    // What is found may end before it is locked; then another row is meant, or none.
    for _ in 0..3 {
        let found = match &writer.shown {
            Some(shown) => find_shown(tx, writer, shown).await?,
            None => match work::find_current(tx, &writer.agent).await? {
                Some(claim) => claim,
                None => return Err(nothing(tx, caller, writer).await?),
            },
        };
        if let Some(claim) = locked(tx, found).await?.filter(|claim| claim.ended_at.is_none()) {
            return Ok(claim);
        }
    }
    Err(changed())
}

async fn find_shown(tx: &mut WriteTx, writer: &Writer, shown: &Shown) -> Result<Claim> {
    let found = shown.find(tx).await?;
    let holder = match found.as_ref().and_then(|claim| claim.issue.as_ref()) {
        Some(issue) => claims::find_live(tx, issue).await?,
        None => None,
    };
    match found {
        Some(claim) if claim.ended_at.is_none() && claim.agent == writer.agent && shown.means(&claim) => {
            Ok(claim)
        }
        found => Err(lost(shown, found.as_ref(), holder.as_ref())),
    }
}

/// Why there is nothing to report on: a worker learns when its work was taken from it.
async fn nothing(tx: &mut WriteTx, caller: &Caller, writer: &Writer) -> Result<Error> {
    if caller.tier != Tier::Maintainer
        && let Some(ended) = work::find_ended_last(tx, &writer.agent).await?
        && ended.end_reason.is_some_and(EndReason::is_loss)
    {
        let holder = match &ended.issue {
            Some(issue) => claims::find_live(tx, issue).await?,
            None => None,
        };
        return Ok(lost(&Shown::Claim(ended.id.clone()), Some(&ended), holder.as_ref()));
    }
    Ok(Error::NotFound("No active work found for agent".to_owned()))
}

/// A claim as it is once nobody else can change it or its issue.
async fn locked(tx: &mut WriteTx, claim: Claim) -> Result<Option<Claim>> {
    if let Some(issue) = &claim.issue {
        claims::lock_issue(tx, issue).await?;
    }
    work::lock(tx, &claim.id).await?;
    Ok(claims::find(tx, &claim.id).await?)
}

fn changed() -> Error {
    Error::Busy("the claim changed meanwhile; try again".to_owned())
}

/// How work ends.
#[derive(Clone, Copy, Debug)]
struct Ending<'a> {
    reason: EndReason,
    state: WorkState,
    checkpoint: Checkpoint,
    /// How its history names it.
    action: &'a str,
    summary: Option<&'a str>,
    /// What its history says instead of the summary.
    note: Option<&'a str>,
    /// Does the issue lose the agent's label, and become ready if it was in progress?
    gives_back: bool,
}

impl<'a> Ending<'a> {
    /// The holder has it no more, and the issue is free.
    const fn given_back(claim: &Claim, reason: EndReason, action: &'a str) -> Self {
        let state = WorkState::Released;
        Self {
            reason,
            state,
            checkpoint: claim.checkpoint,
            action,
            summary: None,
            note: None,
            gives_back: true,
        }
    }
}

/// What ended, and what became of its issue.
struct Ended {
    claim: Claim,
    issue: Option<IssueFacts>,
    /// The labels of the issue now.
    labels: Vec<String>,
}

impl Ended {
    /// A row of the audit log about it.
    fn entry(&self, actor: &str, caller: &Caller, action: AuditAction) -> NewAudit {
        let entry = match &self.issue {
            Some(issue) => {
                NewAudit::issue(actor, Some(&caller.token), action, (&issue.repo, issue.number, &issue.id))
                    .labels(&issue.labels, &self.labels)
            }
            None => NewAudit::whole(actor, Some(&caller.token), action, ""),
        };
        entry.of_agent(&self.claim.agent)
    }

    fn issue_id(&self) -> Option<IssueId> {
        self.claim.issue.clone()
    }
}

/// Ends a live claim that is locked with its issue.
async fn conclude(engine: &Engine, tx: &mut WriteTx, claim: &Claim, ending: Ending<'_>) -> Result<Ended> {
    let at = engine.clock.now();
    let Ending { reason, state, checkpoint, summary, .. } = ending;
    if !claims::end(tx, claim, End { reason, state, checkpoint, summary, at }).await? {
        return Err(changed());
    }
    let ended = Claim {
        state,
        checkpoint,
        summary: summary.map(str::to_owned).or_else(|| claim.summary.clone()),
        ended_at: Some(at),
        end_reason: Some(reason),
        ..claim.clone()
    };
    let noted = ending.note.map(str::to_owned).or_else(|| ended.summary.clone());
    remember(engine, tx, &Claim { summary: noted, ..ended.clone() }, ending.action, at).await?;
    let issue = match &claim.issue {
        Some(issue) => issue_facts::find(tx, issue).await?,
        None => None,
    };
    let mut labels = Vec::new();
    if let Some(issue) = &issue {
        let edits = if ending.gives_back {
            recovery_edits(&issue.labels, issue.status, &claim.agent)
        } else {
            Vec::new()
        };
        // Without edits too: whose the issue is may have hung on the claim.
        labels = labels::edit(engine, tx, issue, &edits).await?.labels;
    }
    Ok(Ended { claim: ended, issue, labels })
}

async fn record(engine: &Engine, tx: &mut WriteTx, entry: &NewAudit) -> Result<()> {
    Ok(audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), entry).await?)
}

/// What an agent did with its work; the contract leaves the repository of such rows empty.
fn worked(caller: &Caller, claim: &Claim, action: AuditAction) -> NewAudit {
    let entry = NewAudit::whole(claim.agent.as_str(), Some(&caller.token), action, "");
    NewAudit { issue_id: claim.issue.clone(), ..entry }.of_agent(&claim.agent)
}
