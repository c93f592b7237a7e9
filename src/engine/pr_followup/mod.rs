//! The `pr-followup` verb (`contract/operations.md` 5.1): what happens to the pull requests of bots becomes work in the PR-fix
//! queue. Everything is read by what GitHub gave the last answer, so pull requests at rest cost nothing.

mod heard;
mod look;

use tokio::sync::Mutex;

pub use heard::hear;

use super::{Engine, Error, Result, conditional, pr_fix, pulls};
use crate::{
    domain::{pr_followup::Gates, repo::TrackedRepo},
    store::{self, followed, repos},
};

/// One look at a time.
#[derive(Debug, Default)]
pub struct Turn(Mutex<()>);

/// What a look came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub repos_scanned: u64,
    pub repos_failed: u64,
    pub prs_scanned: u64,
    /// Evidence that was new.
    pub enqueued: u64,
    /// Evidence that was known.
    pub skipped: u64,
    pub stale_reaped: u64,
    pub rate_limited: bool,
    /// Reads of one thing that GitHub refused, while others went on.
    refused: u64,
}

/// Looks at all tracked repositories; `None` while somebody else does.
pub async fn sync(engine: &Engine) -> store::Result<Option<Report>> {
    let Ok(_turn) = engine.pr_followup.0.try_lock() else { return Ok(None) };
    let mut tx = engine.db.read_once().await?;
    let tracked = repos::list_tracked(&mut tx).await?;
    drop(tx);
    let mut report = Report::default();
    for repo in tracked.iter().filter(|repo| gates(engine).follows_repo(&repo.name)) {
        report.repos_scanned += 1;
        let refused = report.refused;
        match follow(engine, repo, &mut report).await {
            Ok(()) => report.repos_failed += u64::from(report.refused > refused),
            Err(Error::Database(error)) => return Err(error),
            Err(error) => {
                report.repos_failed += 1;
                report.rate_limited |= engine.github.backoff([&repo.name]).is_some();
                tracing::info!(repository = %repo.name, %error, "its pull requests were not followed");
            }
        }
    }
    Ok(Some(report))
}

/// Whose pull requests are followed.
fn gates(engine: &Engine) -> Gates<'_> {
    let settings = &engine.settings.follow_up;
    Gates { bots: &settings.bots, owners: &settings.owners }
}

async fn follow(engine: &Engine, repo: &TrackedRepo, report: &mut Report) -> Result<()> {
    let looked = look_at_open(engine, repo, report).await;
    // Which are closed is known without a read.
    report.stale_reaped += pr_fix::close::reap(engine, repo).await?.marked;
    looked
}

async fn look_at_open(engine: &Engine, repo: &TrackedRepo, report: &mut Report) -> Result<()> {
    let mut tx = engine.db.read_once().await?;
    let is_empty = followed::list_of_authors(&mut tx, &repo.id, gates(engine).bots).await?.is_empty();
    drop(tx);
    if !is_empty {
        // Their newest commits.
        let point = conditional::admit(engine, &repo.name)?;
        match pulls::read::read_open(engine, repo, Some(point)).await {
            Ok(()) => {}
            Err(pulls::read::Fault::Database(error)) => return Err(error.into()),
            Err(pulls::read::Fault::GitHub(error)) => return Err(conditional::in_words(error)),
        }
    }
    let mut tx = engine.db.read_once().await?;
    let open = followed::list_of_authors(&mut tx, &repo.id, gates(engine).bots).await?;
    drop(tx);
    for pull in open {
        report.prs_scanned += 1;
        look::look(engine, repo, &pull, report).await?;
    }
    Ok(())
}
