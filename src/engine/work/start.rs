//! The `start` verb: an agent begins work, on an issue or on something of its own.

use super::{Ending, changed, conclude, locked, record, worked};
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        claim::{Checkpoint, Claim, EndReason, Terms, WorkState},
        ids::{AgentName, ClaimId, IssueId},
    },
    engine::{
        Engine, Error, Result,
        claims::{self as verbs, ClaimAsk, Start, remember},
        failpoint::failpoint,
        publish,
    },
    store::{
        WriteTx, agents,
        claims::{self, Progress},
        work,
    },
};

/// What begins.
#[derive(Clone, Debug)]
pub struct StartAsk {
    pub agent: AgentName,
    pub issue: Option<IssueId>,
    pub start: Start,
    /// To be renewed, and taken back soon when it is not.
    pub lease: bool,
}

/// Begins work. An issue is claimed, unless the agent has it already; other work that `start` made ends.
pub async fn start(engine: &Engine, caller: &Caller, ask: &StartAsk) -> Result<Claim> {
    match attempt(engine, caller, ask, false).await {
        // It was the agent's a moment ago and is no more: GitHub is asked, as for any other.
        Err(Error::Busy(_)) => attempt(engine, caller, ask, true).await,
        outcome => outcome,
    }
}

/// Unless `confirm` is set, GitHub is not asked about what the agent has already.
async fn attempt(engine: &Engine, caller: &Caller, ask: &StartAsk, confirm: bool) -> Result<Claim> {
    let claiming = match &ask.issue {
        Some(issue) => Some(may_start(engine, caller, ask, issue, confirm).await?),
        None => None,
    };
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let agent = agents::first_spelling(&mut tx, &ask.agent, now).await?;
    let others = work::list_live(&mut tx, &agent, true, None).await?;
    lock_all(&mut tx, ask.issue.as_ref(), &others).await?;
    work::lock_of(&mut tx, &agent).await?;
    let claim = match claiming {
        None => begin(engine, &mut tx, ask, &agent).await?,
        Some(Claiming { ask: claiming, confirmed }) => {
            match claims::find_live(&mut tx, &claiming.issue).await? {
                Some(mine) if mine.agent == agent => go_on(engine, &mut tx, mine, ask).await?,
                _ if !confirmed => return Err(changed()),
                _ => {
                    verbs::grant(engine, &mut tx, caller, &claiming, &agent)
                        .await
                        .map_err(in_words_of_start)?
                        .claim
                }
            }
        }
    };
    let mut freed = Vec::new();
    for other in others.into_iter().filter(|other| other.id != claim.id) {
        let Some(other) = locked(&mut tx, other).await?.filter(|other| other.ended_at.is_none()) else {
            continue;
        };
        let reason = EndReason::Superseded;
        let ended =
            conclude(engine, &mut tx, &other, Ending::given_back(&other, reason, reason.action())).await?;
        let entry = ended.entry(agent.as_str(), caller, AuditAction::AgentWorkReleased);
        record(engine, &mut tx, &entry.noting("its agent started other work")).await?;
        freed.extend(ended.issue_id());
    }
    record(engine, &mut tx, &worked(caller, &claim, AuditAction::AgentWorkStarted)).await?;
    tx.commit().await?;
    failpoint!("start.committed");
    for issue in ask.issue.iter().chain(&freed) {
        publish::now(engine, issue).await;
    }
    Ok(claim)
}

/// An issue that may be started.
struct Claiming {
    ask: ClaimAsk,
    /// Was GitHub asked?
    confirmed: bool,
}

/// Is the issue the agent's already, or may it be claimed as far as GitHub says?
async fn may_start(
    engine: &Engine,
    caller: &Caller,
    ask: &StartAsk,
    issue: &IssueId,
    confirm: bool,
) -> Result<Claiming> {
    let mut tx = engine.db.read().await?;
    let facts = verbs::named_issue(&mut tx, issue, None).await?;
    let live = claims::find_live(&mut tx, issue).await?;
    drop(tx);
    let claiming = ClaimAsk {
        issue: issue.clone(),
        repo: facts.repo.to_string(),
        number: facts.number,
        agent: ask.agent.clone(),
        force: false,
        lease: ask.lease,
        start: Some(ask.start.clone()),
    };
    let confirmed = confirm || live.is_none_or(|live| live.agent != ask.agent);
    if confirmed {
        verbs::confirm(engine, caller, &claiming).await?;
    }
    Ok(Claiming { ask: claiming, confirmed })
}

/// `start` knows no force.
fn in_words_of_start(error: Error) -> Error {
    match error {
        Error::Held { holder, .. } => {
            let message = format!("Issue is held by {holder}; start other work, or claim it with force");
            Error::Held { message, holder }
        }
        other => other,
    }
}

async fn lock_all(tx: &mut WriteTx, issue: Option<&IssueId>, others: &[Claim]) -> Result<()> {
    let of_others = others.iter().filter_map(|other| other.issue.clone());
    let mut issues: Vec<IssueId> = issue.cloned().into_iter().chain(of_others).collect();
    issues.sort_unstable();
    issues.dedup();
    Ok(claims::lock_issues(tx, &issues).await?)
}

/// Work on something that is no issue.
async fn begin(engine: &Engine, tx: &mut WriteTx, ask: &StartAsk, agent: &AgentName) -> Result<Claim> {
    let now = engine.clock.now();
    let claim = Claim {
        id: ClaimId(engine.ids.next()),
        fence: claims::next_fence(tx, now).await?,
        agent: agent.clone(),
        issue: None,
        terms: if ask.lease { Terms::Leased } else { Terms::Held },
        state: WorkState::Claimed,
        checkpoint: Checkpoint::IssueClaimed,
        started: true,
        worked_at: Some(now),
        run: ask.start.run.clone(),
        branch: ask.start.branch.clone(),
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
        return Err(changed());
    }
    remember(engine, tx, &claim, "start", now).await?;
    Ok(claim)
}

/// The agent has the issue already: the same claim goes on.
async fn go_on(engine: &Engine, tx: &mut WriteTx, mine: Claim, ask: &StartAsk) -> Result<Claim> {
    let now = engine.clock.now();
    let mut progress = Progress::of(&mine, now, now.plus(engine.settings.claims.ttl));
    progress.worked_at = Some(now);
    progress.run = ask.start.run.clone().or(progress.run);
    progress.branch = ask.start.branch.clone().or(progress.branch);
    if ask.lease {
        progress.terms = Terms::Leased;
    }
    if !claims::advance(tx, &mine, &progress).await? {
        return Err(changed());
    }
    let claim = progress.onto(mine);
    remember(engine, tx, &claim, "start", now).await?;
    Ok(claim)
}
