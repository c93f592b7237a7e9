//! Applying what GitHub said to the cache: a page whole or not at all.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use crate::{
    clock::Ids,
    domain::{
        dependencies::{self, Blocker},
        ids::{IssueId, IssueNumber},
        issue::{Change, Derived, IssueState, RemoteIssue, RemoteItem, RemotePull},
        repo::TrackedRepo,
        time::Timestamp,
    },
    engine::{
        Engine, claims,
        dependencies::{Stir, both},
        failpoint::failpoint,
        heard::LAG,
        labels,
        outbox::Laid,
        overlay::Overlay,
        pr_fix,
        pulls::facts::{News, Seen},
        sync::blockers::Listed,
    },
    store::{
        self, WriteTx,
        db::Dialect,
        issues::{self, IssueWrite, Known},
        pull_links, work,
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
    repo: &TrackedRepo,
    (items, listed): (&[RemoteItem], &Listed),
    began: Timestamp,
) -> store::Result<Vec<Applied>> {
    failpoint!("sync.apply", store::Error::WorkerCrashed);
    let now = engine.clock.now();
    let (remote_issues, remote_pulls) = newest_of_each(items);
    let numbers: Vec<_> = remote_issues.iter().map(|issue| issue.number).collect();
    let mut known = issues::known(tx, &repo.id, &numbers).await?;
    if known.len() < numbers.len() {
        // A webhook and a read may bring the same issue at once: one of them adds it, the other finds it.
        issues::turn_to_add(tx, &repo.id).await?;
        if tx.dialect() == Dialect::Postgres {
            known = issues::known(tx, &repo.id, &numbers).await?;
        }
    }
    let cutoff = now.minus(engine.settings.closed_retention);
    let mut found = Vec::new();
    for issue in remote_issues {
        let before = known.get(&issue.number);
        let content_hash = issue.content_hash();
        let blockers = listed.of(issue, before);
        let Some(step) = judge(issue, &content_hash, before, cutoff, blockers.is_some()) else { continue };
        let id = before.map_or_else(|| IssueId(ids.next()), |known| known.id.clone());
        found.push(Found { id, issue, content_hash, before, blockers, step });
    }
    let seen: Vec<Seen<'_>> = remote_pulls.iter().map(|pull| Seen::Listed(pull)).collect();
    let pulls = News::find(tx, repo, &seen).await?;
    let dependencies = stirred(&found, repo).settle(tx, &repo.id).await?;
    let cached: Vec<IssueId> =
        found.iter().filter(|found| found.before.is_some()).map(|found| found.id.clone()).collect();
    let concerned = both(dependencies.affected(), pulls.issues());
    store::claims::lock_issues(tx, &both(&cached, &concerned)).await?;
    // They were not locked yet when they were read.
    let relocked = match tx.dialect() {
        Dialect::Postgres if !cached.is_empty() => Some(issues::known(tx, &repo.id, &numbers).await?),
        _ => None,
    };
    let known = relocked.as_ref().unwrap_or(&known);
    for found in found.iter_mut().filter(|found| found.before.is_some()) {
        found.before = known.get(&found.issue.number);
    }
    // GitHub's lists may lag behind what it was told.
    let told_before = began.minus(LAG);
    let laid = Laid::load(tx, &cached, told_before).await?;
    for found in found.iter().filter(|found| found.opens_again(&laid)) {
        labels::take_back_done(engine, tx, &found.id).await?;
    }
    let mut laid_over = Overlay::load(tx, &cached, told_before).await?;
    let mut applied = Vec::new();
    let mut said = Vec::new();
    let writes = found.into_iter().map(|Found { id, issue, content_hash, before, blockers, step }| {
        let ours = laid_over.of(&id, before.and_then(|known| known.current_lane.clone()));
        let shown = laid.over(&id, issue);
        let derived = Derived::of(shown.state, &shown.title, &issue.labels, &ours, &engine.settings.rules);
        if let Step::Change(change) = step
            && !before
                .is_some_and(|known| is_our_own(laid.without_ours(&id, issue).as_deref(), known, &derived))
        {
            applied.push(Applied { url: issue.url.clone(), change });
        }
        let counted =
            if blockers.is_some() { issue.blockers } else { before.map(|known| known.listed_blockers) };
        said.push((id.clone(), issue));
        IssueWrite { id, issue: shown, content_hash, derived, listed_blockers: counted.unwrap_or(0) }
    });
    let writes: Vec<_> = writes.collect();
    issues::upsert(tx, &repo.id, &writes, now).await?;
    dependencies.write(tx).await?;
    laid_over.forget_settled(tx, &cached).await?;
    laid.remember(tx, &said).await?;
    let mut spoken_against = Vec::new();
    for write in &writes {
        if known.get(&write.issue.number).is_some_and(|known| closes(known, &write.issue)) {
            labels::mark_done(engine, tx, &write.id).await?;
        }
        let Some(claim) = laid_over.claim(&write.id) else { continue };
        let before = known.get(&write.issue.number).map_or(&[][..], |known| known.labels.as_slice());
        if let Some(reason) = claims::verdict_of_github(claim, before, write.issue.state, &write.derived) {
            spoken_against.push((claim, reason));
        }
    }
    let ids: Vec<_> = spoken_against.iter().map(|(claim, _)| claim.id.clone()).collect();
    work::lock_all(tx, &ids).await?;
    for (claim, reason) in spoken_against {
        claims::end_by_github(engine, tx, claim, reason).await?;
    }
    link_new(tx, repo, &writes, known).await?;
    pulls.write(engine, tx, repo).await?;
    let closed = remote_pulls.iter().filter(|pull| pull.state == IssueState::Closed);
    let closed: Vec<_> = closed.map(|pull| pull.number).collect();
    pr_fix::close::pulls_are_closed(engine, tx, (&repo.id, &repo.name), &closed).await?;
    Ok(applied)
}

