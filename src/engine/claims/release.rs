//! The `unclaim` verb: an issue is nobody's again.

use std::fmt;

use super::{lost, named_issue, remember};
use crate::{
    domain::{
        access::{Caller, Tier},
        audit::{AuditAction, NewAudit},
        claim::{Claim, EndReason, Fence, WorkState},
        ids::{AgentName, AuditId, ClaimId, IssueId, IssueNumber},
        issue::IssueState,
        labels::{LabelEdit, Labels, Status, agent_label, status_edits},
    },
    engine::{Engine, Error, Result, failpoint::failpoint, freshness, labels, publish},
    store::{self, ReadTx, WriteTx, audit, claims, issue_facts::IssueFacts},
};

/// Who gives what up.
#[derive(Clone, Debug)]
pub struct UnclaimAsk {
    pub issue: IssueId,
    pub repo: String,
    pub number: IssueNumber,
    pub agent: AgentName,
    /// The claim that the caller means; a late one is refused.
    pub shown: Option<Shown>,
}

/// What a writer shows to prove that it is not late: a claim, a fence, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    Claim(ClaimId),
    Fence(Fence),
    Both(ClaimId, Fence),
}

impl Shown {
    /// Is it this claim?
    pub fn means(&self, claim: &Claim) -> bool {
        match self {
            Self::Claim(id) => *id == claim.id,
            Self::Fence(fence) => *fence == claim.fence,
            Self::Both(id, fence) => *id == claim.id && *fence == claim.fence,
        }
    }

    /// The claim that is meant, live or ended.
    pub async fn find(&self, tx: &mut ReadTx) -> store::Result<Option<Claim>> {
        match self {
            Self::Claim(id) | Self::Both(id, _) => claims::find(tx, id).await,
            Self::Fence(fence) => claims::find_fenced(tx, *fence).await,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(id) | Self::Both(id, _) => write!(f, "claim {id}"),
            Self::Fence(fence) => write!(f, "the claim with fence {}", fence.0),
        }
    }
}

/// What a release came to.
#[derive(Clone, Debug)]
pub struct Unclaimed {
    pub labels: Vec<String>,
    pub status: Option<Status>,
    /// Why the status is what it is, where that may surprise.
    pub note: Option<&'static str>,
}

/// Gives an issue up for an agent.
pub async fn unclaim(engine: &Engine, caller: &Caller, ask: &UnclaimAsk) -> Result<Unclaimed> {
    let arrival = engine.clock.now();
    let mut tx = engine.db.read_once().await?;
    let issue = named_issue(&mut tx, &ask.issue, Some((&ask.repo, ask.number))).await?;
    drop(tx);
    // What a person changed on GitHub meanwhile is not undone.
    freshness::look(engine, &issue.repo, arrival).await?;
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    claims::lock_issue(&mut tx, &ask.issue).await?;
    let issue = named_issue(&mut tx, &ask.issue, Some((&ask.repo, ask.number))).await?;
    may_be_released(&issue)?;
    let live = claims::find_live(&mut tx, &ask.issue).await?;
    let is_anothers = live.as_ref().is_some_and(|live| live.agent != ask.agent);
    let claim = find_own(&mut tx, caller, ask, &issue, live).await?;
    let by_operator = caller.tier == Tier::Maintainer
        && caller.named.as_ref().is_some_and(|name| !name.eq_ignore_ascii_case(ask.agent.as_str()));
    if let Some(claim) = &claim {
        let how = claims::End {
            reason: EndReason::Released,
            state: WorkState::Released,
            checkpoint: claim.checkpoint,
            summary: None,
            at: now,
        };
        if !claims::end(&mut tx, claim, how).await? {
            return Err(Error::Busy("the claim changed meanwhile; try again".to_owned()));
        }
        let ended = Claim { state: WorkState::Released, ended_at: Some(now), ..claim.clone() };
        let action = if by_operator { "released_by_operator" } else { "released" };
        remember(engine, &mut tx, &ended, action, now).await?;
    }
    // Of who works on it the status goes on telling.
    let (resting, note) = if is_anothers { (None, None) } else { resting_status(&issue) };
    let mut edits = resting.map_or_else(Vec::new, |status| status_edits(&issue.labels, status));
    edits.push(LabelEdit::remove(agent_label(&ask.agent)));
    let derived = labels::edit(engine, &mut tx, &issue, &edits).await?;
    let action = if by_operator { AuditAction::UnclaimIssueByOperator } else { AuditAction::UnclaimIssue };
    let actor = if by_operator { caller.actor() } else { ask.agent.as_str() };
    let entry = NewAudit::issue(actor, Some(&caller.token), action, (&issue.repo, issue.number, &issue.id))
        .of_agent(&ask.agent)
        .labels(&issue.labels, &derived.labels);
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry).await?;
    tx.commit().await?;
    failpoint!("unclaim.committed");
    publish::now(engine, &ask.issue).await;
    Ok(Unclaimed { labels: derived.labels, status: derived.status, note })
}

fn may_be_released(issue: &IssueFacts) -> Result<()> {
    let refuse = |rule: &str| Err(Error::Invalid { field: "issueId", rule: rule.to_owned() });
    if issue.state == IssueState::Closed {
        return refuse("Cannot unclaim a closed issue");
    }
    if issue.labels.iter().any(|label| label.eq_ignore_ascii_case(Status::Done.label())) {
        return refuse("Cannot unclaim a done issue");
    }
    Ok(())
}

/// The live claim that is to end; none where only a label says whose the issue is.
async fn find_own(
    tx: &mut WriteTx,
    caller: &Caller,
    ask: &UnclaimAsk,
    issue: &IssueFacts,
    live: Option<Claim>,
) -> Result<Option<Claim>> {
    if let Some(shown) = &ask.shown
        && !live.as_ref().is_some_and(|live| shown.means(live))
    {
        let found = shown.find(tx).await?;
        return Err(lost(shown, found.as_ref(), live.as_ref()));
    }
    match live {
        Some(live) if live.agent == ask.agent => return Ok(Some(live)),
        Some(live) if caller.tier != Tier::Maintainer => {
            if let Some(own) = claims::find_last_of(tx, &ask.issue, &ask.agent).await? {
                return Err(lost(&Shown::Claim(own.id.clone()), Some(&own), Some(&live)));
            }
        }
        _ => {}
    }
    let shown = Labels::shown(issue.state, &issue.labels);
    if shown.agent().is_some_and(|agent| agent.eq_ignore_ascii_case(ask.agent.as_str())) {
        return Ok(None);
    }
    let rule = format!("Issue is not assigned to {}", ask.agent);
    Err(Error::Invalid { field: "agentName", rule })
}

/// What an issue becomes that nobody works on any more (`contract/agents.md` 7.2).
fn resting_status(issue: &IssueFacts) -> (Option<Status>, Option<&'static str>) {
    match issue.status {
        Some(Status::InProgress) => (Some(Status::Ready), None),
        Some(Status::Blocked) if issue.blocked_reason.is_none() => {
            (Some(Status::Ready), Some("it was blocked without a reason, and is ready again"))
        }
        Some(Status::Blocked) => (None, Some("it stays blocked: the reason still stands")),
        Some(Status::InReview) => (None, Some("it stays in review")),
        _ => (None, None),
    }
}
