//! The `refresh` verb: reads one issue from GitHub and applies it (`contract/operations.md` 1.7).

use super::{
    Engine, Error, Result, claims, dependencies,
    failpoint::failpoint,
    heard, reconcile,
    sync::{
        apply,
        blockers::{self, ListError},
    },
};
use crate::{
    domain::{
        ids::IssueNumber,
        issue::{RemoteIssue, RemoteItem},
        repo::{RepoName, TrackedRepo},
        time::Timestamp,
    },
    github::{self, Lookup},
    store::{ReadTx, issues, repos},
};

/// What became of the issue in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    Created,
    Updated,
}

/// What is behind the number at GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    Issue(Refreshed),
    Pull,
    /// Deleted, transferred or never there; now it is not in the cache either.
    Gone,
}

/// Reads one issue and applies it.
pub async fn refresh(engine: &Engine, name: &RepoName, number: IssueNumber) -> Result<Refreshed> {
    let mut tx = engine.db.read_once().await?;
    let repo = tracked(&mut tx, name).await?;
    drop(tx);
    match look(engine, &repo, number).await? {
        Looked::Issue(refreshed) => Ok(refreshed),
        Looked::Pull => Err(Error::GitHub(format!("#{number} is a pull request, not an issue"))),
        Looked::Gone => Err(Error::GitHub(format!(
            "#{number} is not in {} on GitHub (deleted, transferred or never there)",
            repo.name
        ))),
    }
}

/// Asks GitHub what an issue is now; the cache follows.
pub async fn look(engine: &Engine, repo: &TrackedRepo, number: IssueNumber) -> Result<Looked> {
    failpoint!("refresh", Error::GitHub("poisoned".to_owned()));
    let began = engine.clock.now();
    let found = engine.github.issue(&repo.name, number).await;
    Ok(match found.map_err(in_words)? {
        Lookup::Issue(issue) => Looked::Issue(apply_one(engine, repo, *issue, began).await?),
        Lookup::Pull(_) => Looked::Pull,
        Lookup::Gone | Lookup::Moved => {
            remove(engine, repo, number).await?;
            Looked::Gone
        }
    })
}

fn in_words(error: github::Error) -> Error {
    Error::GitHub(format!("{}; {}", error.code().what(), error.code().remedy()))
}

impl From<ListError> for Error {
    fn from(error: ListError) -> Self {
        match error {
            ListError::GitHub(error) => in_words(error),
            ListError::Database(error) => Self::Database(error),
        }
    }
}

/// The tracked repository of this name; names compare without case, and former names count.
pub async fn tracked(tx: &mut ReadTx, name: &RepoName) -> Result<TrackedRepo> {
    let found = repos::find_tracked(tx, name).await?;
    found.ok_or_else(|| {
        Error::NotFound(format!(
            "Repo {name} is not tracked. Add it with `dispatch repo add` (POST /api/automation/repos) first"
        ))
    })
}

async fn apply_one(
    engine: &Engine,
    repo: &TrackedRepo,
    issue: RemoteIssue,
    began: Timestamp,
) -> Result<Refreshed> {
    let number = issue.number;
    let items = [RemoteItem::Issue(issue)];
    let listed = blockers::list(engine, repo, &items, || Ok::<_, Error>(())).await?;
    let mut tx = engine.db.write().await?;
    let known = issues::known(&mut tx, &repo.id, &[number]).await?;
    apply::apply(engine, &engine.ids, &mut tx, repo, (&items, &listed), began).await?;
    tx.commit().await?;
    reconcile::reconcile(engine, repo, &repo.sync.rules).await?;
    if let Some(known) = known.get(&number) {
        heard::hear_one(engine, &known.id, began).await?;
    }
    let there = known.get(&number).is_some_and(|known| known.removed_at.is_none());
    Ok(if there { Refreshed::Updated } else { Refreshed::Created })
}

async fn remove(engine: &Engine, repo: &TrackedRepo, number: IssueNumber) -> Result<()> {
    let mut tx = engine.db.write().await?;
    if let Some(known) = issues::known(&mut tx, &repo.id, &[number]).await?.remove(&number) {
        let left = dependencies::leaving(&mut tx, &repo.id, &known.id, number).await?;
        issues::remove(&mut tx, &known.id, engine.clock.now()).await?;
        left.write(&mut tx).await?;
        claims::issue_is_gone(engine, &mut tx, &known.id).await?;
        tx.commit().await?;
    }
    Ok(())
}
