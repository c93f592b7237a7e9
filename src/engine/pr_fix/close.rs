//! Items whose pull requests are nobody's work any more: closed at GitHub, or of a repository that is not tracked.

use super::{Change, save};
use crate::{
    domain::{
        audit::AuditAction,
        ids::{IssueNumber, PrFixId, RepoId},
        pr_fix::{FixStatus, handout::close},
        repo::RepoName,
    },
    engine::Engine,
    store::{self, WriteTx, pr_fix},
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

/// A repository is tracked no more.
pub async fn repo_is_gone(engine: &Engine, tx: &mut WriteTx, repo: &RepoName) -> store::Result<()> {
    close_in(engine, tx, repo, "the repository is tracked no more").await
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
