//! The outbox: what Dispatch wants at GitHub besides labels. A wish is recorded in the transaction of the verb that has
//! it, with that verb's audit row; after the commit `publish::now` (`publish::entry_now` for a new issue) sends it, or
//! the next pass does. Nothing here talks to GitHub but `labels` and `writes`, which `publish` calls.

pub(super) mod failure;
mod fields;
pub(super) mod labels;
mod operate;
mod park;
pub(super) mod pulls;
pub(super) mod writes;

pub(super) use fields::lift;
pub use fields::{Laid, Turn};
pub use operate::operate;
pub(super) use park::{gone as park_gone, pulls_of as park_pulls_of, repo as park_repo};

use super::{Engine, claims};
use crate::{
    domain::{
        claim::EndReason,
        ids::{IssueId, OutboxId, RepoId},
        issue::IssueState,
        outbox::{Asker, Content, Edit, NewIssue, StateEdit},
    },
    store::{
        self, WriteTx,
        issue_facts::IssueFacts,
        outbox::{self, NewEntry},
    },
};

/// Wants a comment; its text is at most [`TEXT_MAX`](crate::domain::outbox::TEXT_MAX) bytes. The issue must be locked.
pub async fn comment(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueFacts,
    text: &str,
    by: &Asker,
) -> store::Result<OutboxId> {
    let content = Content::Comment(text.to_owned());
    record(engine, tx, (&issue.repo_id, Some(&issue.id)), &content, by).await
}

/// Wants another title, which shows at once. The issue must be locked.
pub async fn retitle(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueFacts,
    title: &str,
    by: &Asker,
) -> store::Result<OutboxId> {
    let content = Content::Edit(Edit::Title(title.to_owned()));
    record(engine, tx, (&issue.repo_id, Some(&issue.id)), &content, by).await
}

/// Wants another text, which shows at once; what it says that the issue waits for counts once GitHub has it. The issue
/// must be locked.
pub async fn rewrite(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueFacts,
    text: &str,
    by: &Asker,
) -> store::Result<OutboxId> {
    let content = Content::Edit(Edit::Body(text.to_owned()));
    record(engine, tx, (&issue.repo_id, Some(&issue.id)), &content, by).await
}

/// Wants an issue closed or opened again, which shows at once. Closing ends the claim on it; `status/done` follows when
/// GitHub has it. [`Turn::take`] locked the issue.
pub async fn set_state(
    engine: &Engine,
    tx: &mut WriteTx,
    turn: Turn,
    issue: &IssueFacts,
    edit: StateEdit,
    by: &Asker,
) -> store::Result<OutboxId> {
    let content = Content::Edit(Edit::State(edit));
    let id = record(engine, tx, (&issue.repo_id, Some(&issue.id)), &content, by).await?;
    turn.end(tx).await?;
    if edit.state() == IssueState::Closed
        && let Some(claim) = store::claims::find_live(tx, &issue.id).await?
    {
        claims::end_by_github(engine, tx, &claim, EndReason::IssueEnded).await?;
    }
    Ok(id)
}

/// Wants a new issue. The next read after GitHub has it brings it into the cache.
pub async fn create(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &RepoId,
    new: NewIssue,
    by: &Asker,
) -> store::Result<OutboxId> {
    record(engine, tx, (repo, None), &Content::CreateIssue(new), by).await
}

async fn record(
    engine: &Engine,
    tx: &mut WriteTx,
    (repo, issue): (&RepoId, Option<&IssueId>),
    content: &Content,
    by: &Asker,
) -> store::Result<OutboxId> {
    let at = engine.clock.now();
    let beneath = match (issue, content.edit()) {
        (Some(issue), Some(edit)) => Some(fields::cover(engine, tx, issue, edit, at).await?),
        _ => None,
    };
    let id = OutboxId(engine.ids.next());
    let entry = NewEntry { id: &id, repo, issue, content, beneath: beneath.as_ref(), by, at };
    outbox::insert(tx, &entry).await
}
