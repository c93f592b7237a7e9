//! The review object (docs.github.com/rest/pulls/reviews) and the check run object (docs.github.com/rest/checks/runs).

use serde_json::{Value, json};

use super::{Urls, UserBody};
use crate::clock::iso;
use crate::ids;
use crate::state::{CheckRun, Repository, Review, ReviewState};

/// Renders a review.
pub(crate) fn review(urls: &Urls, repo: &Repository, review: &Review) -> Value {
    let full_name = repo.full_name();
    let pull_url = format!("{}/pulls/{}", urls.repo(&full_name), review.pull);
    let page = format!("{}/{full_name}/pull/{}#pullrequestreview-{}", urls.html, review.pull, review.id);
    let mut body = json!({
        "id": review.id,
        "node_id": ids::node("PRR", review.id),
        "user": UserBody::new(urls, &review.author),
        "body": review.body,
        "state": review.state,
        "html_url": page,
        "pull_request_url": pull_url,
        "author_association": "MEMBER",
        "_links": { "html": { "href": page }, "pull_request": { "href": pull_url } },
        "commit_id": review.commit,
    });
    // A review that was not sent has no such time.
    if review.state != ReviewState::Pending {
        body["submitted_at"] = iso(review.submitted_at).into();
    }
    body
}

/// Whether a run has ended.
pub(crate) fn status(run: &CheckRun) -> &'static str {
    if run.conclusion.is_some() { "completed" } else { "in_progress" }
}

/// Renders a check run; it names open pull requests of the repository itself, as GitHub does.
pub(crate) fn check_run(urls: &Urls, repo: &Repository, run: &CheckRun) -> Value {
    let full_name = repo.full_name();
    let repo_url = urls.repo(&full_name);
    let url = format!("{repo_url}/check-runs/{}", run.id);
    let page = format!("{}/{full_name}/runs/{}", urls.html, run.id);
    let home = json!({ "id": repo.id, "url": repo_url, "name": repo.name });
    let mut pulls: Vec<_> = repo
        .items()
        .filter(|item| item.issue.is_open())
        .filter_map(|item| Some((&item.issue, item.pull.as_ref()?)))
        .filter(|(_, pull)| pull.head_sha == run.head_sha && pull.fork.is_none())
        .collect();
    pulls.sort_unstable_by_key(|(issue, _)| issue.number);
    let pulls: Vec<Value> = pulls
        .into_iter()
        .map(|(issue, pull)| {
            json!({
                "id": issue.id,
                "number": issue.number,
                "url": format!("{repo_url}/pulls/{}", issue.number),
                "head": { "ref": pull.branch, "sha": pull.head_sha, "repo": home },
                "base": { "ref": pull.base, "sha": ids::sha(repo.id, 0), "repo": home },
            })
        })
        .collect();
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
        "pull_requests": pulls,
    })
}
