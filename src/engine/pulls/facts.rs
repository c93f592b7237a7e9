//! What lists and payloads say of pull requests goes into the cache, with the issues that they are about.

use std::{cmp::Ordering, collections::HashMap};

use crate::{
    domain::{
        ids::{IssueId, IssueNumber},
        issue::{IssueState, RemotePull},
        pull::links::{LinkedBy, links},
        pull_event::PullNow,
        repo::TrackedRepo,
    },
    engine::Engine,
    store::{
        self, WriteTx,
        pull_health::{self, LISTS, What},
        pull_links,
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

/// What a delivery is worth against what is known: deliveries come late, and again, and their times are whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Nothing that is known speaks against it.
    Present,
    /// Of the same second, and otherwise than what is known: GitHub has to be asked.
    Doubtful,
    Old,
}

impl Worth {
    fn of(seen: Seen<'_>, known: Option<&Known>) -> Self {
        let Some(known) = known else { return Self::Present };
        match seen.listed().updated_at.cmp(&known.updated_at) {
            Ordering::Less => Self::Old,
            Ordering::Equal if seen.is_news(Some(known)) || contradicts(seen, known) => Self::Doubtful,
            Ordering::Equal | Ordering::Greater => Self::Present,
        }
    }
}

/// Does it say otherwise than is known whether the same commit can be merged? No time tells when that changed.
fn contradicts(seen: Seen<'_>, known: &Known) -> bool {
    let said =
        seen.whole().and_then(|pull| pull.mergeable_state.as_deref()).filter(|said| *said != "unknown");
    said.zip(known.merge_state.as_deref()).is_some_and(|(said, known)| said != known)
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
    news: Vec<(Seen<'a>, Vec<(IssueNumber, LinkedBy)>)>,
    issues: Vec<IssueId>,
}

impl<'a> News<'a> {
    /// Compares what was seen, each pull request once, with what is known and nobody else changes from here on.
    pub async fn find(tx: &mut WriteTx, repo: &TrackedRepo, seen: &[Seen<'a>]) -> store::Result<Self> {
        let numbers: Vec<IssueNumber> = seen.iter().map(|seen| seen.listed().number).collect();
        let known = pulls::lock_known(tx, &repo.id, &numbers).await?;
        Self::against(tx, repo, seen, &known).await
    }

    async fn against(
        tx: &mut WriteTx,
        repo: &TrackedRepo,
        seen: &[Seen<'a>],
        known: &HashMap<IssueNumber, Known>,
    ) -> store::Result<Self> {
        let news: Vec<_> = seen
            .iter()
            .filter(|seen| seen.is_news(known.get(&seen.listed().number)))
            .map(|seen| (*seen, links_of(*seen, known, repo)))
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
) -> Vec<(IssueNumber, LinkedBy)> {
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

/// Writes what a delivery shows, as [`note`], and says what it is worth. What is in doubt is read again soon; until then
/// one that is closed stays so, as GitHub takes labels off what it closes in the same second.
pub async fn hear(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    seen: Seen<'_>,
) -> store::Result<Worth> {
    let listed = seen.listed();
    let all = pulls::lock_known(tx, &repo.id, &[listed.number]).await?;
    let known = all.get(&listed.number);
    let worth = Worth::of(seen, known);
    let is_doubtful = worth == Worth::Doubtful;
    let opens = listed.state == IssueState::Open && known.is_some_and(|it| it.state == IssueState::Closed);
    if !(is_doubtful && opens) {
        let news = News::against(tx, repo, &[seen], &all).await?;
        store::claims::lock_issues(tx, news.issues()).await?;
        news.write(engine, tx, repo).await?;
    }
    if is_doubtful {
        let place = (&repo.id, listed.number);
        pull_health::put_etag(tx, place, What::Detail, "", None).await?;
        if opens {
            // If it is open, the list has it.
            pull_health::put_etag(tx, (&repo.id, LISTS), What::Open, "", None).await?;
        }
        pull_health::look_again(tx, &repo.id, listed.number, (engine.clock.now(), 0)).await?;
    }
    Ok(worth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{pull_event::PullHead, time::Timestamp};

    fn pull(at: i64, state: IssueState, merge_state: &str) -> PullNow {
        let listed = RemotePull {
            number: IssueNumber(9),
            title: "Mends it".to_owned(),
            body: None,
            labels: Vec::new(),
            state,
            url: String::new(),
            author: None,
            draft: false,
            merged_at: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(at),
            closed_at: None,
        };
        let head = PullHead { sha: "a".to_owned(), branch: "b".to_owned(), repo: None };
        let merge_state = Some(merge_state.to_owned());
        PullNow { listed, head, base_ref: "main".to_owned(), mergeable: None, mergeable_state: merge_state }
    }

    #[test]
    fn what_a_delivery_is_worth() {
        use IssueState::{Closed, Open};
        let before = pull(5, Open, "dirty");
        let known = Known {
            number: before.listed.number,
            state: before.listed.state,
            updated_at: before.listed.updated_at,
            content_hash: before.listed.content_hash(),
            head_sha: Some(before.head.sha.clone()),
            head_ref: Some(before.head.branch.clone()),
            own_head: before.is_of_own_branch(),
            base_ref: Some(before.base_ref.clone()),
            merge_state: before.mergeable_state.clone(),
        };
        for (at, state, merge_state, expected) in [
            (4, Open, "dirty", Worth::Old),
            (4, Closed, "clean", Worth::Old),
            (5, Open, "dirty", Worth::Present),
            (5, Open, "unknown", Worth::Present),
            (5, Open, "clean", Worth::Doubtful),
            (5, Closed, "dirty", Worth::Doubtful),
            (6, Closed, "clean", Worth::Present),
        ] {
            let seen = pull(at, state, merge_state);
            let worth = Worth::of(Seen::Whole(&seen), Some(&known));
            assert_eq!(worth, expected, "{at} {state:?} {merge_state}");
        }
        assert_eq!(Worth::of(Seen::Whole(&before), None), Worth::Present);
        let unread = Known { merge_state: None, ..known };
        let says = pull(5, Open, "clean");
        assert_eq!(Worth::of(Seen::Whole(&says), Some(&unread)), Worth::Present, "it was not known");
    }
}
