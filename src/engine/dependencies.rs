//! Who waits for whom. Whatever opens, closes, comes, goes or is said to block, the issues that it concerns are counted
//! anew in the same transaction, so that a closed blocker frees its dependents at once.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    domain::{
        dependencies::Blocker,
        ids::{IssueId, IssueNumber, RepoId},
        repo::RepoName,
    },
    store::{
        self, ReadTx, WriteTx, claims,
        dependencies::{self, Dependencies, Dependency},
        turns::{self, Turn},
    },
};

/// What a page of a repository means for who waits for whom.
#[derive(Default)]
pub struct Stir {
    /// Issues that came, went, opened or closed.
    flipped: Vec<IssueNumber>,
    said: Vec<Said>,
}

/// What an issue waits for, as far as it was read.
struct Said {
    issue: IssueId,
    is_new: bool,
    by_text: Option<Vec<Blocker>>,
    by_github: Option<Vec<Blocker>>,
}

/// What is to be written once the page itself is.
#[derive(Default)]
pub struct Settled {
    changed: Vec<(IssueId, BTreeSet<Dependency>)>,
    affected: Vec<IssueId>,
}

impl Stir {
    /// This issue came, went, opened or closed.
    pub fn flip(&mut self, number: IssueNumber) {
        self.flipped.push(number);
    }

    /// What an issue waits for by its text and by GitHub's word; `None` where nothing was said anew.
    pub fn say(
        &mut self,
        issue: &IssueId,
        is_new: bool,
        by_text: Option<Vec<Blocker>>,
        by_github: Option<Vec<Blocker>>,
    ) {
        let is_nothing = |said: &Option<Vec<Blocker>>| said.as_ref().is_none_or(Vec::is_empty);
        if (by_text.is_some() || by_github.is_some())
            && !(is_new && is_nothing(&by_text) && is_nothing(&by_github))
        {
            self.said.push(Said { issue: issue.clone(), is_new, by_text, by_github });
        }
    }

    /// Finds what changes, and waits for its turn if anything does. Call it before issues are locked.
    pub async fn settle(self, tx: &mut WriteTx, repo: &RepoId) -> store::Result<Settled> {
        let old: Vec<_> =
            self.said.iter().filter(|said| !said.is_new).map(|said| said.issue.clone()).collect();
        let mut before = dependencies::list_of(tx, &old).await?;
        let changed = changes(tx, self.said, &mut before).await?;
        if changed.is_empty() && self.flipped.is_empty() {
            return Ok(Settled::default());
        }
        turns::take(tx, Turn::Dependencies).await?;
        let mut affected: BTreeSet<IssueId> = changed.iter().map(|(issue, _)| issue.clone()).collect();
        if !self.flipped.is_empty() {
            affected.extend(dependencies::list_dependents(tx, repo, &self.flipped).await?);
        }
        Ok(Settled { changed, affected: affected.into_iter().collect() })
    }
}

/// What differs from what is stored, under the repositories' present names.
async fn changes(
    tx: &mut ReadTx,
    said: Vec<Said>,
    before: &mut Dependencies,
) -> store::Result<Vec<(IssueId, BTreeSet<Dependency>)>> {
    let blockers = said.iter().flat_map(|said| [&said.by_text, &said.by_github]).flatten().flatten();
    let names: BTreeSet<String> = blockers.map(|blocker| blocker.repo.key()).collect();
    let present = dependencies::present_keys(tx, &names).await?;
    let mut changed = Vec::new();
    for Said { issue, by_text, by_github, .. } in said {
        let known = before.remove(&issue).unwrap_or_default();
        let mut now = BTreeSet::new();
        for (native, told) in [(false, by_text), (true, by_github)] {
            match told {
                Some(blockers) => now.extend(blockers.iter().map(|blocker| row(blocker, native, &present))),
                None => now.extend(known.iter().filter(|row| row.native == native).cloned()),
            }
        }
        if now != known {
            changed.push((issue, now));
        }
    }
    Ok(changed)
}

fn row(blocker: &Blocker, native: bool, present: &HashMap<String, String>) -> Dependency {
    let key = blocker.repo.key();
    Dependency { repo_key: present.get(&key).cloned().unwrap_or(key), number: blocker.number, native }
}

impl Settled {
    /// The issues that must be locked besides those of the page.
    pub fn affected(&self) -> &[IssueId] {
        &self.affected
    }

    /// Writes it, and counts. Call it when the page is written.
    pub async fn write(&self, tx: &mut WriteTx) -> store::Result<()> {
        let changed: Vec<_> = self.changed.iter().map(|(issue, rows)| (issue, rows)).collect();
        dependencies::replace(tx, &changed).await?;
        dependencies::recount(tx, &self.affected).await
    }
}

/// An issue is about to leave the cache: whoever waits for it is locked with it, and counted by [`Settled::write`].
pub async fn leaving(
    tx: &mut WriteTx,
    repo: &RepoId,
    issue: &IssueId,
    number: IssueNumber,
) -> store::Result<Settled> {
    let mut stir = Stir::default();
    stir.flip(number);
    let settled = stir.settle(tx, repo).await?;
    claims::lock_issues(tx, &both(std::slice::from_ref(issue), settled.affected())).await?;
    Ok(settled)
}

/// Waits until nobody else changes who waits for whom. Transactions that change a repository call it first of all.
pub async fn turn(tx: &mut WriteTx) -> store::Result<()> {
    turns::take(tx, Turn::Dependencies).await
}

/// A repository is tracked again, or no more: its issues hold others back, or cease to.
pub async fn repo_changed(tx: &mut WriteTx, name: &RepoName) -> store::Result<()> {
    count_all_on(tx, &name.key()).await
}

/// A repository has another name.
pub async fn repo_renamed(tx: &mut WriteTx, from: &RepoName, to: &RepoName) -> store::Result<()> {
    if from.key() == to.key() {
        return Ok(());
    }
    dependencies::rename(tx, &from.key(), &to.key()).await?;
    count_all_on(tx, &to.key()).await
}

async fn count_all_on(tx: &mut WriteTx, repo_key: &str) -> store::Result<()> {
    let affected = dependencies::list_dependents_on(tx, repo_key).await?;
    claims::lock_issues(tx, &affected).await?;
    dependencies::recount(tx, &affected).await
}

/// The ids of both lists, each once.
pub fn both(one: &[IssueId], other: &[IssueId]) -> Vec<IssueId> {
    let all: HashSet<&IssueId> = one.iter().chain(other).collect();
    all.into_iter().cloned().collect()
}
