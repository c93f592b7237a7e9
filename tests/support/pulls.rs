//! Comparing the cache of pull requests with the simulated GitHub.

use std::collections::BTreeMap;

use dispatch::{
    domain::{
        ids::IssueNumber,
        pull::health::{Decision, Evidence, Went},
    },
    store::{pull_health, repos},
};
use github_sim::{Conclusion, PullState, Repo, ReviewState};

use super::App;

/// What must agree for each pull request.
#[derive(Debug, PartialEq, Eq)]
struct View {
    title: String,
    /// `open` or `closed`, and whether it is merged or a draft.
    state: String,
    labels: Vec<String>,
    head: Option<String>,
    branch: Option<String>,
    base: Option<String>,
}

/// What must agree for those that issues show: the last words of reviewers, the newest runs of checks, and whether it
/// can be merged.
#[derive(Debug, PartialEq, Eq)]
struct Weighed {
    opinions: BTreeMap<String, Option<Decision>>,
    checks: BTreeMap<(i64, String), Went>,
    merge_state: Option<String>,
}

/// Asserts that the cache of a repository's pull requests equals GitHub: what they are, and for those that issues show what
/// speaks for and against them.
pub async fn assert_same(app: &App, name: &str) {
    assert_same_facts(app, name).await;
    let repo = app.sim.repo(name);
    let shown =
        "SELECT CAST(p.number AS TEXT) FROM pulls p WHERE p.state = 'open' AND EXISTS (SELECT 1 FROM issues i
        WHERE i.repository_id = p.repository_id AND i.linked_pull = p.number AND i.shown = TRUE)";
    let shown = app.db.texts(shown).await;
    assert!(!shown.is_empty(), "no issue shows a pull request");
    let (_, weighed) = cached(app, name).await;
    for pull in repo.pulls().iter().filter(|pull| shown.contains(&pull.issue.number.to_string())) {
        let number = pull.issue.number;
        assert_eq!(weighed[&of(number)], weigh(&repo, pull), "what speaks for and against {number}");
    }
}

/// Asserts that the cache of a repository's pull requests says what they are.
pub async fn assert_same_facts(app: &App, name: &str) {
    let pulls = app.sim.repo(name).pulls();
    let (cached, _) = cached(app, name).await;
    let expected: BTreeMap<i64, View> = pulls
        .iter()
        .map(|pull| {
            let (number, mut view) = (of(pull.issue.number), view(pull));
            // Of one that is closed the list of issues shows no branches: what is not known is asked for when it matters,
            // and its newest commit never does.
            if let Some(cached) = cached.get(&number).filter(|_| !pull.is_open()) {
                view.head.clone_from(&cached.head);
                view.branch = view.branch.filter(|_| cached.branch.is_some());
                view.base = view.base.filter(|_| cached.base.is_some());
            }
            (number, view)
        })
        .collect();
    assert_eq!(cached, expected, "the pull requests of {name} differ from GitHub's");
}

async fn cached(app: &App, name: &str) -> (BTreeMap<i64, View>, BTreeMap<i64, Weighed>) {
    let states = "SELECT CAST(number AS TEXT) || ' ' || state || CASE WHEN merged_at IS NULL THEN '' ELSE ' merged' END
        || CASE WHEN draft = TRUE THEN ' draft' ELSE '' END FROM pulls";
    let states = app.db.texts(states).await;
    let mut tx = app.engine.db().read().await.expect("a transaction");
    let repo = repos::find_tracked(&mut tx, &name.parse().expect("a name")).await.expect("a read");
    let repo = repo.expect("a tracked repository").id;
    let (mut views, mut weighed) = (BTreeMap::new(), BTreeMap::new());
    for line in states {
        let (number, state) = line.split_once(' ').expect("a number and a state");
        let number: i64 = number.parse().expect("a number");
        let found = pull_health::find(&mut tx, &repo, IssueNumber(number)).await.expect("a read");
        let it = found.expect("the pull request");
        let mut labels = it.labels;
        labels.sort();
        let view = View {
            title: it.title,
            state: state.to_owned(),
            labels,
            head: it.head_sha,
            branch: it.head_ref,
            base: it.base_ref,
        };
        views.insert(number, view);
        weighed.insert(number, weighed_of(it.evidence));
    }
    (views, weighed)
}

fn weighed_of(evidence: Evidence) -> Weighed {
    let checks = evidence.checks.into_iter();
    Weighed {
        opinions: evidence.opinions.into_iter().map(|it| (it.author, it.says)).collect(),
        checks: checks.map(|it| ((it.suite.expect("a suite"), it.name), it.went)).collect(),
        merge_state: evidence.merge_state,
    }
}

fn view(pull: &PullState) -> View {
    let mut labels = pull.issue.labels.clone();
    labels.sort();
    let merged = if pull.pull.merged_at.is_some() { " merged" } else { "" };
    let draft = if pull.pull.draft { " draft" } else { "" };
    View {
        title: pull.issue.title.clone(),
        state: format!("{}{merged}{draft}", if pull.is_open() { "open" } else { "closed" }),
        labels,
        head: Some(pull.pull.head_sha.clone()),
        branch: Some(pull.pull.branch.clone()),
        base: Some(pull.pull.base.clone()),
    }
}

fn weigh(repo: &Repo, pull: &PullState) -> Weighed {
    let mut opinions = BTreeMap::new();
    for review in repo.reviews(pull.issue.number) {
        let says = match review.state {
            ReviewState::Approved => Some(Decision::Approved),
            ReviewState::ChangesRequested => Some(Decision::ChangesRequested),
            ReviewState::Dismissed => None,
            ReviewState::Commented | ReviewState::Pending => continue,
        };
        opinions.insert(review.author, says);
    }
    let newest = repo.checks(&pull.pull.head_sha).into_iter();
    Weighed {
        opinions,
        checks: newest.map(|run| ((of(run.suite), run.name), went(run.conclusion))).collect(),
        merge_state: Some(pull.pull.mergeable_state.clone()),
    }
}

const fn went(conclusion: Option<Conclusion>) -> Went {
    match conclusion {
        None => Went::Running,
        Some(Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped) => Went::Well,
        Some(Conclusion::Failure) => Went::Failed,
        Some(Conclusion::Cancelled) => Went::Cancelled,
        Some(Conclusion::TimedOut) => Went::TimedOut,
        Some(Conclusion::ActionRequired) => Went::ActionRequired,
    }
}

fn of(number: u64) -> i64 {
    i64::try_from(number).expect("a number")
}
