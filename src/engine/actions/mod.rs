//! What operators do to issues, one by one: moving, labelling, commenting, assigning, grooming (`contract/operations.md`
//! section 3). Each change is a wish against what the issue is now, shown at once and sent by the outbox; its audit row is
//! in the same transaction. Nobody's claim forbids it: what would end a claim on GitHub ends it here.

mod assign;
mod comment;
mod groom;
mod labels;

pub use assign::{Assignee, Unassigned, assign, list_agents, unassign};
pub use comment::{Commented, comment};
pub use groom::{Groom, Groomed, decompose, groom};
pub use labels::{Move, label, move_issue};

use super::{Engine, Error, Result, claims, failpoint::failpoint, freshness, labels as edits, publish};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        ids::{AgentName, AuditId, IssueId, IssueNumber},
        issue::{Derived, Issue},
        labels::LabelEdit,
        repo::RepoName,
        time::Timestamp,
        version::{IfMatch, Version},
    },
    store::{
        self, ReadTx, WriteTx, audit, claims as claim_rows,
        issue_facts::{self, IssueFacts},
        issue_list, repos,
    },
};

/// How a request names an issue.
#[derive(Clone, Debug)]
pub enum Named {
    /// By its id, whatever else is said.
    Id(IssueId),
    /// By its id, and by repository and number, which must agree.
    Both(IssueId, String, IssueNumber),
    /// By repository and number.
    Place(RepoName, IssueNumber),
}

/// Which issue is to be changed, and by whom.
#[derive(Clone, Debug)]
pub struct Ask {
    pub issue: Named,
    /// Who is named as having done it.
    pub actor: String,
    /// The version that the caller saw: another one is left as it is.
    pub if_match: Option<IfMatch>,
}

/// The issue after a change.
#[derive(Clone, Debug)]
pub struct Changed {
    pub issue: IssueId,
    pub labels: Vec<String>,
    pub version: Version,
}

/// What is to be written, and what is said of it.
struct Change {
    action: AuditAction,
    edits: Vec<LabelEdit>,
    notes: Option<String>,
    /// Whom it is about.
    agent: Option<AgentName>,
}

impl Change {
    const fn of(action: AuditAction, edits: Vec<LabelEdit>) -> Self {
        Self { action, edits, notes: None, agent: None }
    }
}

/// The issue that is meant, as it was a moment ago.
async fn find(engine: &Engine, named: &Named) -> Result<IssueFacts> {
    let mut tx = engine.db.read().await?;
    find_in(&mut tx, named).await
}

async fn find_in(tx: &mut ReadTx, named: &Named) -> Result<IssueFacts> {
    let id = match named {
        Named::Id(id) | Named::Both(id, ..) => id.clone(),
        Named::Place(repo, number) => find_at(tx, repo, *number).await?,
    };
    let not_there = || match named {
        Named::Id(id) | Named::Both(id, ..) => Error::NotFound(format!("Issue not found: {id}")),
        Named::Place(..) => not_cached(),
    };
    let issue = issue_facts::find(tx, &id).await?.ok_or_else(not_there)?;
    if let Named::Both(_, repo, number) = named {
        claims::must_be(&issue, repo, *number)?;
    }
    Ok(issue)
}

async fn find_at(tx: &mut ReadTx, repo: &RepoName, number: IssueNumber) -> Result<IssueId> {
    let tracked = repos::find_tracked(tx, repo).await?.ok_or_else(not_cached)?;
    let issue = issue_list::find(tx, &tracked.id, number).await?.ok_or_else(not_cached)?;
    Ok(issue.id)
}

fn not_cached() -> Error {
    Error::NotFound("Issue not found in local cache".to_owned())
}

/// The issue, locked, and as the caller saw it.
async fn open(tx: &mut WriteTx, ask: &Ask) -> Result<IssueFacts> {
    let id = find_in(tx, &ask.issue).await?.id;
    claim_rows::lock_issue(tx, &id).await?;
    let issue = find_in(tx, &ask.issue).await?;
    if let Some(if_match) = &ask.if_match {
        let version = version(tx, &id).await?;
        if !if_match.admits(&version) {
            let message = format!(
                "{}#{} is not as you saw it any more; read it again, and decide anew",
                issue.repo, issue.number
            );
            return Err(Error::Stale { message, version });
        }
    }
    Ok(issue)
}

async fn version(tx: &mut ReadTx, id: &IssueId) -> Result<Version> {
    let shown: Vec<Issue> = issue_list::list_by_id(tx, std::slice::from_ref(id)).await?;
    shown.first().map(Version::of).ok_or_else(not_cached)
}

/// Labels are read anew where the cache may be older than `since`, so that the last wish is made against what GitHub has.
/// An operator's wish does not hang on it: without GitHub's word it is made against what was known last.
async fn look(engine: &Engine, issue: &IssueFacts, since: Timestamp) -> store::Result<()> {
    freshness::look(engine, &issue.repo, since).await
}

/// Writes a change of labels with its audit row, has it sent, and gives the issue as it is shown then.
async fn write(
    engine: &Engine,
    mut tx: WriteTx,
    caller: &Caller,
    ask: &Ask,
    issue: &IssueFacts,
    change: Change,
) -> Result<Changed> {
    let derived = edits::edit(engine, &mut tx, issue, &change.edits).await?;
    let labels = end_claim(engine, &mut tx, caller, ask, issue, derived).await?.labels;
    let place = (&issue.repo, issue.number, &issue.id);
    let mut entry = NewAudit::issue(&ask.actor, Some(&caller.token), change.action, place);
    entry.notes = change.notes;
    entry.agent = change.agent;
    let entry = entry.labels(&issue.labels, &labels);
    audit::insert(&mut tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    let version = version(&mut tx, &issue.id).await?;
    tx.commit().await?;
    failpoint!("action.committed");
    publish::now(engine, &issue.id).await;
    Ok(Changed { issue: issue.id.clone(), labels, version })
}

/// Who takes the holder's label away, or says that the work is done, ends the claim.
async fn end_claim(
    engine: &Engine,
    tx: &mut WriteTx,
    caller: &Caller,
    ask: &Ask,
    issue: &IssueFacts,
    after: Derived,
) -> Result<Derived> {
    let by = (ask.actor.as_str(), &caller.token);
    if !claims::end_by_operator(engine, tx, by, issue, &after).await? {
        return Ok(after);
    }
    // Whose it is may have hung on the claim.
    Ok(edits::edit(engine, tx, issue, &[]).await?)
}
