//! Items whose pull requests are nobody's work any more: closed at GitHub, or of a repository that is not tracked.

use super::{Change, save};
use crate::{
    domain::{
        audit::AuditAction,
        ids::{IssueNumber, PrFixId, RepoId},
        pr_fix::{FixStatus, FixType, handout::close},
        repo::{RepoName, TrackedRepo},
    },
    engine::{Engine, outbox},
    store::{self, WriteTx, followed, pr_fix},
};

/// Items closed at once.
const BATCH: i64 = 500;

/// A page of GitHub's list was applied: items of these pull requests end that are closed since.
pub async fn pulls_are_closed(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: (&RepoId, &RepoName),
    numbers: &[IssueNumber],
) -> store::Result<()> {
    let ids = pr_fix::list_closed(tx, repo, numbers).await?;
    close_all(engine, tx, &ids, "the pull request is merged or closed").await
}

/// What a look for items of closed pull requests came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    pub checked: u64,
    pub marked: u64,
}

/// Looks at all items of a repository: those end whose pull requests are closed by the newest that is known.
pub async fn reap(engine: &Engine, repo: &TrackedRepo) -> store::Result<Reaped> {
    let mut tx = engine.db.write().await?;
    let open = followed::list_fixes(&mut tx, &repo.id, &repo.name).await?;
    let closed: Vec<PrFixId> =
        open.iter().filter(|(_, is_closed)| *is_closed).map(|(id, _)| id.clone()).collect();
    close_all(engine, &mut tx, &closed, "the pull request is merged or closed").await?;
    tx.commit().await?;
    let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
    Ok(Reaped { checked: count(open.len()), marked: count(closed.len()) })
}

/// GitHub says that a pull request conflicts with nothing any more: an item that asks for no more than that is done.
pub async fn conflict_is_over(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &RepoName,
    number: IssueNumber,
) -> store::Result<()> {
    let repo = pr_fix::present_name(tx, repo).await?;
    let Some(before) = pr_fix::lock(tx, &repo, number).await? else { return Ok(()) };
    if before.status != FixStatus::Queued || before.kind != FixType::MergeConflict {
        return Ok(());
    }
    let mut after = before.clone();
    after.settle_as(FixStatus::Fixed);
    let change = Change::by_dispatch("mark", AuditAction::PrFixMark).noting(Some("the conflict is over"));
    save(engine, tx, &before, &mut after, &change).await
}

/// A repository is tracked no more.
pub async fn repo_is_gone(engine: &Engine, tx: &mut WriteTx, repo: &TrackedRepo) -> store::Result<()> {
    close_in(engine, tx, &repo.name, "the repository is tracked no more").await?;
    // After the items: who changes one locks it before what its pull request waits for.
    outbox::park_pulls_of(tx, &repo.id).await
}

/// A repository takes no changes any more.
pub async fn repo_is_archived(engine: &Engine, tx: &mut WriteTx, repo: &RepoName) -> store::Result<()> {
    close_in(engine, tx, repo, "the repository is archived").await
}

async fn close_in(engine: &Engine, tx: &mut WriteTx, repo: &RepoName, why: &str) -> store::Result<()> {
    loop {
        let ids = pr_fix::list_open_in(tx, repo, BATCH).await?;
        if ids.is_empty() {
            return Ok(());
        }
        close_all(engine, tx, &ids, why).await?;
    }
}

async fn close_all(engine: &Engine, tx: &mut WriteTx, ids: &[PrFixId], why: &str) -> store::Result<()> {
    for id in ids {
        let locked = pr_fix::lock_by_id(tx, id).await?;
        let Some(before) = locked.filter(|item| item.status.is_open() || item.status == FixStatus::Fixed)
        else {
            continue;
        };
        let change = Change::by_dispatch("stale", AuditAction::PrFixStale).noting(Some(why));
        save(engine, tx, &before, &mut close(&before), &change).await?;
    }
    Ok(())
}
