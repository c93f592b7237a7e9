//! What is read again and again: what GitHub gave the last answer, so that an unchanged one costs nothing of the quota.

use super::{Engine, Error, Result};
use crate::{
    domain::{ids::RepoId, repo::RepoName, time::Timestamp},
    github::{self, Point, Validator},
    store::{
        self, WriteTx,
        conditional::{self, Held},
    },
};

/// How it was read last.
pub async fn held(engine: &Engine, repo: &RepoId, place: &str) -> store::Result<Held> {
    let mut tx = engine.db.read_once().await?;
    conditional::find(&mut tx, repo, place).await
}

/// Was it read before? What is read once is nothing to be asked about again.
pub async fn was_read(engine: &Engine, repo: &RepoId, place: &str) -> store::Result<bool> {
    let mut tx = engine.db.read_once().await?;
    conditional::was_read(&mut tx, repo, place).await
}

/// Draws the point for an ordinary read, or says why none may begin now.
pub fn admit(engine: &Engine, repo: &RepoName) -> Result<Point> {
    engine.github.admit(repo).map_err(|backoff| {
        let code = backoff.code();
        Error::GitHub(format!("{}; {}", code.what(), code.remedy()))
    })
}

/// GitHub's refusal in our words.
pub fn in_words(error: github::Error) -> Error {
    let code = error.code();
    Error::GitHub(format!("{}; {}", code.what(), code.remedy()))
}

/// What was read is written in this transaction: next time only what came since is of interest.
pub async fn remember(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &RepoId,
    place: &str,
    etag: Option<Validator>,
    since: Option<Timestamp>,
) -> store::Result<()> {
    conditional::upsert(tx, repo, place, &Held { etag, since }, engine.clock.now()).await
}
