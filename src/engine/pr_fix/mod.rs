//! The PR-fix queue: pull requests that need another attempt. Each verb decides by `domain::pr_fix` on the row that its
//! transaction has locked; GitHub is asked between transactions, and the decision made again.

pub mod ack;
mod call;
pub mod close;
pub mod enqueue;
pub mod handout;
pub mod mark;
pub mod settle;
pub mod sweep;

use super::Engine;
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit, SYSTEM},
        ids::{AgentName, AuditId, IssueNumber, TokenId},
        page::Skipped,
        pr_fix::{FixStatus, Item, Pull, handout::lanes_for},
        queue::Ask,
        repo::RepoName,
    },
    store::{
        self, ReadTx, WriteTx, audit,
        pr_fix::{self, Listing},
        pr_fix_notes::{self as notes, Notes},
    },
};

/// An item with what lists show of it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub item: Item,
    pub notes: Notes,
}

/// Items with their notes, in the order given.
pub async fn show(tx: &mut ReadTx, items: Vec<Item>) -> store::Result<Vec<Shown>> {
    let ids: Vec<_> = items.iter().map(|item| item.id.clone()).collect();
    let mut all = notes::notes(tx, &ids).await?;
    let with_notes = |item: Item| {
        let notes = all.remove(&item.id).unwrap_or_default();
        Shown { item, notes }
    };
    Ok(items.into_iter().map(with_notes).collect())
}

async fn show_one(tx: &mut ReadTx, item: Item) -> store::Result<Shown> {
    let notes = notes::notes(tx, std::slice::from_ref(&item.id)).await?.remove(&item.id).unwrap_or_default();
    Ok(Shown { item, notes })
}

/// What the queue of an agent begins with: at most `limit` items, behind those that are skipped.
pub async fn list_for(engine: &Engine, ask: &Ask, skipped: Skipped, limit: i64) -> store::Result<Vec<Shown>> {
    let lanes = lanes_for(engine.settings.rules.lanes(), ask.lane.as_deref());
    if lanes.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = engine.db.read().await?;
    let items = pr_fix::list(&mut tx, Listing { skipped, ..Listing::first(lanes, limit) }).await?;
    show(&mut tx, items).await
}

/// Who changes an item, and why.
#[derive(Clone, Copy)]
struct Change<'a> {
    /// In the history.
    action: &'static str,
    /// In the audit log.
    audit: AuditAction,
    actor: &'a str,
    token: Option<&'a TokenId>,
    note: Option<&'a str>,
    evidence_key: Option<&'a str>,
    /// Whom it is about, if not whoever has or had the attempt.
    agent: Option<&'a AgentName>,
}

impl<'a> Change<'a> {
    fn by(caller: &'a Caller, action: &'static str, audit: AuditAction) -> Self {
        let (actor, token) = (caller.actor(), Some(&caller.token));
        Self { action, audit, actor, token, note: None, evidence_key: None, agent: None }
    }

    fn by_dispatch(action: &'static str, audit: AuditAction) -> Self {
        Self { action, audit, actor: SYSTEM, token: None, note: None, evidence_key: None, agent: None }
    }

    fn noting(self, note: Option<&'a str>) -> Self {
        Self { note, ..self }
    }
}

/// Writes what was decided about a locked item, with its history and its row in the audit log.
async fn save(
    engine: &Engine,
    tx: &mut WriteTx,
    before: &Item,
    after: &mut Item,
    change: &Change<'_>,
) -> store::Result<()> {
    write(engine, tx, before, after).await?;
    record(engine, tx, Some(before), after, change).await
}

/// Writes the row alone, and takes away what belonged to the attempt before.
async fn write(engine: &Engine, tx: &mut WriteTx, before: &Item, after: &mut Item) -> store::Result<()> {
    after.updated_at = engine.clock.now();
    pr_fix::update(tx, after).await?;
    if after.generation != before.generation || after.status != FixStatus::Queued {
        notes::clear_late_evidence(tx, &after.id).await?;
    }
    if after.generation != before.generation || before.dispatched.is_some() && after.dispatched.is_none() {
        notes::clear_handouts(tx, &after.id).await?;
    }
    Ok(())
}

async fn record(
    engine: &Engine,
    tx: &mut WriteTx,
    before: Option<&Item>,
    after: &Item,
    change: &Change<'_>,
) -> store::Result<()> {
    let now = engine.clock.now();
    notes::remember(tx, after, (change.action, change.note, change.evidence_key), now).await?;
    let state = |item: &Item| {
        vec![
            item.status.as_str().to_owned(),
            item.lane.as_str().to_owned(),
            format!("generation {}", item.generation),
        ]
    };
    let about = format!("PR {}", after.pull_request());
    let entry = NewAudit::whole(change.actor, change.token, change.audit, after.repo.as_str());
    let holder = after.hold.as_ref().or_else(|| before?.hold.as_ref()).map(|hold| &hold.agent);
    let agent = change.agent.or(holder).cloned();
    let entry = NewAudit { issue_number: after.issue, agent: agent.clone(), ..entry }
        .labels(&before.map(state).unwrap_or_default(), &state(after))
        .noting(change.note.map_or(about.clone(), |note| format!("{about}: {note}")));
    audit::insert(tx, &AuditId(engine.ids.next()), now, &entry).await?;
    call::wish(engine, tx, before, after, &Change { agent: agent.as_ref(), ..*change }).await
}

/// Asks GitHub about a pull request, for as long as a caller can wait.
async fn read_pull(engine: &Engine, repo: &RepoName, pr: IssueNumber) -> Pull {
    let asked = engine.github.pull(repo, pr);
    match tokio::time::timeout(engine.settings.live_check_patience, asked).await {
        Ok(Ok(facts)) => Pull::Read(facts),
        Ok(Err(error)) => {
            tracing::debug!(%error, %repo, %pr, "a pull request could not be read");
            Pull::Unreadable
        }
        Err(_) => Pull::Unreadable,
    }
}
