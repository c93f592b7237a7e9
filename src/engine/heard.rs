//! GitHub was heard since: edits that were settled before a read began lie over the cache no more, even if the read
//! found the issue as it was. Somebody may have undone an edit before Dispatch knew that it was made.

use std::{collections::HashSet, time::Duration};

use parking_lot::Mutex;

use super::{
    Engine, claims as verbs, labels,
    outbox::{self, Turn},
};
use crate::{
    domain::{
        ids::IssueId,
        issue::IssueState,
        repo::{RepoName, TrackedRepo},
        time::Timestamp,
    },
    store::{self, ReadTx, claims, issue_facts, label_edits, outbox_fields},
};

/// GitHub's lists may lag behind what it was told; a read that finds nothing new so soon says nothing about an edit.
pub(super) const LAG: Duration = Duration::from_secs(5);

/// The repositories with settled edits, so that a read of any other asks nothing.
#[derive(Debug, Default)]
pub struct Unheard(Mutex<HashSet<String>>);

impl Unheard {
    /// Finds what earlier processes left behind.
    pub async fn load(&self, tx: &mut ReadTx) -> store::Result<()> {
        let found = label_edits::list_settled_repos(tx).await?;
        self.0.lock().extend(found.iter().map(RepoName::key));
        Ok(())
    }

    /// An edit of this repository was settled.
    pub fn add(&self, repo: &RepoName) {
        self.0.lock().insert(repo.key());
    }

    /// May a settled edit lie over something in this repository?
    pub fn holds(&self, repo: &RepoName) -> bool {
        self.0.lock().contains(&repo.key())
    }

    fn take(&self, repo: &RepoName) -> bool {
        self.0.lock().remove(&repo.key())
    }
}

/// A read of this repository that began at `began` has come to its end; gives the issues that show something else now.
pub async fn hear(engine: &Engine, repo: &TrackedRepo, began: Timestamp) -> store::Result<Vec<String>> {
    if !engine.unheard.take(&repo.name) {
        return Ok(Vec::new());
    }
    let heard = hear_all(engine, repo, began.minus(LAG)).await;
    if !matches!(heard, Ok((_, false))) {
        engine.unheard.add(&repo.name);
    }
    heard.map(|(urls, _)| urls)
}

/// Also says whether edits are left that were settled too late for this read.
async fn hear_all(
    engine: &Engine,
    repo: &TrackedRepo,
    before: Timestamp,
) -> store::Result<(Vec<String>, bool)> {
    let mut tx = engine.db.read_once().await?;
    let settled = label_edits::list_settled(&mut tx, &repo.id).await?;
    drop(tx);
    let mut urls = Vec::new();
    for edited in &settled {
        if edited.first < before {
            urls.extend(hear_issue(engine, &edited.issue_id, before).await?);
        }
    }
    Ok((urls, settled.iter().any(|edited| edited.last >= before)))
}

/// One issue was read, by a read that began at `began`.
pub async fn hear_one(engine: &Engine, issue: &IssueId, began: Timestamp) -> store::Result<()> {
    hear_issue(engine, issue, began.minus(LAG)).await.map(drop)
}

/// Forgets the edits of an issue that were settled before; what GitHub says counts then, against a claim too. Gives the
/// issue's address if it shows something else now.
pub async fn hear_issue(
    engine: &Engine,
    issue: &IssueId,
    before: Timestamp,
) -> store::Result<Option<String>> {
    let mut tx = engine.db.write().await?;
    let turn = Turn::take(&mut tx, issue).await?;
    let shown = outbox_fields::find_shown(&mut tx, issue).await?;
    let is_told = |at: Option<Timestamp>| at.is_some_and(|at| at < before);
    let lifted = outbox::lift(engine, &mut tx, issue, |over| is_told(over.settled_at)).await?;
    if label_edits::forget(&mut tx, issue, before).await? == 0 && !lifted {
        return Ok(None);
    }
    let mut changed = None;
    if let Some(facts) = issue_facts::find(&mut tx, issue).await? {
        match (shown.as_ref().map(|shown| shown.state), facts.state) {
            (Some(IssueState::Closed), IssueState::Open) => {
                labels::take_back_done(engine, &mut tx, issue).await?;
            }
            (Some(IssueState::Open), IssueState::Closed) => {
                labels::mark_done(engine, &mut tx, issue).await?;
            }
            _ => {}
        }
        let derived = labels::edit(engine, &mut tx, &facts, &[]).await?;
        if let Some(claim) = claims::find_live(&mut tx, issue).await?
            && let Some(reason) = verbs::verdict_of_github(&claim, &facts.labels, facts.state, &derived)
        {
            verbs::end_by_github(engine, &mut tx, &claim, reason).await?;
        }
        let differs =
            derived.labels != facts.labels || outbox_fields::find_shown(&mut tx, issue).await? != shown;
        changed = differs.then_some(facts.url);
    }
    turn.end(&mut tx).await?;
    tx.commit().await?;
    Ok(changed)
}
