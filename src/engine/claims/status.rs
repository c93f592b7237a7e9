//! The `status` verb: where an issue stands, in one label.

use super::{locked, lost, named_issue, release::Shown};
use crate::{
    domain::{
        access::{Caller, Tier},
        audit::{AuditAction, NewAudit},
        claim::Claim,
        ids::{AgentName, AuditId, IssueId},
        issue::Derived,
        labels::{Labels, Status, status_edits},
    },
    engine::{Engine, Error, Result, failpoint::failpoint, freshness, labels, publish},
    store::{WriteTx, audit, claims, issue_facts::IssueFacts, issues},
};

/// What is to be set by whom.
#[derive(Clone, Debug)]
pub struct StatusAsk {
    pub issue: IssueId,
    pub status: Status,
    /// Why, where the status is `blocked`.
    pub blocked_reason: Option<String>,
    /// Who is named as having set it.
    pub actor: String,
    /// The agent that a worker token acts for.
    pub worker: Option<AgentName>,
    /// The agent that the caller names as the one who works there.
    pub named: Option<AgentName>,
    pub shown: Option<Shown>,
}

/// Sets the status of an issue; any may follow any, and no claim ends by it.
pub async fn set_status(engine: &Engine, caller: &Caller, ask: &StatusAsk) -> Result<Derived> {
    let mut tx = engine.db.read_once().await?;
    let issue = named_issue(&mut tx, &ask.issue, None).await?;
    drop(tx);
    freshness::confirm(engine, &issue.repo).await?;
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    claims::lock_issue(&mut tx, &ask.issue).await?;
    let issue = named_issue(&mut tx, &ask.issue, None).await?;
    let live = claims::find_live(&mut tx, &ask.issue).await?;
    may_write(&mut tx, caller, ask, &issue, live.as_ref()).await?;
    issues::set_blocked_reason(&mut tx, &issue.id, ask.blocked_reason.as_deref()).await?;
    let derived = labels::edit(engine, &mut tx, &issue, &status_edits(&issue.labels, ask.status)).await?;
    let holder = live.as_ref().map(|live| live.agent.clone());
    let by = ask.worker.as_ref().or(ask.named.as_ref());
    if let Some(live) = live.filter(|live| by.is_some_and(|by| *by == live.agent))
        && let Some(claim) = locked(&mut tx, live).await?
    {
        // A holder that moves it along is alive.
        let progress = claims::Progress::of(&claim, now, now.plus(engine.settings.claims.ttl));
        claims::advance(&mut tx, &claim, &progress).await?;
    }
    let place = (&issue.repo, issue.number, &issue.id);
    let mut entry = NewAudit::issue(&ask.actor, Some(&caller.token), AuditAction::SetStatus, place)
        .labels(&issue.labels, &derived.labels);
    entry.notes.clone_from(&ask.blocked_reason);
    entry.agent = ask.worker.clone().or(holder);
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry).await?;
    tx.commit().await?;
    failpoint!("status.committed");
    publish::now(engine, &ask.issue).await;
    Ok(derived)
}

/// A late writer is refused; so is a worker on an issue that is not its agent's.
async fn may_write(
    tx: &mut WriteTx,
    caller: &Caller,
    ask: &StatusAsk,
    issue: &IssueFacts,
    live: Option<&Claim>,
) -> Result<()> {
    if let Some(shown) = &ask.shown
        && !live.is_some_and(|live| shown.means(live))
    {
        let found = shown.find(tx).await?;
        return Err(lost(shown, found.as_ref(), live));
    }
    let Some(worker) = ask.worker.as_ref().filter(|_| caller.tier != Tier::Maintainer) else { return Ok(()) };
    let is_own = match live {
        Some(live) => live.agent == *worker,
        None => Labels::shown(issue.state, &issue.labels).names(worker),
    };
    if is_own {
        return Ok(());
    }
    match claims::find_last_of(tx, &issue.id, worker).await? {
        Some(own) => Err(lost(&Shown::Claim(own.id.clone()), Some(&own), live)),
        None => Err(Error::Forbidden(format!(
            "Worker token is bound to agent \"{worker}\", and {}#{} is not that agent's; claim it first",
            issue.repo, issue.number
        ))),
    }
}
