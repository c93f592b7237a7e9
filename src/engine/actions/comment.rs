//! Commenting on an issue.

use super::{Ask, open};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        ids::{AgentName, AuditId, OutboxId},
        outbox::{Asker, EntryState},
    },
    engine::{Engine, Result, failpoint::failpoint, outbox, publish},
    store::{audit, outbox_list},
};

/// A comment on its way.
#[derive(Clone, Debug)]
pub struct Commented {
    pub entry: OutboxId,
    pub state: EntryState,
    /// Where it is, once it is there.
    pub url: Option<String>,
}

/// Wants a comment, which goes out as it is, on behalf of an agent if one is named.
pub async fn comment(
    engine: &Engine,
    caller: &Caller,
    ask: &Ask,
    text: &str,
    agent: Option<&AgentName>,
) -> Result<Commented> {
    let mut tx = engine.db.write().await?;
    let issue = open(&mut tx, ask).await?;
    let by = Asker { actor: ask.actor.clone(), ..Asker::of(caller, agent) };
    let id = outbox::comment(engine, &mut tx, &issue, text, &by).await?;
    let place = (&issue.repo, issue.number, &issue.id);
    let entry = NewAudit::issue(&ask.actor, Some(&caller.token), AuditAction::AddComment, place);
    let entry = NewAudit { agent: agent.cloned(), ..entry };
    let entry = entry.labels(&issue.labels, &issue.labels).noting(text);
    audit::insert(&mut tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    tx.commit().await?;
    failpoint!("action.committed");
    publish::now(engine, &issue.id).await;
    let mut tx = engine.db.read_once().await?;
    let entry = outbox_list::find(&mut tx, &id).await?;
    let state = entry.as_ref().map_or(EntryState::Pending, |entry| entry.state);
    Ok(Commented { entry: id, state, url: entry.and_then(|entry| entry.made).map(|made| made.url) })
}
