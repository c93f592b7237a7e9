//! The `claim` verb: an issue becomes an agent's, or stays whose it is.

use super::{end, locked, named_issue, remember};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        claim::{Checkpoint, Claim, EndReason, Terms, WorkState},
        dependencies,
        ids::{AgentName, AuditId, ClaimId, IssueId, IssueNumber},
        issue::IssueState,
        labels::{AGENT_PREFIX, Labels, Status, agent_label, claim_edits},
        time::Timestamp,
    },
    engine::{Engine, Error, Result, failpoint::failpoint, freshness, labels, publish},
    store::{
        self, WriteTx, agents, audit, claims,
        issue_facts::{self, IssueFacts},
    },
};

/// Who wants what.
#[derive(Clone, Debug)]
pub struct ClaimAsk {
    pub issue: IssueId,
    pub repo: String,
    pub number: IssueNumber,
    pub agent: AgentName,
    /// Whoever holds it, or is named by a label.
    pub force: bool,
    /// To be renewed, and taken back soon when it is not.
    pub lease: bool,
    /// It is claimed by `agent-work/start`.
    pub start: Option<Start>,
}

/// What `agent-work/start` says of the work that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    pub run: Option<String>,
    pub branch: Option<String>,
}

/// What a claim came to.
#[derive(Clone, Debug)]
pub struct Granted {
    pub claim: Claim,
    pub labels: Vec<String>,
    /// What speaks against working on it now.
    pub warnings: Vec<String>,
}

/// Claims an issue for an agent; again by its holder, it renews.
pub async fn claim(engine: &Engine, caller: &Caller, ask: &ClaimAsk) -> Result<Granted> {
    confirm(engine, caller, ask).await?;
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let agent = agents::first_spelling(&mut tx, &ask.agent, now).await?;
    claims::lock_issue(&mut tx, &ask.issue).await?;
    let granted = grant(engine, &mut tx, caller, ask, &agent).await?;
    tx.commit().await?;
    failpoint!("claim.committed");
    publish::now(engine, &ask.issue).await;
    Ok(granted)
}

/// Makes sure that what is known of the issue is what GitHub says now, and that it allows a claim.
pub(in crate::engine) async fn confirm(engine: &Engine, caller: &Caller, ask: &ClaimAsk) -> Result<()> {
    let mut tx = engine.db.read_once().await?;
    let issue = named_issue(&mut tx, &ask.issue, Some((&ask.repo, ask.number))).await?;
    drop(tx);
    may_be_claimed(&issue)?;
    if let Err(error) = freshness::confirm(engine, &issue.repo).await {
        refuse(engine, caller, ask, &issue, &error).await?;
        return Err(error);
    }
    Ok(())
}

pub(in crate::engine) fn may_be_claimed(issue: &IssueFacts) -> Result<()> {
    let refuse = |rule: &str| Err(Error::Invalid { field: "issueId", rule: rule.to_owned() });
    if issue.state == IssueState::Closed {
        return refuse("Cannot claim a closed issue");
    }
    if issue.labels.iter().any(|label| label.eq_ignore_ascii_case(Status::Done.label())) {
        return refuse("Cannot claim a done issue");
    }
    Ok(())
}

