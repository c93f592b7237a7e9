//! An issue, as a payload shows it: deliveries come late, twice and in any order, so the issue's own `updated_at` decides.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
};

use crate::{
    domain::{
        ids::{IssueId, IssueNumber},
        issue::{IssueState, RemoteIssue, RemoteItem},
        outbox::Fields,
        repo::TrackedRepo,
        time::Timestamp,
    },
    engine::{
        Engine, claims, dependencies,
        overlay::NEVER,
        sync::{apply, blockers::Listed},
    },
    store::{
        self, WriteTx,
        issues::{self, Known},
        label_edits, outbox_fields,
    },
};

/// What a payload's issue was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Applied,
    /// The cache knows the same, or newer.
    Old,
    /// GitHub has to be asked what the issue is now.
    Doubtful(IssueNumber),
}

/// What a payload's issue is beside the cached one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Newer,
    Old,
    Doubtful,
}

/// The issues were thus at their `updated_at`; gives a word on each. Of several that show the same issue the newest counts,
/// in whatever order they came.
pub async fn show(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    shown: Vec<RemoteIssue>,
) -> store::Result<Vec<Word>> {
    let numbers: BTreeSet<IssueNumber> = shown.iter().map(|issue| issue.number).collect();
    let numbers: Vec<IssueNumber> = numbers.into_iter().collect();
    let known = issues::known(tx, &repo.id, &numbers).await?;
    let (mut words, newest) = judge(&shown, &known);
    let (mut items, mut unlisted) = (Vec::new(), Vec::new());
    for (n, issue) in shown.into_iter().enumerate().filter(|(n, _)| newest.contains(n)) {
        let known = known.get(&issue.number);
        let mut doubtful = waits_for_others(&issue, known);
        if let Some(known) = known {
            doubtful |= speaks_against_us(engine, tx, repo, known, &issue).await?;
            if issue.state == IssueState::Open && issue.blockers > Some(0) {
                unlisted.push(&known.id);
            }
        }
        words[n] = if doubtful { Word::Doubtful(issue.number) } else { Word::Applied };
        items.push(RemoteItem::Issue(issue));
    }
    write(engine, tx, repo, &items).await?;
    for id in unlisted {
        // As many as before may be others: the next read asks which.
        issues::unlist_blockers(tx, id).await?;
    }
    Ok(words)
}

/// A word on each, and which of them are to be written: at most one of an issue.
fn judge(shown: &[RemoteIssue], known: &HashMap<IssueNumber, Known>) -> (Vec<Word>, BTreeSet<usize>) {
    let mut words = vec![Word::Old; shown.len()];
    let mut newest: HashMap<IssueNumber, usize> = HashMap::new();
    for (n, issue) in shown.iter().enumerate() {
        let beside_others = match newest.get(&issue.number) {
            Some(best) => compare(issue, &Mark::of(&shown[*best])),
            None => Place::Newer,
        };
        match place(issue, known.get(&issue.number)) {
            Place::Newer if beside_others == Place::Newer => {
                newest.insert(issue.number, n);
            }
            Place::Doubtful => words[n] = Word::Doubtful(issue.number),
            Place::Newer if beside_others == Place::Doubtful => words[n] = Word::Doubtful(issue.number),
            Place::Newer | Place::Old => {}
        }
    }
    (words, newest.into_values().collect())
}

/// The issue was deleted or transferred, which is final: what comes later and is older changes nothing.
pub async fn take_away(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    issue: RemoteIssue,
) -> store::Result<Word> {
    let (number, updated_at) = (issue.number, issue.updated_at);
    let mut known = issues::known(tx, &repo.id, &[number]).await?.remove(&number);
    if known.as_ref().is_some_and(|known| known.github_id != issue.github_id) {
        return Ok(Word::Doubtful(number));
    }
    if known.is_none() {
        // A stone is set for it all the same: the word of its opening may come yet.
        write(engine, tx, repo, &[RemoteItem::Issue(issue)]).await?;
        known = issues::known(tx, &repo.id, &[number]).await?.remove(&number);
    }
    let Some(Known { id, removed_at, .. }) = known else { return Ok(Word::Old) };
    if removed_at.is_some() {
        issues::outdate(tx, &id, updated_at).await?;
        return Ok(Word::Old);
    }
    // The turn of dependencies before the row, as everywhere.
    let left = dependencies::leaving(tx, &repo.id, &id, number).await?;
    issues::outdate(tx, &id, updated_at).await?;
    issues::remove(tx, &id, engine.clock.now()).await?;
    left.write(tx).await?;
    claims::issue_is_gone(engine, tx, &id).await?;
    Ok(Word::Applied)
}

/// Applied as a read would, but that no edit of ours is lifted: GitHub's times and ours do not compare, so a payload does
/// not tell whether it knew of them.
async fn write(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    items: &[RemoteItem],
) -> store::Result<()> {
    if !items.is_empty() {
        apply::apply(engine, &engine.ids, tx, repo, (items, &Listed::default()), NEVER).await?;
    }
    Ok(())
}

fn place(issue: &RemoteIssue, known: Option<&Known>) -> Place {
    let Some(known) = known else { return Place::Newer };
    if known.removed_at.is_some() && known.github_id == issue.github_id {
        // Nothing comes back; but perhaps it never went.
        return if issue.updated_at > known.updated_at { Place::Doubtful } else { Place::Old };
    }
    let Known { github_id, updated_at, ref content_hash, .. } = *known;
    compare(issue, &Mark { github_id, updated_at, content_hash: content_hash.clone() })
}

/// Which issue it is, and at what time.
struct Mark {
    github_id: i64,
    updated_at: Timestamp,
    content_hash: String,
}

