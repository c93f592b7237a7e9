//! The `automation` verb (`contract/operations.md` 6.3): what GitHub says of each repository itself, by requests that cost
//! nothing where it says the same.

use tokio::sync::Mutex;

use super::{Engine, Error, Result, conditional, pr_fix};
use crate::{
    domain::{
        ids::RepoId,
        repo::{RepoName, TrackedRepo},
        time::Timestamp,
    },
    github::Reading,
    store::{
        self,
        repos::{self, Facts},
    },
};

/// One pass at a time.
#[derive(Debug, Default)]
pub struct Turn(Mutex<()>);

/// What became of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub repo: RepoName,
    /// Names the pass.
    pub run: String,
    pub error: Option<String>,
}

/// Describes these repositories anew; `None` while somebody else does.
pub async fn sync(engine: &Engine, of: Vec<TrackedRepo>) -> store::Result<Option<Vec<Described>>> {
    let Ok(_turn) = engine.automation.0.try_lock() else { return Ok(None) };
    let mut described = Vec::with_capacity(of.len());
    for repo in of {
        described.push(describe_one(engine, repo).await?);
    }
    Ok(Some(described))
}

/// Describes one repository anew, after whoever describes some now.
pub async fn describe_now(engine: &Engine, repo: TrackedRepo) -> store::Result<Described> {
    let _turn = engine.automation.0.lock().await;
    describe_one(engine, repo).await
}

async fn describe_one(engine: &Engine, repo: TrackedRepo) -> store::Result<Described> {
    let began = engine.clock.now();
    let run = engine.ids.next();
    let error = match describe(engine, &repo, &run, began).await {
        Ok(()) => None,
        Err(Error::Database(error)) => return Err(error),
        Err(error) => Some(error.to_string()),
    };
    if let Some(error) = &error {
        let mut tx = engine.db.write().await?;
        let ended = (began, engine.clock.now());
        repos::describe_failed(&mut tx, &repo.id, &run, ended, error).await?;
        tx.commit().await?;
    }
    Ok(Described { repo: repo.name, run, error })
}

/// Asks about the repository itself, then about the newest commit of its default branch.
async fn describe(engine: &Engine, repo: &TrackedRepo, run: &str, began: Timestamp) -> Result<()> {
    const PLACE: &str = "repository";
    let held = conditional::held(engine, &repo.id, PLACE).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let said = engine.github.repository_if_changed(&repo.name, held.etag.as_ref(), point).await;
    let said = said.map_err(conditional::in_words)?;
    let branch = match &said {
        Reading::New { content, .. } => content.default_branch.clone(),
        Reading::Same => default_branch(engine, &repo.id).await?,
    };
    let commits = format!("commits/{branch}");
    let held = conditional::held(engine, &repo.id, &commits).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let newest = engine.github.newest_commit(&repo.name, &branch, held.etag.as_ref(), point).await;
    let newest = newest.map_err(conditional::in_words)?;
    let mut facts = Facts::default();
    let mut tx = engine.db.write().await?;
    if let Reading::New { content, etag } = &said {
        (facts.default_branch, facts.archived) =
            (Some(content.default_branch.as_str()), Some(content.archived));
        if content.archived {
            pr_fix::close::repo_is_archived(engine, &mut tx, &repo.name).await?;
        }
        conditional::remember(engine, &mut tx, &repo.id, PLACE, etag.clone(), None).await?;
    }
    if let Reading::New { content, etag } = &newest {
        facts.latest_commit = Some(content.as_deref());
        conditional::remember(engine, &mut tx, &repo.id, &commits, etag.clone(), None).await?;
    }
    repos::set_facts(&mut tx, &repo.id, facts, run, (began, engine.clock.now())).await?;
    tx.commit().await?;
    Ok(())
}

async fn default_branch(engine: &Engine, repo: &RepoId) -> store::Result<String> {
    let mut tx = engine.db.read_once().await?;
    let row = repos::find_row(&mut tx, repo).await?;
    Ok(row.map(|row| row.default_branch).unwrap_or_default())
}
