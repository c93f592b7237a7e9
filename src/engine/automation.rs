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
    github::RemoteRepo,
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
        described.push(Described { repo: repo.name, run, error });
    }
    Ok(Some(described))
}

/// Is a repository's word on itself, or a newer commit, on its way? None of both: they are as they were.
async fn describe(engine: &Engine, repo: &TrackedRepo, run: &str, began: Timestamp) -> Result<()> {
    const PLACE: &str = "repository";
    let held = conditional::held(engine, &repo.id, PLACE).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let news = engine.github.repository_if_changed(&repo.name, held.etag.as_ref(), point).await;
    let news = news.map_err(conditional::in_words)?;
    let branch = match &news {
        Some(news) => news.content.default_branch.clone(),
        None => default_branch(engine, &repo.id).await?,
    };
    let commits = format!("commits/{branch}");
    let held = conditional::held(engine, &repo.id, &commits).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let newest = engine.github.newest_commit(&repo.name, &branch, held.etag.as_ref(), point).await;
    let newest = newest.map_err(conditional::in_words)?;
    let mut tx = engine.db.write().await?;
    let said = news.as_ref().map(|news| &news.content);
    if said.is_some_and(|said| said.archived) {
        pr_fix::close::repo_is_archived(engine, &mut tx, &repo.name).await?;
    }
    let facts = Facts {
        default_branch: said.map(|said| said.default_branch.as_str()),
        archived: said.map(|said: &RemoteRepo| said.archived),
        latest_commit: newest.as_ref().map(|newest| newest.content.as_deref()),
    };
    repos::set_facts(&mut tx, &repo.id, facts, run, (began, engine.clock.now())).await?;
    if let Some(news) = news {
        conditional::remember(engine, &mut tx, &repo.id, PLACE, news.etag, None).await?;
    }
    if let Some(newest) = newest {
        conditional::remember(engine, &mut tx, &repo.id, &commits, newest.etag, None).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn default_branch(engine: &Engine, repo: &RepoId) -> store::Result<String> {
    let mut tx = engine.db.read_once().await?;
    let row = repos::find_row(&mut tx, repo).await?;
    Ok(row.map(|row| row.default_branch).unwrap_or_default())
}
