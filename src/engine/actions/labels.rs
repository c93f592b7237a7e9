//! Moving a card of the board, and single labels.

use super::{Ask, Change, Changed, find, look, open, write};
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        issue::IssueState,
        labels::{LabelEdit, Status, edit_where_needed, status_edits},
    },
    engine::{Engine, Error, Result},
};

/// From which column to which; none is the column of those without a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub from: Option<Status>,
    pub to: Option<Status>,
}

/// Moves a card: the new status becomes the only one, whatever it was. Nothing else changes.
pub async fn move_issue(engine: &Engine, caller: &Caller, ask: &Ask, to: Move) -> Result<Changed> {
    let arrival = engine.clock.now();
    look(engine, &find(engine, &ask.issue).await?, arrival).await?;
    let mut tx = engine.db.write().await?;
    let issue = open(&mut tx, ask).await?;
    let edits = match (to.to, to.from) {
        (Some(status), _) => status_edits(&issue.labels, status),
        (None, Some(status)) => {
            edit_where_needed(&issue.labels, &LabelEdit::remove(status.label())).into_iter().collect()
        }
        (None, None) => Vec::new(),
    };
    if issue.state == IssueState::Closed && !edits.is_empty() {
        let rule = "Cannot move a closed issue: it is done until it is opened again".to_owned();
        return Err(Error::Invalid { field: "issueId", rule });
    }
    write(engine, tx, caller, ask, &issue, Change::of(AuditAction::MoveIssue, edits)).await
}

/// Adds a label or removes one. What is so already changes nothing, and costs no write.
pub async fn label(engine: &Engine, caller: &Caller, ask: &Ask, edit: &LabelEdit) -> Result<Changed> {
    let since = engine.clock.now().minus(engine.settings.claim_max_staleness);
    let known = find(engine, &ask.issue).await?;
    if edit_where_needed(&known.labels, edit).is_none() {
        look(engine, &known, since).await?;
    }
    let mut tx = engine.db.write().await?;
    let issue = open(&mut tx, ask).await?;
    let action = if edit.wanted { AuditAction::AddLabel } else { AuditAction::RemoveLabel };
    let edits = edit_where_needed(&issue.labels, edit).into_iter().collect();
    let change = Change { notes: Some(edit.label.clone()), ..Change::of(action, edits) };
    write(engine, tx, caller, ask, &issue, change).await
}
