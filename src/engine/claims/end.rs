//! How claims end without their holder: GitHub's word, the clock, an operator who stops tracking.

use crate::{
    domain::{
        audit::{AuditAction, NewAudit, SYSTEM},
        claim::{Claim, EndReason, WorkState},
        ids::{AuditId, IssueId, RepoId, TokenId},
        issue::{Derived, IssueState},
        labels::{Labels, Status, recovery_edits},
        repo::RepoName,
    },
    engine::{Engine, claims::remember, labels, outbox},
    store::{
        self, WriteTx, audit, claims,
        issue_facts::{self, IssueFacts},
        work,
    },
};

/// Does what GitHub shows end this claim? Our own writes that come back do not: before and after are the same then. A
/// label that GitHub never took was removed by nobody.
pub fn verdict_of_github(
    claim: &Claim,
    before: &[String],
    state: IssueState,
    now: &Derived,
) -> Option<EndReason> {
    let done =
        |labels: &[String]| labels.iter().any(|label| label.eq_ignore_ascii_case(Status::Done.label()));
    // It may have been done here before it was closed there.
    if state == IssueState::Closed || done(&now.labels) && !done(before) {
        return Some(EndReason::IssueEnded);
    }
    if now.names(&claim.agent) {
        return None;
    }
    let was_named = Labels::shown(state, before).names(&claim.agent);
    let is_anothers = Labels::shown(state, &now.labels).agent().is_some();
    (was_named || is_anothers).then_some(EndReason::Revoked)
}

/// Ends a claim against which GitHub spoke.
pub async fn end_by_github(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    reason: EndReason,
) -> store::Result<bool> {
    let action = match reason {
        EndReason::Revoked => AuditAction::ClaimRevoked,
        _ => AuditAction::ClaimEnded,
    };
    if !end(engine, tx, claim, reason, WorkState::Released).await? {
        return Ok(false);
    }
    let issue = match &claim.issue {
        Some(id) => issue_facts::find(tx, id).await?,
        None => None,
    };
    if let Some(issue) = issue {
        // Whose it is may have hung on the claim.
        let derived = labels::edit(engine, tx, &issue, &[]).await?;
        record(engine, tx, claim, &issue, action, &derived).await?;
    }
    Ok(true)
}

/// An operator changed the labels of an issue: what would end the claim on GitHub's word ends it now. False where none
/// ended.
pub async fn end_by_operator(
    engine: &Engine,
    tx: &mut WriteTx,
    (actor, token): (&str, &TokenId),
    issue: &IssueFacts,
    after: &Derived,
) -> store::Result<bool> {
    let Some(claim) = claims::find_live(tx, &issue.id).await? else { return Ok(false) };
    let (reason, action) = match verdict_of_github(&claim, &issue.labels, issue.state, after) {
        Some(EndReason::Revoked) if Labels::shown(issue.state, &issue.labels).names(&claim.agent) => {
            (EndReason::Withdrawn, AuditAction::LeaseReleased)
        }
        Some(EndReason::IssueEnded) => (EndReason::IssueEnded, AuditAction::ClaimEnded),
        _ => return Ok(false),
    };
    if !end(engine, tx, &claim, reason, WorkState::Released).await? {
        return Ok(false);
    }
    let entry = NewAudit::issue(actor, Some(token), action, (&issue.repo, issue.number, &issue.id))
        .of_agent(&claim.agent)
        .labels(&issue.labels, &after.labels)
        .noting(format!("{} held it since {}", claim.agent, claim.created_at));
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    Ok(true)
}

/// The issue is deleted or transferred: so is the work on it, and nothing is written to it any more. The issue must be
/// locked.
pub async fn issue_is_gone(engine: &Engine, tx: &mut WriteTx, issue: &IssueId) -> store::Result<()> {
    outbox::park_gone(engine, tx, issue).await?;
    let Some(claim) = claims::find_live(tx, issue).await? else { return Ok(()) };
    if end(engine, tx, &claim, EndReason::IssueEnded, WorkState::Released).await? {
        let entry = NewAudit::whole(SYSTEM, None, AuditAction::ClaimEnded, "unknown");
        let entry = NewAudit { issue_id: Some(issue.clone()), ..entry }.of_agent(&claim.agent);
        let entry = entry.noting(format!("{} held the issue, which is not at GitHub any more", claim.agent));
        audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    }
    Ok(())
}

/// A repository is tracked no more: claims on its issues end, and nothing is written there any more.
pub async fn repo_is_gone(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &RepoId,
    name: &RepoName,
) -> store::Result<u64> {
    let mut ended = 0;
    let live = claims::list_live_in(tx, repo).await?;
    let ids: Vec<_> = live.iter().map(|claim| claim.id.clone()).collect();
    work::lock_all(tx, &ids).await?;
    for claim in live {
        if end(engine, tx, &claim, EndReason::Untracked, WorkState::Released).await? {
            let entry = NewAudit::whole(SYSTEM, None, AuditAction::ClaimEnded, name.as_str());
            let entry = NewAudit { issue_id: claim.issue, ..entry }.of_agent(&claim.agent);
            let entry =
                entry.noting(format!("{} held the issue; the repository is tracked no more", claim.agent));
            audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
            ended += 1;
        }
    }
    outbox::park_repo(engine, tx, repo).await?;
    Ok(ended)
}

/// Takes an issue back from a claim that ran out (or was taken by force): database first, GitHub by the outbox.
/// False when the claim was renewed or ended meanwhile.
pub async fn take_back(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    issue: &IssueFacts,
    reason: EndReason,
) -> store::Result<bool> {
    if !end(engine, tx, claim, reason, WorkState::Stale).await? {
        return Ok(false);
    }
    let edits = recovery_edits(&issue.labels, issue.status, &claim.agent);
    let derived = labels::edit(engine, tx, issue, &edits).await?;
    record(engine, tx, claim, issue, AuditAction::StaleAgentworkReleased, &derived).await?;
    Ok(true)
}

/// Ends work without an issue that ran out.
pub async fn expire(engine: &Engine, tx: &mut WriteTx, claim: &Claim) -> store::Result<bool> {
    if !end(engine, tx, claim, EndReason::Expired, WorkState::Stale).await? {
        return Ok(false);
    }
    let entry = NewAudit::whole(SYSTEM, None, AuditAction::StaleAgentworkReleased, "");
    let entry =
        entry.of_agent(&claim.agent).noting(format!("{} worked since {}", claim.agent, claim.created_at));
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    Ok(true)
}

/// Ends a claim and says so in its history; false when it changed since the caller read it.
pub(super) async fn end(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    reason: EndReason,
    state: WorkState,
) -> store::Result<bool> {
    let at = engine.clock.now();
    let how = claims::End { reason, state, checkpoint: claim.checkpoint, summary: None, at };
    if !claims::end(tx, claim, how).await? {
        return Ok(false);
    }
    let ended = Claim { state, ended_at: Some(at), end_reason: Some(reason), ..claim.clone() };
    remember(engine, tx, &ended, reason.action(), at).await?;
    Ok(true)
}

async fn record(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    issue: &IssueFacts,
    action: AuditAction,
    after: &Derived,
) -> store::Result<()> {
    let entry = NewAudit::issue(SYSTEM, None, action, (&issue.repo, issue.number, &issue.id))
        .of_agent(&claim.agent)
        .labels(&issue.labels, &after.labels)
        .noting(format!("{} held it since {}", claim.agent, claim.created_at));
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await
}
