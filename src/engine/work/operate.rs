//! The operator's verbs: work is taken from an agent, or given to another.

use super::{Ended, Ending, changed, conclude, locked, record};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        claim::{Claim, EndReason, Terms, WorkState},
        ids::{AgentName, ClaimId, IssueId},
        labels::assign_edits,
    },
    engine::{
        Engine, Error, Result,
        claims::{may_be_claimed, named_issue, remember},
        failpoint::failpoint,
        labels, publish,
    },
    store::{WriteTx, agents, claims, work},
};

/// What is to be released.
#[derive(Clone, Debug)]
pub enum Release {
    /// Work, a lease, or both; each is a claim by its id.
    Named { work: Option<ClaimId>, lease: Option<ClaimId> },
    /// What an agent has, on one issue or altogether.
    OfAgent { agent: AgentName, issue: Option<IssueId> },
}

/// What was released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Claims of issues.
    pub leases: u64,
    /// Claims that `agent-work` was told of.
    pub work: u64,
}

/// Takes work from its agents; its issues are free again.
pub async fn release(engine: &Engine, caller: &Caller, what: &Release, reason: &str) -> Result<Released> {
    let mut tx = engine.db.write().await?;
    let mut freed = Vec::new();
    let released = match what {
        Release::Named { work, lease } => {
            if let Some(id) = work {
                freed.extend(release_work(engine, &mut tx, caller, id, reason).await?);
            }
            if let Some(id) = lease.as_ref().filter(|lease| work.as_ref() != Some(lease)) {
                freed.extend(release_lease(engine, &mut tx, caller, id, reason).await?);
            }
            Released::default()
        }
        Release::OfAgent { agent, issue } => {
            release_all(engine, &mut tx, caller, (agent, issue.as_ref(), reason), &mut freed).await?
        }
    };
    tx.commit().await?;
    failpoint!("release.committed");
    for issue in &freed {
        publish::now(engine, issue).await;
    }
    Ok(released)
}

async fn release_work(
    engine: &Engine,
    tx: &mut WriteTx,
    caller: &Caller,
    id: &ClaimId,
    reason: &str,
) -> Result<Option<IssueId>> {
    let claim = find_work(tx, id).await?;
    if claim.ended_at.is_none() {
        let ended = withdraw(engine, tx, &claim, "released", reason).await?;
        record(engine, tx, &entry(caller, &ended, AuditAction::AgentWorkReleased, reason)).await?;
        return Ok(ended.issue_id());
    }
    // It went stale, and its issue was freed then; now it leaves the list.
    if !work::put_away(tx, id).await? {
        let rule = "Work is already completed or released".to_owned();
        return Err(Error::Invalid { field: "workId", rule });
    }
    let now = engine.clock.now();
    let seen_to = Claim { state: WorkState::Released, summary: Some(reason.to_owned()), ..claim };
    remember(engine, tx, &seen_to, "released", now).await?;
    let entry = NewAudit::whole(caller.actor(), Some(&caller.token), AuditAction::AgentWorkReleased, "");
    let entry = NewAudit { issue_id: seen_to.issue, ..entry }.of_agent(&seen_to.agent);
    record(engine, tx, &entry.noting(reason)).await?;
    Ok(None)
}

async fn release_lease(
    engine: &Engine,
    tx: &mut WriteTx,
    caller: &Caller,
    id: &ClaimId,
    reason: &str,
) -> Result<Option<IssueId>> {
    let found = match claims::find(tx, id).await? {
        Some(claim) => locked(tx, claim).await?,
        None => None,
    };
    let Some(claim) = found.filter(|claim| claim.ended_at.is_none()) else {
        return Err(Error::NotFound("Lease not found".to_owned()));
    };
    let ended = withdraw(engine, tx, &claim, "released", reason).await?;
    record(engine, tx, &entry(caller, &ended, AuditAction::LeaseReleased, reason)).await?;
    Ok(ended.issue_id())
}

async fn release_all(
    engine: &Engine,
    tx: &mut WriteTx,
    caller: &Caller,
    (agent, issue, reason): (&AgentName, Option<&IssueId>, &str),
    freed: &mut Vec<IssueId>,
) -> Result<Released> {
    let found = work::list_live(tx, agent, false, issue).await?;
    let mut issues: Vec<IssueId> = found.iter().filter_map(|claim| claim.issue.clone()).collect();
    issues.sort_unstable();
    claims::lock_issues(tx, &issues).await?;
    work::lock_of(tx, agent).await?;
    let mut released = Released::default();
    for claim in found {
        let Some(claim) = claims::find(tx, &claim.id).await?.filter(|claim| claim.ended_at.is_none()) else {
            continue;
        };
        let ended = withdraw(engine, tx, &claim, EndReason::Withdrawn.action(), reason).await?;
        record(engine, tx, &entry(caller, &ended, AuditAction::OrphanWorkReleased, reason)).await?;
        released.leases += u64::from(claim.issue.is_some());
        released.work += u64::from(claim.worked_at.is_some());
        freed.extend(ended.issue_id());
    }
    Ok(released)
}

/// Ends a claim by an operator's word, which its history keeps.
async fn withdraw(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    action: &str,
    reason: &str,
) -> Result<Ended> {
    let ending = Ending::given_back(claim, EndReason::Withdrawn, action);
    conclude(engine, tx, claim, Ending { note: Some(reason), ..ending }).await
}

fn entry(caller: &Caller, ended: &Ended, action: AuditAction, reason: &str) -> NewAudit {
    ended.entry(caller.actor(), caller, action).noting(format!("{} held it: {reason}", ended.claim.agent))
}

