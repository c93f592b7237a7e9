//! Parking: what GitHub will not take is kept with the reason, and the cache shows what GitHub says again.

use super::fields::{self, Turn};
use crate::{
    domain::{
        ids::{IssueId, IssueNumber, RepoId},
        outbox::{Facet, Try},
    },
    engine::{Engine, labels},
    store::{
        self, WriteTx, claims, issue_facts, label_edits,
        outbox::{self, Due, Parked, Sending},
    },
};

/// Why nothing is written to a repository.
pub const UNTRACKED: &str = "the repository is tracked no more";

/// Nothing can be written to this issue any more, as the answer to `sent` told.
pub async fn issue(engine: &Engine, issue: &IssueId, sent: Option<&Sending>, why: &str) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    let turn = Turn::take(&mut tx, issue).await?;
    if let Some(sent) = sent {
        outbox::put_off(&mut tx, sent, (why, Try::Refused), engine.clock.now()).await?;
    }
    label_edits::park(&mut tx, issue, why).await?;
    outbox::park(&mut tx, Parked::OfIssue(issue), why).await?;
    fields::lift(engine, &mut tx, issue, |over| over.settled_at.is_none()).await?;
    if let Some(issue) = issue_facts::find(&mut tx, issue).await? {
        labels::edit(engine, &mut tx, &issue, &[]).await?;
    }
    turn.end(&mut tx).await?;
    tx.commit().await
}

/// Nothing can be written to the pull request of this entry any more, as the answer to it told.
pub async fn pull(
    engine: &Engine,
    (due, number): (&Due, IssueNumber),
    sent: &Sending,
    why: &str,
) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    for facet in Facet::ALL {
        outbox::park(&mut tx, Parked::OfPull(&due.repository_id, number, facet), why).await?;
    }
    outbox::put_off(&mut tx, sent, (why, Try::Refused), engine.clock.now()).await?;
    tx.commit().await
}

/// GitHub does not take this entry; if it was changed meanwhile, it may take what it is now.
pub async fn entry(
    engine: &Engine,
    due: &Due,
    sending: &Sending,
    (why, tried): (&str, Try),
) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    let turn = match &due.issue_id {
        Some(issue) => Turn::take(&mut tx, issue).await?,
        None => Turn::default(),
    };
    if outbox::park(&mut tx, Parked::Entry(sending, tried), why).await? == 0 {
        outbox::put_off(&mut tx, sending, (why, tried), engine.clock.now()).await?;
    } else if let Some(issue) = &due.issue_id {
        fields::lift(engine, &mut tx, issue, |over| over.id == due.id).await?;
    }
    turn.end(&mut tx).await?;
    tx.commit().await
}

/// The issue is not at GitHub any more, and what is cached of it shows nowhere.
pub async fn gone(engine: &Engine, tx: &mut WriteTx, issue: &IssueId) -> store::Result<()> {
    let why = "the issue was deleted, or transferred to another repository";
    label_edits::park(tx, issue, why).await?;
    outbox::park(tx, Parked::OfIssue(issue), why).await?;
    fields::lift(engine, tx, issue, |over| over.settled_at.is_none()).await?;
    Ok(())
}

/// A repository is tracked no more: nothing is written to its issues. Those that wait for them are the caller's to count.
pub async fn repo(engine: &Engine, tx: &mut WriteTx, repo: &RepoId) -> store::Result<()> {
    let why = UNTRACKED;
    // Whoever settles an entry locks its issue first, too.
    let waiting = outbox::list_waiting(tx, repo).await?;
    claims::lock_issues(tx, &waiting).await?;
    label_edits::park_of_repo(tx, repo, why).await?;
    outbox::park(tx, Parked::OfRepo(repo), why).await?;
    fields::lift_all_in(engine, tx, repo).await
}

/// Nor to its pull requests.
pub async fn pulls_of(tx: &mut WriteTx, repo: &RepoId) -> store::Result<()> {
    for facet in Facet::ALL {
        outbox::park(tx, Parked::PullsOf(repo, facet), UNTRACKED).await?;
    }
    Ok(())
}