/// An issue that is new here may be what a pull request is about that was here before it.
async fn link_new(
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    writes: &[IssueWrite<'_>],
    known: &HashMap<IssueNumber, Known>,
) -> store::Result<()> {
    let numbers = writes.iter().map(|write| write.issue.number);
    let new: Vec<_> = numbers.filter(|number| !known.contains_key(number)).collect();
    let named = pull_links::list_named(tx, &repo.id, &new).await?;
    pull_links::relink(tx, &named).await
}

/// An issue of the page that is to be written.
struct Found<'a> {
    id: IssueId,
    issue: &'a RemoteIssue,
    content_hash: String,
    before: Option<&'a Known>,
    /// What GitHub listed, where it was asked.
    blockers: Option<Vec<Blocker>>,
    step: Step,
}

impl Found<'_> {
    /// A read that does not know yet that we closed it opens nothing.
    fn opens_again(&self, laid: &Laid) -> bool {
        let was_closed =
            self.before.is_some_and(|known| known.state == IssueState::Closed && known.removed_at.is_none());
        was_closed && laid.over(&self.id, self.issue).state == IssueState::Open
    }
}

/// What the page means for who waits for whom.
fn stirred(found: &[Found<'_>], repo: &TrackedRepo) -> Stir {
    let mut stir = Stir::default();
    for Found { id, issue, before, blockers, step, .. } in found {
        let was_open =
            before.is_some_and(|known| known.state == IssueState::Open && known.removed_at.is_none());
        if was_open != (issue.state == IssueState::Open) {
            stir.flip(issue.number);
        }
        let by_text = matches!(step, Step::Change(_)).then(|| {
            let body = issue.body.as_deref().unwrap_or_default();
            dependencies::blockers_in(body, &repo.name, issue.number)
        });
        stir.say(id, before.is_none(), by_text, blockers.clone());
    }
    stir
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Change(Change),
    /// Only `updated_at` moved, or what GitHub says of blockers: kept, but no change of the issue.
    Touch,
}

/// What an issue that GitHub showed means for the cached one. Older copies and long closed strangers mean nothing.
fn judge(
    issue: &RemoteIssue,
    hash: &str,
    before: Option<&Known>,
    cutoff: Timestamp,
    relisted: bool,
) -> Option<Step> {
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
    (issue.updated_at > before.updated_at || relisted).then_some(Step::Touch)
}

/// Was it open here, and is it closed now?
fn closes(known: &Known, shown: &RemoteIssue) -> bool {
    let was_open = known.state == IssueState::Open && known.removed_at.is_none();
    was_open && known.github_id == shown.github_id && shown.state == IssueState::Closed
}

/// Do only labels differ, and are they what Dispatch showed already? Then our own writes came back. `bare` is the
/// issue without our edits, if it shows them.
fn is_our_own(bare: Option<&RemoteIssue>, known: &Known, derived: &Derived) -> bool {
    let Some(issue) = bare else { return false };
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
            blockers: None,
        }
    }

    fn known(issue: &RemoteIssue) -> Known {
        Known {
            id: IssueId("i".into()),
            number: issue.number,
            github_id: issue.github_id,
            updated_at: issue.updated_at,
            content_hash: issue.content_hash(),
            state: issue.state,
            listed_blockers: 0,
            github_labels: sqlx::types::Json(issue.labels.clone()),
            labels: sqlx::types::Json(issue.labels.clone()),
            current_lane: None,
            removed_at: None,
        }
    }

    fn step(issue: &RemoteIssue, before: Option<&Known>) -> Option<Step> {
        judge(issue, &issue.content_hash(), before, Timestamp(100), false)
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
