//! The check run object (docs.github.com/rest/checks/runs), and the check suite object as webhooks have it
//! (docs.github.com/webhooks/webhook-events-and-payloads#check_suite).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Urls, UserBody};
use crate::clock::iso;
use crate::ids;
use crate::state::{CheckRun, Conclusion, Item, Repository};

/// The App that runs workflows, by the number that it has at GitHub.
const ACTIONS: u64 = 15_368;

/// Whether a run has ended.
pub(crate) fn status(run: &CheckRun) -> &'static str {
    if run.conclusion.is_some() { "completed" } else { "in_progress" }
}

/// Renders a check run.
pub(crate) fn check_run(urls: &Urls, repo: &Repository, run: &CheckRun) -> Value {
    let full_name = repo.full_name();
    let url = format!("{}/check-runs/{}", urls.repo(&full_name), run.id);
    let page = match run.run {
        Some(of) => format!("{}/{full_name}/actions/runs/{of}/job/{}", urls.html, run.id),
        None => format!("{}/{full_name}/runs/{}", urls.html, run.id),
    };
    json!({
        "id": run.id,
        "node_id": ids::node("CR", run.id),
        "head_sha": run.head_sha,
        "external_id": run.id.to_string(),
        "url": url,
        "html_url": page,
        "details_url": page,
        "status": status(run),
        "conclusion": run.conclusion,
        "started_at": iso(run.started_at),
        "completed_at": run.completed_at.map(iso),
        "output": {
            "title": null,
            "summary": null,
            "text": null,
            "annotations_count": 0,
            "annotations_url": format!("{url}/annotations"),
        },
        "name": run.name,
        "check_suite": { "id": run.suite },
        "app": null,
        "pull_requests": pulls_at(urls, repo, &run.head_sha),
    })
}

/// Renders a suite whose checks all came to their end; `None` while one runs.
pub(crate) fn ended_suite(urls: &Urls, repo: &Repository, id: u64) -> Option<Value> {
    let runs: Vec<&CheckRun> = repo.checks.values().filter(|run| run.suite == id).collect();
    let newest: BTreeMap<&str, &CheckRun> = runs.iter().map(|run| (run.name.as_str(), *run)).collect();
    let ends: Option<Vec<Conclusion>> = newest.values().map(|run| run.conclusion).collect();
    let conclusion = worst(&ends?)?;
    let head_sha = &runs.first()?.head_sha;
    let began = runs.iter().map(|run| run.started_at).min()?;
    let ended = runs.iter().filter_map(|run| run.completed_at).max()?;
    let url = format!("{}/check-suites/{id}", urls.repo(&repo.full_name()));
    let of_head = |item: &&Item| item.pull.as_ref().is_some_and(|pull| pull.head_sha == *head_sha);
    let pull = repo.items().filter(of_head).min_by_key(|item| item.issue.number);
    let branch = pull.and_then(|item| item.pull.as_ref()).filter(|pull| pull.fork.is_none());
    let branch = branch.map(|pull| &pull.branch);
    let person = json!({ "name": "octocat", "email": "somebody@example.com" });
    Some(json!({
        "id": id,
        "node_id": ids::node("CS", id),
        "head_branch": branch,
        "head_sha": head_sha,
        "status": "completed",
        "conclusion": conclusion,
        "url": url,
        "before": ids::sha(repo.id, 0),
        "after": head_sha,
        "pull_requests": pulls_at(urls, repo, head_sha),
        "app": {
            "id": ACTIONS,
            "slug": "github-actions",
            "node_id": ids::node("A", ACTIONS),
            "owner": UserBody::new(urls, "github"),
            "name": "GitHub Actions",
            "description": "Automate your workflow from idea to production",
            "external_url": "https://help.github.com/en/actions",
            "html_url": format!("{}/apps/github-actions", urls.html),
            "created_at": "2018-07-30T09:30:17Z",
            "updated_at": "2024-04-10T20:33:16Z",
            "permissions": { "actions": "write", "checks": "write" },
            "events": ["check_run", "check_suite"],
        },
        "created_at": iso(began),
        "updated_at": iso(ended),
        "rerequestable": true,
        "runs_rerequestable": false,
        "latest_check_runs_count": newest.len(),
        "check_runs_url": format!("{url}/check-runs"),
        "head_commit": {
            "id": head_sha,
            "tree_id": head_sha,
            "message": "A commit",
            "timestamp": iso(began),
            "author": person,
            "committer": person,
        },
    }))
}

/// What ends come to together: the worst of them, where what was skipped or is neither counts least.
fn worst(ends: &[Conclusion]) -> Option<Conclusion> {
    [
        Conclusion::Failure,
        Conclusion::TimedOut,
        Conclusion::Cancelled,
        Conclusion::ActionRequired,
        Conclusion::Success,
        Conclusion::Neutral,
        Conclusion::Skipped,
    ]
    .into_iter()
    .find(|end| ends.contains(end))
}

/// The open pull requests of the repository's own branches with this head: GitHub names no others.
fn pulls_at(urls: &Urls, repo: &Repository, head_sha: &str) -> Vec<Value> {
    let repo_url = urls.repo(&repo.full_name());
    let home = json!({ "id": repo.id, "url": repo_url, "name": repo.name });
    let mut pulls: Vec<_> = repo
        .items()
        .filter(|item| item.issue.is_open())
        .filter_map(|item| Some((&item.issue, item.pull.as_ref()?)))
        .filter(|(_, pull)| pull.head_sha == head_sha && pull.fork.is_none())
        .collect();
    pulls.sort_unstable_by_key(|(issue, _)| issue.number);
    let rendered = pulls.into_iter().map(|(issue, pull)| {
        json!({
            "id": issue.id,
            "number": issue.number,
            "url": format!("{repo_url}/pulls/{}", issue.number),
            "head": { "ref": pull.branch, "sha": pull.head_sha, "repo": home },
            "base": { "ref": pull.base, "sha": ids::sha(repo.id, 0), "repo": home },
        })
    });
    rendered.collect()
}
