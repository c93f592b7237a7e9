//! Changing labels of an issue: the wish goes to the outbox and shows in the cache at once.

use super::{
    Engine,
    overlay::{NEVER, Overlay},
};
use crate::{
    domain::{
        audit::{AuditAction, NewAudit, SYSTEM},
        ids::{AuditId, IssueId, OutboxId},
        issue::{Derived, IssueState},
        labels::{LabelEdit, Status, overlaid, status_edits},
    },
    store::{
        self, WriteTx, audit,
        issue_facts::{self, IssueFacts},
        issues, label_edits,
    },
};

/// Records the edits and derives what the cache shows; gives the labels as they are shown now. Call it after claims
/// of the issue changed, too: they have a say in whose it is.
pub async fn edit(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueFacts,
    edits: &[LabelEdit],
) -> store::Result<Derived> {
    wish(engine, tx, &issue.id, edits).await?;
    let mut overlay = Overlay::load(tx, std::slice::from_ref(&issue.id), NEVER).await?;
    let ours = overlay.of(&issue.id, issue.current_lane.clone());
    let rules = &engine.settings.rules;
    let derived = Derived::of(issue.state, &issue.title, &issue.github_labels, &ours, rules);
    issues::rederive(tx, &issue.id, &derived, engine.clock.now()).await?;
    Ok(derived)
}

async fn wish(engine: &Engine, tx: &mut WriteTx, issue: &IssueId, edits: &[LabelEdit]) -> store::Result<()> {
    let edits: Vec<_> = edits.iter().map(|edit| (OutboxId(engine.ids.next()), edit.clone())).collect();
    label_edits::wish(tx, issue, &edits, engine.clock.now()).await
}

/// An issue was seen to open again before GitHub answered that it is done: it is not. What never went out is forgotten;
/// of the rest the opposite is wanted. Call it with the issue locked.
pub async fn take_back_done(engine: &Engine, tx: &mut WriteTx, issue: &IssueId) -> store::Result<()> {
    let edits = label_edits::list_done(tx, issue).await?;
    if !edits.iter().any(|edit| edit.wanted) {
        return Ok(());
    }
    label_edits::withdraw_done(tx, issue).await?;
    let went_out = edits.into_iter().filter(|edit| edit.attempts > 0);
    let opposite: Vec<_> =
        went_out.map(|edit| LabelEdit { label: edit.label, wanted: !edit.wanted }).collect();
    wish(engine, tx, issue, &opposite).await?;
    let Some(issue) = issue_facts::find(tx, issue).await? else { return Ok(()) };
    let entry = NewAudit::issue(SYSTEM, None, AuditAction::MarkDone, (&issue.repo, issue.number, &issue.id))
        .failed("the issue was opened again before GitHub was told");
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await
}

/// An issue was seen to close, or GitHub has our word that it is closed: of its statuses `status/done` alone stays.
/// What is there already is left alone. Call it with the issue locked.
pub async fn mark_done(engine: &Engine, tx: &mut WriteTx, issue: &IssueId) -> store::Result<()> {
    let Some(issue) = issue_facts::find(tx, issue).await? else { return Ok(()) };
    let mut overlay = Overlay::load(tx, std::slice::from_ref(&issue.id), NEVER).await?;
    let ours = overlay.of(&issue.id, None);
    // Not what is shown: a closed issue shows `status/done` whatever its labels say.
    let labels = overlaid(&issue.github_labels, &ours.edits);
    let edits = status_edits(&labels, Status::Done);
    if issue.state != IssueState::Closed || edits.is_empty() || engine.settings.rules.excludes(&labels) {
        return Ok(());
    }
    // What is shown stays as it is.
    wish(engine, tx, &issue.id, &edits).await?;
    let entry = NewAudit::issue(SYSTEM, None, AuditAction::MarkDone, (&issue.repo, issue.number, &issue.id))
        .labels(&labels, &overlaid(&labels, &edits))
        .noting("the issue was closed");
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await
}
