//! Grooming by an agent's or an operator's word, and splitting: deterministic, on record, no model.

use super::{Ask, Change, Changed, find, look, open, version, write};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        grooming::{GroomAction, Grooming, Split},
        ids::{AuditId, IssueId},
        issue::IssueState,
        labels::{Status, status_edits},
        lane::{Classification, Confidence, Place},
        time::Timestamp,
        version::Version,
    },
    engine::{
        Engine, Error, Result,
        lanes::{self, BY_HAND},
    },
    store::{WriteTx, audit, issue_facts::IssueFacts, said},
};

/// What grooming came to.
#[derive(Clone, Debug)]
pub struct Groom {
    pub action: GroomAction,
    pub summary: Option<String>,
    /// Why, where the action asks for it.
    pub reason: Option<String>,
}

/// A groomed issue.
#[derive(Clone, Debug)]
pub struct Groomed {
    pub issue: Changed,
    pub at: Timestamp,
}

/// Records what grooming came to: a ready issue gets its status and a lane that is served, one to be escalated the lane for
/// that; the others keep both.
pub async fn groom(engine: &Engine, caller: &Caller, ask: &Ask, groom: &Groom) -> Result<Groomed> {
    let at = engine.clock.now();
    let is_ready = groom.action == GroomAction::PromoteToReady;
    if is_ready {
        look(engine, &find(engine, &ask.issue).await?, at).await?;
    }
    let mut tx = engine.db.write().await?;
    let issue = open(&mut tx, ask).await?;
    if is_ready && issue.state == IssueState::Closed {
        let rule = "Cannot promote a closed issue".to_owned();
        return Err(Error::Invalid { field: "issueNumber", rule });
    }
    let grooming =
        Grooming::by_action(groom.action, (&ask.actor, at), groom.summary.clone(), groom.reason.as_deref());
    said::set_grooming(&mut tx, &issue.id, &grooming).await?;
    let (moved, in_lane) = put_into_lane(engine, &mut tx, &issue, groom.action, at).await?;
    let notes: Vec<String> =
        [moved, groom.reason.clone(), groom.summary.clone()].into_iter().flatten().collect();
    let edits = if is_ready { status_edits(&issue.labels, Status::Ready) } else { Vec::new() };
    let change = Change::of(groom.action.audit(), edits);
    let change = Change { notes: (!notes.is_empty()).then(|| notes.join("; ")), ..change };
    let issue = write(engine, tx, caller, ask, &in_lane, change).await?;
    Ok(Groomed { issue, at })
}

/// Where the action wants the issue; says from where to where it went, and gives it as it is then.
async fn put_into_lane(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueFacts,
    action: GroomAction,
    at: Timestamp,
) -> Result<(Option<String>, IssueFacts)> {
    let lanes = engine.settings.rules.lanes();
    let stored = issue.current_lane.as_deref();
    let lane = match action {
        GroomAction::PromoteToReady if stored.is_none() || lanes.place(stored).is_closed() => {
            lanes.default_lane()
        }
        GroomAction::Escalate => lanes.escalation_lane(),
        _ => return Ok((None, issue.clone())),
    };
    if matches!(lanes.place(stored), Place::Lane(at) if stored.is_some() && at == lane) {
        return Ok((None, issue.clone()));
    }
    let reason = match action {
        GroomAction::Escalate => "groomed: to be escalated",
        _ => "groomed: ready",
    };
    let classification =
        Classification { lane: lane.id.clone(), confidence: Confidence::High, reason: reason.to_owned() };
    let in_lane = lanes::put(engine, tx, issue, classification, BY_HAND, at).await?;
    let moved = format!("lane {} -> {}", stored.unwrap_or("none"), lane.id);
    Ok((Some(moved), in_lane))
}

/// Records that an issue was split into others, or that it was not after all. GitHub is not told.
pub async fn decompose(
    engine: &Engine,
    caller: &Caller,
    ask: &Ask,
    split: &Split,
) -> Result<(IssueId, Split, Version)> {
    let at = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let issue = open(&mut tx, ask).await?;
    let split = Split {
        at: split.decomposed.then_some(at),
        by: split.decomposed.then(|| ask.actor.clone()),
        ..split.clone()
    };
    said::set_split(&mut tx, &issue.id, &split).await?;
    let action = if split.decomposed { AuditAction::IssueDecomposed } else { AuditAction::IssueReactivated };
    let place = (&issue.repo, issue.number, &issue.id);
    let mut entry =
        NewAudit::issue(&ask.actor, Some(&caller.token), action, place).labels(&issue.labels, &issue.labels);
    let notes: Vec<&str> = split.note.iter().chain(&split.follow_up_urls).map(String::as_str).collect();
    entry.notes = (!notes.is_empty()).then(|| notes.join("; "));
    audit::insert(&mut tx, &AuditId(engine.ids.next()), at, &entry).await?;
    let version = version(&mut tx, &issue.id).await?;
    tx.commit().await?;
    Ok((issue.id, split, version))
}
