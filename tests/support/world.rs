//! Comparing the cache with the simulated GitHub.

use std::collections::BTreeMap;

use github_sim::IssueState;
use serde_json::Value;

use super::App;

/// What must agree for each issue.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    pub title: String,
    pub body: Option<String>,
    pub open: bool,
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub comments: i64,
}

/// The cached issues of a repository, as a client sees them (closed ones included).
pub async fn cached(app: &App, repo: &str) -> BTreeMap<i64, View> {
    views(&app.get(&format!("/api/issues?repo={repo}&includeClosed=true")).await.expect(200))
}

/// The issues of an answer of `GET /api/issues`, each number once.
pub fn views(answer: &Value) -> BTreeMap<i64, View> {
    let issues = answer.as_array().expect("an array");
    let views: BTreeMap<_, _> = issues.iter().map(numbered).collect();
    assert_eq!(views.len(), issues.len(), "a number is there twice: {answer}");
    views
}

fn numbered(issue: &Value) -> (i64, View) {
    (issue["number"].as_i64().expect("a number"), view_of(issue))
}

fn view_of(issue: &Value) -> View {
    let texts = |name: &str| {
        let mut texts = super::answers::strings(&issue[name]);
        texts.sort();
        texts
    };
    View {
        title: issue["title"].as_str().expect("a title").to_owned(),
        body: issue["body"].as_str().map(str::to_owned),
        open: issue["state"] == "open",
        labels: texts("labels"),
        assignees: texts("assignees"),
        comments: issue["commentsCount"].as_i64().expect("a count"),
    }
}

/// What the cache must hold of a repository: open issues and closed ones (all within retention in tests),
/// without excluded ones; closed ones with `status/done` alone of the statuses.
pub fn expected(app: &App, repo: &str, excluded: &[&str]) -> BTreeMap<i64, View> {
    expected_of(&app.sim.repo(repo), excluded)
}

/// The same of a repository at hand.
pub fn expected_of(repo: &github_sim::Repo, excluded: &[&str]) -> BTreeMap<i64, View> {
    let issues = repo.issues().into_iter();
    let shown = issues.filter(|issue| !issue.labels.iter().any(|label| is_excluded(label, excluded)));
    shown.map(|issue| (i64::try_from(issue.number).expect("a number"), view(&issue))).collect()
}

fn is_excluded(label: &str, excluded: &[&str]) -> bool {
    excluded.iter().any(|name| name.eq_ignore_ascii_case(label))
}

fn view(issue: &IssueState) -> View {
    let mut labels = issue.labels.clone();
    if !issue.is_open() {
        labels.retain(|label| !label.to_ascii_lowercase().starts_with("status/"));
        labels.push("status/done".to_owned());
    }
    labels.sort();
    let mut assignees = issue.assignees.clone();
    assignees.sort();
    View {
        title: issue.title.clone(),
        body: issue.body.clone(),
        open: issue.is_open(),
        labels,
        assignees,
        comments: i64::try_from(issue.comments).expect("a count"),
    }
}

/// Asserts that the cache of a repository equals GitHub.
pub async fn assert_same(app: &App, repo: &str) {
    let (cached, expected) = (cached(app, repo).await, expected(app, repo, &[]));
    assert_eq!(cached, expected, "the cache of {repo} differs from GitHub");
}
