//! What lists and payloads say of pull requests goes into the cache, with the issues that they are about.

use std::collections::{BTreeSet, HashMap};

use crate::{
    domain::{
        ids::{IssueId, IssueNumber},
        issue::RemotePull,
        pull::links::{LinkedBy, links},
        pull_event::PullNow,
        repo::TrackedRepo,
    },
    engine::Engine,
    store::{
        self, WriteTx, pull_links,
        pulls::{self, Known},
    },
};

/// A pull request as somebody showed it.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// As the list of issues has it, which does not say where the branches are.
    Listed(&'a RemotePull),
    Whole(&'a PullNow),
}

impl<'a> Seen<'a> {
    fn listed(self) -> &'a RemotePull {
        match self {
            Self::Listed(pull) => pull,
            Self::Whole(pull) => &pull.listed,
        }
    }

    fn whole(self) -> Option<&'a PullNow> {
        match self {
            Self::Listed(_) => None,
            Self::Whole(pull) => Some(pull),
        }
    }

    /// Does it say more than is known? An older word does not.
    fn is_news(self, known: Option<&Known>) -> bool {
        let listed = self.listed();
        let Some(known) = known else { return true };
        listed.updated_at > known.updated_at
            || (listed.updated_at == known.updated_at
                && (listed.content_hash() != known.content_hash
                    || self.whole().is_some_and(|pull| is_elsewhere(pull, known))))
    }
}

/// Are the branches not where they were?
fn is_elsewhere(pull: &PullNow, known: &Known) -> bool {
    known.head_sha.as_ref() != Some(&pull.head.sha)
        || known.head_ref.as_ref() != Some(&pull.head.branch)
        || known.base_ref.as_ref() != Some(&pull.base_ref)
        || known.own_head != pull.is_of_own_branch()
}

/// What is new of some pull requests, and the issues that it concerns: those are to be locked before it is written.
#[derive(Debug, Default)]
pub struct News<'a> {
    news: Vec<(Seen<'a>, BTreeSet<(IssueNumber, LinkedBy)>)>,
    issues: Vec<IssueId>,
}

impl<'a> News<'a> {
    /// Compares what was seen, each pull request once, with what is known and nobody else changes from here on.
    pub async fn find(tx: &mut WriteTx, repo: &TrackedRepo, seen: &[Seen<'a>]) -> store::Result<Self> {
        let numbers: Vec<IssueNumber> = seen.iter().map(|seen| seen.listed().number).collect();
        let known = pulls::lock_known(tx, &repo.id, &numbers).await?;
        let news: Vec<_> = seen
            .iter()
            .filter(|seen| seen.is_news(known.get(&seen.listed().number)))
            .map(|seen| (*seen, links_of(*seen, &known, repo)))
            .collect();
        if news.is_empty() {
            return Ok(Self::default());
        }
        let changed: Vec<IssueNumber> = news.iter().map(|(seen, _)| seen.listed().number).collect();
        let mut about = pull_links::list_numbers(tx, &repo.id, &changed).await?;
        about.extend(news.iter().flat_map(|(_, links)| links.iter().map(|(number, _)| *number)));
        let issues = pull_links::list_issues(tx, &repo.id, &about).await?;
        Ok(Self { news, issues })
    }

    /// The issues that a new word concerns.
    pub fn issues(&self) -> &[IssueId] {
        &self.issues
    }

    /// Writes it down; the issues are locked.
    pub async fn write(self, engine: &Engine, tx: &mut WriteTx, repo: &TrackedRepo) -> store::Result<()> {
        let now = engine.clock.now();
        let listed: Vec<&RemotePull> = self.news.iter().map(|(seen, _)| seen.listed()).collect();
        pulls::upsert(tx, &repo.id, &listed, now).await?;
        for pull in self.news.iter().filter_map(|(seen, _)| seen.whole()) {
            pulls::describe(tx, &repo.id, pull, pull.is_of_own_branch(), now).await?;
        }
        let links: Vec<_> =
            self.news.into_iter().map(|(seen, links)| (seen.listed().number, links)).collect();
        pull_links::replace(tx, &repo.id, &links).await?;
        pull_links::relink(tx, &self.issues).await
    }
}

/// The list of issues does not name branches: the one that was known is still it.
fn links_of(
    seen: Seen<'_>,
    known: &HashMap<IssueNumber, Known>,
    repo: &TrackedRepo,
) -> BTreeSet<(IssueNumber, LinkedBy)> {
    let listed = seen.listed();
    let branch = match seen.whole() {
        Some(pull) => Some(pull.head.branch.as_str()),
        None => known.get(&listed.number).and_then(|known| known.head_ref.as_deref()),
    };
    links(listed.body.as_deref(), &listed.title, branch, &repo.name)
}

/// Writes what was seen, in the transaction at hand, which holds no locks yet.
pub async fn note(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    seen: &[Seen<'_>],
) -> store::Result<()> {
    let news = News::find(tx, repo, seen).await?;
    store::claims::lock_issues(tx, news.issues()).await?;
    news.write(engine, tx, repo).await
}
