//! The `refresh` verb: which pull request an issue has and how it fares, by GitHub's present word
//! (`contract/operations.md` 3.11).

use super::read::{self, Fault};
use crate::{
    domain::{ids::IssueId, pull::LinkedPull},
    engine::{Engine, Error, Result},
    github,
    store::{issue_facts, pull_health, repos},
};

/// Lists the open pull requests of the issue's repository, and reads the one that the issue has.
pub async fn refresh(engine: &Engine, issue: &IssueId) -> Result<Option<LinkedPull>> {
    let absent = || Error::NotFound("Issue not found in local cache".to_owned());
    let mut tx = engine.db.read().await?;
    let facts = issue_facts::find(&mut tx, issue).await?.ok_or_else(absent)?;
    let repo = repos::find_tracked(&mut tx, &facts.repo).await?.ok_or_else(absent)?;
    drop(tx);
    read::read_open(engine, &repo, None).await?;
    if let Some(linked) = linked(engine, issue).await? {
        read::look(engine, &repo, linked.number, None).await?;
    }
    linked(engine, issue).await
}

async fn linked(engine: &Engine, issue: &IssueId) -> Result<Option<LinkedPull>> {
    let mut tx = engine.db.read_once().await?;
    Ok(pull_health::find_linked(&mut tx, issue).await?)
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(error) => Self::Database(error),
            Fault::GitHub(error) => in_words(&error),
        }
    }
}

fn in_words(error: &github::Error) -> Error {
    Error::GitHub(format!("{}; {}", error.code().what(), error.code().remedy()))
}