async fn find_work(tx: &mut WriteTx, id: &ClaimId) -> Result<Claim> {
    let found = match claims::find(tx, id).await? {
        Some(claim) => locked(tx, claim).await?,
        None => None,
    };
    found.ok_or_else(|| Error::NotFound("Work item not found".to_owned()))
}

/// Whose the work is to be.
#[derive(Clone, Debug)]
pub struct Reassign {
    pub work: ClaimId,
    pub to: AgentName,
    pub reason: String,
}

/// Gives work to another agent, as a new attempt: a row of its own with a new fence, so that whoever shows the old
/// claim is refused on every path. The old row ends as `reassigned` and keeps its history; the agent's label moves, and what
/// the work had come to goes with it.
pub async fn reassign(engine: &Engine, caller: &Caller, ask: &Reassign) -> Result<Claim> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let to = agents::first_spelling(&mut tx, &ask.to, now).await?;
    let found = claims::find(&mut tx, &ask.work).await?;
    let found = found.ok_or_else(|| Error::NotFound("Work item not found".to_owned()))?;
    let others = work::list_live(&mut tx, &to, true, None).await?;
    let issues = others.iter().filter_map(|other| other.issue.clone());
    let mut issues: Vec<IssueId> = found.issue.clone().into_iter().chain(issues).collect();
    issues.sort_unstable();
    issues.dedup();
    claims::lock_issues(&mut tx, &issues).await?;
    work::lock_of(&mut tx, &to).await?;
    let old = find_work(&mut tx, &ask.work).await?;
    let mut freed = Vec::new();
    for other in others.into_iter().filter(|other| other.id != old.id) {
        let Some(other) = locked(&mut tx, other).await?.filter(|other| other.ended_at.is_none()) else {
            continue;
        };
        let ending = Ending::given_back(&other, EndReason::Superseded, "released_by_reassignment");
        let ended = conclude(engine, &mut tx, &other, ending).await?;
        record(engine, &mut tx, &entry(caller, &ended, AuditAction::AgentWorkReleased, &ask.reason)).await?;
        freed.extend(ended.issue_id());
    }
    take_from(engine, &mut tx, &old).await?;
    let work = give(engine, &mut tx, &old, &to).await?;
    let entry = moved(engine, &mut tx, caller, &old, &work, &ask.reason).await?;
    record(engine, &mut tx, &entry).await?;
    tx.commit().await?;
    failpoint!("reassign.committed");
    for issue in work.issue.iter().chain(&freed) {
        publish::now(engine, issue).await;
    }
    Ok(work)
}

/// The old attempt ends; what went stale has ended, and may be given out again if its issue is free.
async fn take_from(engine: &Engine, tx: &mut WriteTx, old: &Claim) -> Result<()> {
    if old.ended_at.is_none() {
        let ending = Ending::given_back(old, EndReason::Reassigned, EndReason::Reassigned.action());
        conclude(engine, tx, old, Ending { gives_back: false, ..ending }).await?;
        return Ok(());
    }
    if old.state != WorkState::Stale {
        let rule = "Work is already completed or released".to_owned();
        return Err(Error::Invalid { field: "workId", rule });
    }
    let Some(issue) = &old.issue else { return Ok(()) };
    may_be_claimed(&named_issue(tx, issue, None).await?)?;
    match claims::find_live(tx, issue).await? {
        Some(held) => Err(Error::Held {
            message: format!("Issue is held by {}; reassign that work", held.agent),
            holder: held.agent.to_string(),
        }),
        None => Ok(()),
    }
}

/// The new attempt; its agent did not ask for a lease, so it is held until that agent renews it by name.
async fn give(engine: &Engine, tx: &mut WriteTx, old: &Claim, to: &AgentName) -> Result<Claim> {
    let now = engine.clock.now();
    let work = Claim {
        id: ClaimId(engine.ids.next()),
        fence: claims::next_fence(tx, now).await?,
        agent: to.clone(),
        terms: Terms::Held,
        state: WorkState::Claimed,
        started: false,
        worked_at: Some(now),
        created_at: now,
        renewed_at: now,
        expires_at: now.plus(engine.settings.claims.ttl),
        ended_at: None,
        end_reason: None,
        ..old.clone()
    };
    if !claims::insert(tx, &work).await? {
        return Err(changed());
    }
    remember(engine, tx, &work, EndReason::Reassigned.action(), now).await?;
    Ok(work)
}

/// Moves the agent's label, and tells of it.
async fn moved(
    engine: &Engine,
    tx: &mut WriteTx,
    caller: &Caller,
    old: &Claim,
    work: &Claim,
    reason: &str,
) -> Result<NewAudit> {
    let action = AuditAction::AgentWorkReassigned;
    let notes = format!("from {} to {}, claim {} to {}: {reason}", old.agent, work.agent, old.id, work.id);
    let Some(issue) = &work.issue else {
        return Ok(NewAudit::whole(caller.actor(), Some(&caller.token), action, "")
            .of_agent(&work.agent)
            .noting(notes));
    };
    let facts = named_issue(tx, issue, None).await?;
    let after = labels::edit(engine, tx, &facts, &assign_edits(&facts.labels, &work.agent)).await?;
    let entry =
        NewAudit::issue(caller.actor(), Some(&caller.token), action, (&facts.repo, facts.number, &facts.id));
    Ok(entry.of_agent(&work.agent).labels(&facts.labels, &after.labels).noting(notes))
}
