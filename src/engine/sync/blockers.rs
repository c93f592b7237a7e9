//! GitHub's own "blocked by", read before a page is applied: for open issues whose summary says that they have
//! blockers, and only where something about them changed.

use std::collections::HashMap;

use crate::{
    domain::{
        dependencies::Blocker,
        ids::IssueNumber,
        issue::{IssueState, RemoteIssue, RemoteItem},
        repo::TrackedRepo,
    },
    engine::Engine,
    github,
    store::{
        self,
        issues::{self, Known},
    },
};

/// What GitHub listed for some issues of a page.
#[derive(Debug, Default)]
pub struct Listed(HashMap<IssueNumber, Vec<Blocker>>);

/// Why nothing could be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    GitHub(#[from] github::Error),
    #[error("the database failed")]
    Database(#[from] store::Error),
}

impl Listed {
    /// What was listed for this issue; an issue that has no blocker any more needs no list.
    pub fn of(&self, issue: &RemoteIssue, before: Option<&Known>) -> Option<Vec<Blocker>> {
        let lost_all = issue.blockers == Some(0) && before.is_some_and(|known| known.listed_blockers != 0);
        if lost_all { Some(Vec::new()) } else { self.0.get(&issue.number).cloned() }
    }
}

/// Asks GitHub for the blockers of those issues of a page that need it. `go_on` is asked before each request.
pub async fn list<E: From<ListError>>(
    engine: &Engine,
    repo: &TrackedRepo,
    items: &[RemoteItem],
    go_on: impl Fn() -> Result<(), E>,
) -> Result<Listed, E> {
    let blocked: Vec<&RemoteIssue> = items
        .iter()
        .filter_map(|item| match item {
            RemoteItem::Issue(issue) => Some(issue),
            RemoteItem::Pull(_) => None,
        })
        .filter(|issue| issue.state == IssueState::Open && issue.blockers > Some(0))
        .collect();
    let mut listed = Listed::default();
    if blocked.is_empty() {
        return Ok(listed);
    }
    let known = known(engine, repo, &blocked).await?;
    for issue in blocked {
        if known.get(&issue.number).is_some_and(|before| is_told(before, issue)) {
            continue;
        }
        go_on()?;
        match engine.github.blockers(&repo.name, issue.number).await {
            Ok(blockers) => {
                listed.0.insert(issue.number, blockers);
            }
            // Gone meanwhile, or not for these credentials: no reason not to apply the page.
            Err(github::Error::NotFound | github::Error::IssuesDisabled | github::Error::Forbidden) => {}
            Err(error) => return Err(ListError::from(error).into()),
        }
    }
    Ok(listed)
}

async fn known(
    engine: &Engine,
    repo: &TrackedRepo,
    issues: &[&RemoteIssue],
) -> Result<HashMap<IssueNumber, Known>, ListError> {
    let numbers: Vec<_> = issues.iter().map(|issue| issue.number).collect();
    let mut tx = engine.db.read_once().await?;
    Ok(issues::known(&mut tx, &repo.id, &numbers).await?)
}

/// GitHub moves `updated_at` or the count when blockers change, so the same of both means the same blockers.
fn is_told(before: &Known, issue: &RemoteIssue) -> bool {
    before.removed_at.is_none()
        && before.github_id == issue.github_id
        && issue.blockers == Some(before.listed_blockers)
        && issue.updated_at <= before.updated_at
}
