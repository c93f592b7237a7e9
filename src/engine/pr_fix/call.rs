//! Blocked items show at GitHub: a label and a comment call a human, and are taken away when that is over. Both are wished for
//! in the transaction that changes the item.

use super::Change;
use crate::{
    domain::{
        audit::{AuditAction, NewAudit},
        ids::AuditId,
        outbox::Asker,
        pr_fix::{
            FixStatus, Item,
            call::{Call, NEEDS_HUMAN, call},
        },
    },
    engine::{Engine, failpoint::failpoint, outbox::pulls, publish},
    store::{self, WriteTx, audit},
};

/// Wishes for what a change of a locked item means to its pull request, if it means anything.
pub(super) async fn wish(
    engine: &Engine,
    tx: &mut WriteTx,
    before: Option<&Item>,
    after: &Item,
    change: &Change<'_>,
) -> store::Result<()> {
    let Some(call) = call(before, after, change.note) else { return Ok(()) };
    let labels = [NEEDS_HUMAN.to_owned()];
    let (action, was, is): (_, &[String], &[String]) = match &call {
        Call::Human(_) => (AuditAction::CallHuman, &[], &labels),
        Call::Over => (AuditAction::CallHumanOver, &labels, &[]),
    };
    let agent = change.agent.cloned();
    let by = Asker { actor: change.actor.to_owned(), token: change.token.cloned(), agent: agent.clone() };
    if !pulls::call(engine, tx, (&after.repo, after.pr), call, &by).await? {
        return Ok(());
    }
    let entry = NewAudit::whole(change.actor, change.token, action, after.repo.as_str());
    let entry = NewAudit { issue_number: after.issue, agent, ..entry }
        .labels(was, is)
        .noting(format!("PR {}", after.pull_request()));
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await
}

/// The change is committed: sends what it means to the pull request at once, if the pace allows it.
pub(super) async fn send(engine: &Engine, before: Option<FixStatus>, after: &Item) {
    let was_blocked = before == Some(FixStatus::Blocked);
    if was_blocked != (after.status == FixStatus::Blocked) {
        failpoint!("pr_fix.committed");
        publish::pull_now(engine, &after.repo, after.pr).await;
    }
}
