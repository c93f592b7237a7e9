//! Parking: what GitHub will not take is kept with the reason, and the cache shows what GitHub says again.

use super::fields::{self, Turn};
use crate::{
    domain::ids::{IssueId, RepoId},
    engine::{Engine, labels},
    store::{
        self, WriteTx, issue_facts, label_edits,
        outbox::{self, Due, Parked, Sending},
    },
};

/// Nothing can be written to this issue any more.
pub async fn issue(engine: &Engine, issue: &IssueId, why: &str) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    let turn = Turn::take(&mut tx, issue).await?;
    label_edits::park(&mut tx, issue, why).await?;
    outbox::park(&mut tx, Parked::OfIssue(issue), why).await?;
    fields::lift(engine, &mut tx, issue, |over| over.settled_at.is_none()).await?;
    if let Some(issue) = issue_facts::find(&mut tx, issue).await? {
        labels::edit(engine, &mut tx, &issue, &[]).await?;
    }
    turn.end(&mut tx).await?;
    tx.commit().await
}

/// GitHub does not take this entry; if it was changed meanwhile, it may take what it is now.
pub async fn entry(engine: &Engine, due: &Due, sending: &Sending, why: &str) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    let turn = match &due.issue_id {
        Some(issue) => Turn::take(&mut tx, issue).await?,
        None => Turn::default(),
    };
    if outbox::park(&mut tx, Parked::Entry(sending), why).await? == 0 {
        outbox::put_off(&mut tx, sending, why, false, engine.clock.now()).await?;
    } else if let Some(issue) = &due.issue_id {
        fields::lift(engine, &mut tx, issue, |over| over.id == due.id).await?;
    }
    turn.end(&mut tx).await?;
    tx.commit().await
}

/// A repository is tracked no more. Those that wait for its issues are the caller's to count.
pub async fn repo(engine: &Engine, tx: &mut WriteTx, repo: &RepoId) -> store::Result<()> {
    let why = "the repository is tracked no more";
    label_edits::park_of_repo(tx, repo, why).await?;
    outbox::park(tx, Parked::OfRepo(repo), why).await?;
    fields::lift_all_in(engine, tx, repo).await
}
