//! GitHub told of a pull request: the cache follows, in the transaction that says that it was heard.

use crate::{
    domain::{issue::IssueState, pull_event::PullEvent, repo::TrackedRepo},
    engine::{Engine, pr_fix},
    store::{self, WriteTx, pulls},
};

/// Writes down what happened. Events may come late and in any order: an older word never replaces a newer one.
pub async fn hear(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    event: &PullEvent,
) -> store::Result<()> {
    let Some(pull) = event.listed() else { return Ok(()) };
    pulls::upsert(tx, &repo.id, &[pull]).await?;
    if pull.state == IssueState::Closed {
        pr_fix::close::pulls_are_closed(engine, tx, (&repo.id, &repo.name), &[pull.number]).await?;
    }
    Ok(())
}
