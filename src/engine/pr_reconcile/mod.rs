//! The `reconcile` verb of operators (`contract/operations.md` 1.8): issues follow their pull requests. A merge closes what it
//! says that it closes, once; an open pull request moves its issue; issues get their lanes. All from the cache, but for the one
//! question whether somebody opened an issue again.

mod issues;
mod merges;

use std::time::Duration;

use tokio::sync::Mutex;

use super::{Engine, Error, Result, freshness, pr_fix};
use crate::{
    domain::repo::{RepoName, TrackedRepo},
    store::{
        self,
        repos::{self, RepoRow},
    },
};

/// Who decides, in the audit log.
pub const ACTOR: &str = "reconciler";

/// A cache that GitHub confirmed so lately is as good as its word.
const FRESH: Duration = Duration::from_mins(1);

/// One pass at a time.
#[derive(Debug, Default)]
pub struct Turn(Mutex<()>);

/// What a pass came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub repos: u64,
    pub merged_found: u64,
    pub open_checked: u64,
    pub closed: u64,
    pub labelled: u64,
    pub lanes: u64,
    pub fixes_checked: u64,
    pub fixes_stale: u64,
    pub errors: Vec<(RepoName, String)>,
}

/// Reconciles all tracked repositories, or one; `None` while somebody else does.
pub async fn reconcile(engine: &Engine, only: Option<&RepoName>) -> Result<Option<Report>> {
    let Ok(_turn) = engine.pr_reconcile.0.try_lock() else { return Ok(None) };
    let mut tx = engine.db.read().await?;
    let mut tracked = repos::list_tracked(&mut tx).await?;
    let rows = repos::list_all(&mut tx).await?;
    drop(tx);
    tracked.retain(|repo| only.is_none_or(|name| *name == repo.name));
    if tracked.is_empty() {
        return Err(Error::NotFound("No tracked repos found".to_owned()));
    }
    let mut report = Report::default();
    for repo in tracked {
        let Some(row) = rows.iter().find(|row| row.id == repo.id && !row.archived) else { continue };
        report.repos += 1;
        match pass(engine, &repo, row, &mut report).await {
            Ok(()) => {}
            Err(Error::Database(error)) => return Err(error.into()),
            Err(error) => report.errors.push((repo.name, error.to_string())),
        }
    }
    Ok(Some(report))
}

async fn pass(engine: &Engine, repo: &TrackedRepo, row: &RepoRow, report: &mut Report) -> Result<()> {
    let followed = follow(engine, repo, row, report).await;
    // Which are closed is known without a read.
    let reaped = pr_fix::close::reap(engine, repo).await?;
    report.fixes_checked += reaped.checked;
    report.fixes_stale += reaped.marked;
    followed
}

async fn follow(engine: &Engine, repo: &TrackedRepo, row: &RepoRow, report: &mut Report) -> Result<()> {
    let fresh_since = engine.clock.now().minus(FRESH);
    freshness::look(engine, &repo.name, fresh_since).await?;
    merges::follow(engine, repo, row, report).await?;
    issues::move_linked(engine, repo, report).await?;
    issues::put_into_lanes(engine, repo, report).await
}

/// A pass of the scheduler, where no tracked repository is nothing to be told.
pub async fn by_itself(engine: &Engine) -> store::Result<Report> {
    match reconcile(engine, None).await {
        Ok(report) => Ok(report.unwrap_or_default()),
        Err(Error::Database(error)) => Err(error),
        Err(_) => Ok(Report::default()),
    }
}