impl Mark {
    fn of(issue: &RemoteIssue) -> Self {
        let RemoteIssue { github_id, updated_at, .. } = *issue;
        Self { github_id, updated_at, content_hash: issue.content_hash() }
    }
}

fn compare(issue: &RemoteIssue, other: &Mark) -> Place {
    if other.github_id != issue.github_id {
        return Place::Doubtful;
    }
    match issue.updated_at.cmp(&other.updated_at) {
        Ordering::Less => Place::Old,
        Ordering::Greater => Place::Newer,
        // Two states of one second: the payload does not tell which came last.
        Ordering::Equal if issue.content_hash() == other.content_hash => Place::Old,
        Ordering::Equal => Place::Doubtful,
    }
}

/// Payloads count blockers and do not name them.
fn waits_for_others(issue: &RemoteIssue, known: Option<&Known>) -> bool {
    let Some(count) = issue.blockers.filter(|count| *count > 0 && issue.state == IssueState::Open) else {
        return false;
    };
    known.is_none_or(|known| known.listed_blockers >= 0 && known.listed_blockers != count)
}

/// Does it lack what GitHub told us that it took from us? Then it is older than that, or somebody undid it.
async fn speaks_against_us(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    known: &Known,
    issue: &RemoteIssue,
) -> store::Result<bool> {
    if !engine.unheard.holds(&repo.name) {
        return Ok(false);
    }
    let bears = |label: &str| issue.labels.iter().any(|other| other.eq_ignore_ascii_case(label));
    let edits = label_edits::list_settled_of(tx, &known.id).await?;
    if edits.iter().any(|edit| edit.wanted != bears(&edit.label)) {
        return Ok(true);
    }
    Ok(outbox_fields::list(tx, std::slice::from_ref::<IssueId>(&known.id)).await?.iter().any(|over| {
        let mut wanted = Fields::of(issue);
        let said = wanted.clone();
        if let Some(edit) = over.content.edit().filter(|_| over.settled_at.is_some()) {
            wanted.lay(edit, over.created_at);
        }
        wanted.beneath(over.field) != said.beneath(over.field)
    }))
}

#[cfg(test)]
mod tests {
    use sqlx::types::Json;

    use super::*;

    fn issue(updated_at: i64, title: &str) -> RemoteIssue {
        RemoteIssue {
            github_id: 1,
            number: IssueNumber(7),
            title: title.into(),
            body: None,
            state: IssueState::Open,
            url: String::new(),
            labels: vec![],
            assignees: vec![],
            comments: 0,
            created_at: Timestamp(0),
            updated_at: Timestamp(updated_at),
            closed_at: None,
            blockers: None,
        }
    }

    fn known(updated_at: i64) -> Known {
        Known {
            id: IssueId("i".into()),
            number: IssueNumber(7),
            github_id: 1,
            updated_at: Timestamp(updated_at),
            content_hash: issue(0, "a").content_hash(),
            state: IssueState::Open,
            listed_blockers: 0,
            github_labels: Json(vec![]),
            labels: Json(vec![]),
            current_lane: None,
            removed_at: None,
        }
    }

    #[test]
    fn the_payloads_own_time_decides_and_one_second_is_doubtful() {
        let at = |updated_at, title: &str| place(&issue(updated_at, title), Some(&known(5)));
        assert_eq!(place(&issue(1, "a"), None), Place::Newer);
        assert_eq!([at(4, "b"), at(5, "a"), at(6, "a")], [Place::Old, Place::Old, Place::Newer]);
        assert_eq!(at(5, "b"), Place::Doubtful);
        let stranger = RemoteIssue { github_id: 2, ..issue(6, "a") };
        assert_eq!(place(&stranger, Some(&known(5))), Place::Doubtful);
    }

    #[test]
    fn of_several_that_show_one_issue_the_newest_counts_in_any_order() {
        let cached = HashMap::from([(IssueNumber(7), known(3))]);
        let told = |shown: &[RemoteIssue]| judge(shown, &cached);
        let (words, newest) = told(&[issue(5, "b"), issue(2, "old"), issue(6, "c"), issue(4, "a")]);
        assert_eq!((words, newest), (vec![Word::Old; 4], BTreeSet::from([2])));
        let doubtful = Word::Doubtful(IssueNumber(7));
        let (words, newest) = told(&[issue(6, "b"), issue(6, "b"), issue(6, "c")]);
        assert_eq!((words, newest), (vec![Word::Old, Word::Old, doubtful], BTreeSet::from([0])));
        let another = RemoteIssue { number: IssueNumber(8), ..issue(1, "x") };
        assert_eq!(told(&[issue(1, "old"), another]).1, BTreeSet::from([1]));
    }

    #[test]
    fn what_is_gone_stays_gone_unless_github_says_something_later() {
        let gone = Known { removed_at: Some(Timestamp(9)), ..known(5) };
        let at = |updated_at| place(&issue(updated_at, "b"), Some(&gone));
        assert_eq!([at(4), at(5), at(6)], [Place::Old, Place::Old, Place::Doubtful]);
    }

    #[test]
    fn another_count_of_blockers_has_to_be_looked_at() {
        let counted = |count| RemoteIssue { blockers: Some(count), ..issue(6, "a") };
        let listed = |count| Known { listed_blockers: count, ..known(5) };
        assert!(waits_for_others(&counted(1), None));
        assert!(waits_for_others(&counted(2), Some(&listed(1))));
        assert!(!waits_for_others(&counted(2), Some(&listed(2))));
        assert!(!waits_for_others(&counted(2), Some(&listed(-1))), "the next read asks anyway");
        assert!(!waits_for_others(&counted(0), Some(&listed(2))), "the count says it all");
        let closed = RemoteIssue { state: IssueState::Closed, ..counted(1) };
        assert!(!waits_for_others(&closed, None));
    }
}
