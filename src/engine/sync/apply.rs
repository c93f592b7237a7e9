//! Applying what GitHub said to the cache: a page whole or not at all.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use crate::{
    clock::Ids,
    domain::{
        ids::{IssueId, RepoId},
        issue::{Change, Derived, IssueState, RemoteIssue, RemoteItem, RemotePull},
        time::Timestamp,
    },
    engine::{Engine, claims, failpoint::failpoint, overlay::Overlay},
    store::{
        self, WriteTx,
        issues::{self, IssueWrite, Known},
        pulls,
    },
};

/// An issue that was created or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub url: String,
    pub change: Change,
}

/// Writes the items that differ from the cache, in one statement for issues and one for pull requests. They come
/// from a request that was sent at `began` or later: edits of ours settled since then still lie over them.
pub async fn apply(
    engine: &Engine,
    ids: &Ids,
    tx: &mut WriteTx,
    repo: &RepoId,
    items: &[RemoteItem],
    began: Timestamp,
) -> store::Result<Vec<Applied>> {
    failpoint!("sync.apply", store::Error::WorkerCrashed);
    let now = engine.clock.now();
    let (remote_issues, remote_pulls) = newest_of_each(items);
    let numbers: Vec<_> = remote_issues.iter().map(|issue| issue.number).collect();
    let known = issues::known(tx, repo, &numbers).await?;
    let cutoff = now.minus(engine.settings.closed_retention);
    let mut steps = Vec::new();
    for issue in remote_issues {
        let before = known.get(&issue.number);
        let content_hash = issue.content_hash();
        let Some(step) = judge(issue, &content_hash, before, cutoff) else { continue };
        steps.push((issue, content_hash, before, step));
    }
    let cached: Vec<IssueId> =
        steps.iter().filter_map(|(_, _, before, _)| Some(before.as_ref()?.id.clone())).collect();
    store::claims::lock_issues(tx, &cached).await?;
    let mut laid_over = Overlay::load(tx, &cached, began).await?;
    let mut applied = Vec::new();
    let writes = steps.into_iter().map(|(issue, content_hash, before, step)| {
        let id = before.map_or_else(|| IssueId(ids.next()), |known| known.id.clone());
        let ours = laid_over.of(&id, before.and_then(|known| known.current_lane.clone()));
        let derived = Derived::of(issue.state, &issue.title, &issue.labels, &ours, &engine.settings.rules);
        if let Step::Change(change) = step
            && !before.is_some_and(|known| is_our_own(issue, known, &derived))
        {
            applied.push(Applied { url: issue.url.clone(), change });
        }
        IssueWrite { id, issue, content_hash, derived }
    });
    let writes: Vec<_> = writes.collect();
    issues::upsert(tx, repo, &writes, now).await?;
    laid_over.forget_settled(tx, &cached).await?;
    for write in &writes {
        let Some(claim) = laid_over.claim(&write.id) else { continue };
        let before = known.get(&write.issue.number).map_or(&[][..], |known| known.labels.as_slice());
        if let Some(reason) = claims::verdict_of_github(claim, before, write.issue.state, &write.derived) {
            claims::end_by_github(engine, tx, claim, reason).await?;
        }
    }
    pulls::upsert(tx, repo, &remote_pulls).await?;
    Ok(applied)
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Change(Change),
    /// Only `updated_at` moved: kept, so that an older copy is known as such, but no change.
    Touch,
}

/// What an issue that GitHub showed means for the cached one. Older copies and long closed strangers mean nothing.
fn judge(issue: &RemoteIssue, hash: &str, before: Option<&Known>, cutoff: Timestamp) -> Option<Step> {
    let too_old = issue.state == IssueState::Closed && issue.closed_at.is_some_and(|at| at < cutoff);
    let Some(before) = before else {
        return (!too_old).then_some(Step::Change(Change::Created));
    };
    if before.github_id != issue.github_id {
        return Some(Step::Change(Change::Updated));
    }
    if issue.updated_at < before.updated_at || (before.removed_at.is_some() && too_old) {
        return None;
    }
    if before.removed_at.is_some() {
        return Some(Step::Change(Change::Created));
    }
    if before.content_hash != hash {
        return Some(Step::Change(Change::Updated));
    }
    (issue.updated_at > before.updated_at).then_some(Step::Touch)
}

