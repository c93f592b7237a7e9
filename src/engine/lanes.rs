//! The `classify` verb: puts an issue into a lane, by somebody's judgement or by rule (`contract/agents.md` 8).

use super::{Engine, Error, Result, labels};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        ids::{AuditId, IssueId},
        lane::{Classification, Place, classify as by_rule},
        time::Timestamp,
    },
    store::{
        self, ReadTx, WriteTx, audit, claims,
        issue_facts::{self, IssueFacts},
        lanes::{self, Judged},
    },
};

/// What judges where a request names nothing.
pub(super) const BY_HAND: &str = "manual";

/// What judges where no judgement is given.
pub(super) const HEURISTIC: &str = "heuristic";

/// A wish for a lane.
#[derive(Clone, Debug)]
pub struct LaneAsk {
    pub issue: IssueId,
    /// Somebody's judgement, with a lane that is configured; without it, the rule judges.
    pub classification: Option<Classification>,
    pub model: Option<String>,
    /// Judge by rule although the issue was judged before.
    pub force: bool,
}

/// What a wish came to.
#[derive(Clone, Debug)]
pub enum Classified {
    /// The issue is in this lane now.
    Stored(Judged),
    /// It was judged before, and stays where it is.
    Before(Judged),
}

/// Puts an issue into a lane: its history, its columns and the audit row in one transaction.
pub async fn classify(engine: &Engine, caller: &Caller, ask: &LaneAsk) -> Result<Classified> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    claims::lock_issue(&mut tx, &ask.issue).await?;
    let issue = known(&mut tx, &ask.issue).await?;
    let given = ask.classification.clone();
    if given.is_none()
        && !ask.force
        && let Some(before) = lanes::find_newest(&mut tx, &ask.issue).await?
    {
        return Ok(Classified::Before(before));
    }
    let model = match (&given, &ask.model) {
        (None, _) => HEURISTIC.to_owned(),
        (Some(_), named) => named.clone().unwrap_or(BY_HAND.to_owned()),
    };
    let own = engine.settings.rules.lanes();
    let classification =
        given.unwrap_or_else(|| by_rule(own, &issue.title, issue.body.as_deref(), &issue.labels));
    put(engine, &mut tx, &issue, classification.clone(), &model, now).await?;
    let judged = Judged { classification, model: Some(model), at: now };
    let lane = &judged.classification.lane;
    let place = (&issue.repo, issue.number, &issue.id);
    let mut entry = NewAudit::issue(caller.actor(), Some(&caller.token), AuditAction::SetLane, place);
    entry.before = issue.current_lane.into_iter().collect();
    entry.after = vec![lane.clone()];
    let notes = format!("{} ({} confidence)", judged.classification.reason, judged.classification.confidence);
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry.noting(notes)).await?;
    tx.commit().await?;
    Ok(Classified::Stored(judged))
}

/// Puts a locked issue into a lane, with the row of its history; gives the issue as it is then.
pub(super) async fn put(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueFacts,
    classification: Classification,
    model: &str,
    at: Timestamp,
) -> store::Result<IssueFacts> {
    let judged = Judged { classification, model: Some(model.to_owned()), at };
    let lane = &judged.classification.lane;
    lanes::insert(tx, &engine.ids.next(), &issue.id, &judged).await?;
    lanes::set(tx, &issue.id, lane).await?;
    let moved = IssueFacts { current_lane: Some(lane.clone()), ..issue.clone() };
    labels::edit(engine, tx, &moved, &[]).await?;
    Ok(moved)
}

/// Where an issue belongs.
#[derive(Clone, Debug)]
pub enum Standing {
    Judged(Judged),
    /// Nobody judged it: the lane that it belongs to all the same.
    Unjudged(String),
}

/// Reads where an issue belongs, and why.
pub async fn standing(engine: &Engine, id: &IssueId) -> Result<Standing> {
    let mut tx = engine.db.read().await?;
    let issue = known(&mut tx, id).await?;
    if let Some(judged) = lanes::find_newest(&mut tx, id).await? {
        return Ok(Standing::Judged(judged));
    }
    Ok(Standing::Unjudged(match engine.settings.rules.lanes().place(issue.current_lane.as_deref()) {
        Place::Lane(lane) => lane.id.clone(),
        Place::Unknown(name) => name.to_owned(),
    }))
}

async fn known(tx: &mut ReadTx, id: &IssueId) -> Result<IssueFacts> {
    let not_there = || Error::NotFound("Issue not found in local cache".to_owned());
    issue_facts::find(tx, id).await?.ok_or_else(not_there)
}