/// A claim that GitHub could not be asked about changes nothing, and is on record.
async fn refuse(
    engine: &Engine,
    caller: &Caller,
    ask: &ClaimAsk,
    issue: &IssueFacts,
    error: &Error,
) -> Result<()> {
    let entry =
        entry(caller, &ask.agent, issue).labels(&issue.labels, &issue.labels).failed(error.to_string());
    let mut tx = engine.db.write().await?;
    audit::insert(&mut tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    Ok(tx.commit().await?)
}

fn entry(caller: &Caller, agent: &AgentName, issue: &IssueFacts) -> NewAudit {
    let place = (&issue.repo, issue.number, &issue.id);
    NewAudit::issue(agent.as_str(), Some(&caller.token), AuditAction::ClaimIssue, place).of_agent(agent)
}

/// The claim itself, in a transaction that holds the locks of the agent and of the issue.
pub(in crate::engine) async fn grant(
    engine: &Engine,
    tx: &mut WriteTx,
    caller: &Caller,
    ask: &ClaimAsk,
    agent: &AgentName,
) -> Result<Granted> {
    let now = engine.clock.now();
    // GitHub was asked meanwhile: what was read before is old.
    let issue = named_issue(tx, &ask.issue, None).await?;
    may_be_claimed(&issue)?;
    let (claim, notes) = match claims::find_live(tx, &ask.issue).await? {
        Some(mine) if mine.agent == *agent => (again(engine, tx, mine, ask.lease, now).await?, Vec::new()),
        held => {
            let notes = clear_the_way(engine, tx, held, ask, &issue, now).await?;
            (insert(engine, tx, agent, ask, now).await?, notes)
        }
    };
    let before = issue_facts::find(tx, &ask.issue).await?.unwrap_or_else(|| issue.clone());
    let derived = labels::edit(engine, tx, &before, &claim_edits(&before.labels, agent)).await?;
    let mut entry = entry(caller, agent, &issue).labels(&issue.labels, &derived.labels);
    entry.notes = (!notes.is_empty()).then(|| notes.join("; "));
    audit::insert(tx, &AuditId(engine.ids.next()), now, &entry).await?;
    let warnings = warnings(tx, &issue).await?;
    Ok(Granted { claim, labels: derived.labels, warnings })
}

/// The holder claims again: renewed, and leased if that is asked for now.
async fn again(engine: &Engine, tx: &mut WriteTx, mine: Claim, lease: bool, now: Timestamp) -> Result<Claim> {
    let changed = || Error::Busy("the claim changed meanwhile; try again".to_owned());
    let mine = locked(tx, mine).await?.ok_or_else(changed)?;
    let expires_at = now.plus(engine.settings.claims.ttl);
    let mut progress = claims::Progress::of(&mine, now, expires_at);
    if lease {
        progress.terms = Terms::Leased;
    }
    if !claims::advance(tx, &mine, &progress).await? {
        return Err(changed());
    }
    Ok(Claim { terms: progress.terms, renewed_at: now, expires_at, ..mine })
}

/// Ends what stands in the way, where it may; says what it was.
async fn clear_the_way(
    engine: &Engine,
    tx: &mut WriteTx,
    held: Option<Claim>,
    ask: &ClaimAsk,
    issue: &IssueFacts,
    now: Timestamp,
) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let mut labels = issue.labels.clone();
    if let Some(held) = held {
        let overdue = is_overdue(engine, &held, issue, now);
        if !overdue && !ask.force {
            let message = format!("Issue is actively leased to {}. Use force=true to override.", held.agent);
            return Err(Error::Held { message, holder: held.agent.to_string() });
        }
        let reason = if overdue { EndReason::Expired } else { EndReason::Forced };
        if !end::end(engine, tx, &held, reason, WorkState::Stale).await? {
            return Err(Error::Busy("the claim changed meanwhile; try again".to_owned()));
        }
        notes.push(format!("taken from {} ({})", held.agent, super::reason_in_words(reason)));
        // Its label went with it.
        labels.retain(|label| !label.eq_ignore_ascii_case(&agent_label(&held.agent)));
    }
    let shown = Labels::shown(issue.state, &labels);
    if let Some(other) = shown.agent().filter(|other| !other.eq_ignore_ascii_case(ask.agent.as_str())) {
        if !ask.force {
            let message = format!("Issue is already assigned to {other}. Use force=true to override.");
            return Err(Error::Held { message, holder: other.to_owned() });
        }
        notes.push(format!("existing owner: {AGENT_PREFIX}{other}"));
    }
    if ask.force {
        notes.push("force_claim=true".to_owned());
    }
    Ok(notes)
}

/// May the issue be taken from its holder?
fn is_overdue(engine: &Engine, held: &Claim, issue: &IssueFacts, now: Timestamp) -> bool {
    let timing = &engine.settings.claims;
    let expires_at = held.expires_at.max(issue.clock_from.plus(timing.ttl));
    timing.is_overdue(held.terms, expires_at, issue.status, now)
}

async fn insert(
    engine: &Engine,
    tx: &mut WriteTx,
    agent: &AgentName,
    ask: &ClaimAsk,
    now: Timestamp,
) -> Result<Claim> {
    let begun = ask.start.clone();
    let claim = Claim {
        id: ClaimId(engine.ids.next()),
        fence: claims::next_fence(tx, now).await?,
        agent: agent.clone(),
        issue: Some(ask.issue.clone()),
        terms: if ask.lease { Terms::Leased } else { Terms::Held },
        state: WorkState::Claimed,
        checkpoint: Checkpoint::IssueClaimed,
        started: begun.is_some(),
        worked_at: begun.as_ref().map(|_| now),
        run: begun.as_ref().and_then(|begun| begun.run.clone()),
        branch: begun.and_then(|begun| begun.branch),
        pr_url: None,
        summary: None,
        blocker: None,
        created_at: now,
        renewed_at: now,
        expires_at: now.plus(engine.settings.claims.ttl),
        ended_at: None,
        end_reason: None,
    };
    if !claims::insert(tx, &claim).await? {
        return Err(Error::Conflict("Issue is actively leased. Use force=true to override.".to_owned()));
    }
    remember(engine, tx, &claim, if claim.started { "start" } else { "claim" }, now).await?;
    Ok(claim)
}

/// What a claim does not forbid and its holder should know.
async fn warnings(tx: &mut WriteTx, issue: &IssueFacts) -> store::Result<Vec<String>> {
    if issue.open_blockers == 0 {
        return Ok(Vec::new());
    }
    let open = store::dependencies::list_open(tx, &issue.id).await?;
    Ok(vec![dependencies::reason(&issue.repo, &open)])
}