/// Do only labels differ, and are they what Dispatch showed already? Then our own writes came back.
fn is_our_own(issue: &RemoteIssue, known: &Known, derived: &Derived) -> bool {
    let as_before = RemoteIssue { labels: known.github_labels.0.clone(), ..issue.clone() };
    let keys = |labels: &[String]| labels.iter().map(|label| label.to_lowercase()).collect::<BTreeSet<_>>();
    as_before.content_hash() == known.content_hash && keys(&known.labels) == keys(&derived.labels)
}

/// A number twice in one statement is an error on PostgreSQL; the newest copy counts.
fn newest_of_each(items: &[RemoteItem]) -> (Vec<&RemoteIssue>, Vec<&RemotePull>) {
    let mut newest: HashMap<_, &RemoteItem> = HashMap::with_capacity(items.len());
    for item in items {
        match newest.entry(item.number()) {
            Entry::Vacant(place) => {
                place.insert(item);
            }
            Entry::Occupied(mut place) if item.updated_at() >= place.get().updated_at() => {
                place.insert(item);
            }
            Entry::Occupied(_) => {}
        }
    }
    let (mut issues, mut pulls) = (Vec::new(), Vec::new());
    for item in newest.into_values() {
        match item {
            RemoteItem::Issue(issue) => issues.push(issue),
            RemoteItem::Pull(pull) => pulls.push(pull),
        }
    }
    // Rows in one order everywhere, so that two writers cannot lock each other out.
    issues.sort_unstable_by_key(|issue| issue.number);
    pulls.sort_unstable_by_key(|pull| pull.number);
    (issues, pulls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::IssueNumber;

    fn issue(updated: i64, title: &str) -> RemoteIssue {
        RemoteIssue {
            github_id: 1,
            number: IssueNumber(1),
            title: title.into(),
            body: None,
            state: IssueState::Open,
            url: String::new(),
            labels: vec![],
            assignees: vec![],
            comments: 0,
            created_at: Timestamp(0),
            updated_at: Timestamp(updated),
            closed_at: None,
        }
    }

    fn known(issue: &RemoteIssue) -> Known {
        Known {
            id: IssueId("i".into()),
            number: issue.number,
            github_id: issue.github_id,
            updated_at: issue.updated_at,
            content_hash: issue.content_hash(),
            github_labels: sqlx::types::Json(issue.labels.clone()),
            labels: sqlx::types::Json(issue.labels.clone()),
            current_lane: None,
            removed_at: None,
        }
    }

    fn step(issue: &RemoteIssue, before: Option<&Known>) -> Option<Step> {
        judge(issue, &issue.content_hash(), before, Timestamp(100))
    }

    #[test]
    fn only_newer_or_equal_copies_that_differ_are_changes() {
        let cached = known(&issue(5, "a"));
        assert_eq!(step(&issue(5, "a"), Some(&cached)), None);
        assert_eq!(step(&issue(6, "a"), Some(&cached)), Some(Step::Touch));
        assert_eq!(step(&issue(5, "b"), Some(&cached)), Some(Step::Change(Change::Updated)));
        assert_eq!(step(&issue(4, "b"), Some(&cached)), None);
        assert_eq!(step(&issue(4, "b"), None), Some(Step::Change(Change::Created)));
    }

    #[test]
    fn what_came_back_is_new_and_a_number_of_another_issue_is_replaced() {
        let mut cached = known(&issue(5, "a"));
        cached.removed_at = Some(Timestamp(6));
        assert_eq!(step(&issue(5, "a"), Some(&cached)), Some(Step::Change(Change::Created)));
        cached.github_id = 2;
        assert_eq!(step(&issue(1, "a"), Some(&cached)), Some(Step::Change(Change::Updated)));
    }

    #[test]
    fn long_closed_issues_count_only_when_they_are_cached() {
        let mut closed = issue(99, "a");
        closed.state = IssueState::Closed;
        closed.closed_at = Some(Timestamp(99));
        assert_eq!(step(&closed, None), None);
        assert_eq!(step(&closed, Some(&known(&issue(5, "a")))), Some(Step::Change(Change::Updated)));
        closed.closed_at = Some(Timestamp(100));
        assert_eq!(step(&closed, None), Some(Step::Change(Change::Created)));
    }

    #[test]
    fn a_number_twice_counts_once() {
        let items = [issue(5, "new"), issue(4, "old")].map(RemoteItem::Issue);
        let (issues, pulls) = newest_of_each(&items);
        assert_eq!((issues.len(), pulls.len()), (1, 0));
        assert_eq!(issues[0].title, "new");
    }
}
