//! Workflow runs and their jobs (docs.github.com/rest/actions/workflow-runs, docs.github.com/rest/actions/workflow-jobs).

use serde_json::{Value, json};

use super::{Urls, UserBody, repository_summary, with};
use crate::clock::iso;
use crate::ids;
use crate::state::{CiJob, CiRun, Repository};

/// The repository of a run, which has its addresses and none of its counts and settings.
fn minimal(urls: &Urls, repo: &Repository, is_fork: bool) -> Value {
    const KEPT: [&str; 8] = ["id", "node_id", "name", "full_name", "private", "owner", "description", "fork"];
    let mut body = repository_summary(urls, repo);
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| KEPT.contains(&name.as_str()) || name == "url" || name.ends_with("_url"));
    }
    if is_fork {
        body = with(body, json!({ "id": repo.id + 500_000, "fork": true }));
    }
    body
}

fn status(conclusion: Option<&String>) -> &'static str {
    if conclusion.is_some() { "completed" } else { "in_progress" }
}

/// Renders a run of a workflow.
pub(crate) fn run(urls: &Urls, repo: &Repository, run: &CiRun, number: usize) -> Value {
    let full_name = repo.full_name();
    let api = urls.repo(&full_name);
    let url = format!("{api}/actions/runs/{}", run.id);
    let file = run.workflow.to_lowercase().replace(' ', "-");
    let workflow = ids::user(&run.workflow);
    let person = json!({ "name": "octocat", "email": "somebody@example.com" });
    json!({
        "id": run.id,
        "name": run.workflow,
        "node_id": ids::node("WFR", run.id),
        "check_suite_id": run.id + 1,
        "check_suite_node_id": ids::node("CS", run.id),
        "head_branch": run.branch,
        "head_sha": run.head_sha,
        "path": format!(".github/workflows/{file}.yml"),
        "display_title": run.workflow,
        "run_number": number,
        "run_attempt": 1,
        "event": run.event,
        "status": status(run.conclusion.as_ref()),
        "conclusion": run.conclusion,
        "workflow_id": workflow,
        "url": url,
        "html_url": format!("{}/{full_name}/actions/runs/{}", urls.html, run.id),
        "pull_requests": [],
        "created_at": iso(run.created_at),
        "updated_at": iso(run.created_at),
        "run_started_at": iso(run.created_at),
        "actor": UserBody::new(urls, "octocat"),
        "triggering_actor": UserBody::new(urls, "octocat"),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{api}/check-suites/{}", run.id + 1),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": null,
        "workflow_url": format!("{api}/actions/workflows/{workflow}"),
        "head_commit": {
            "id": run.head_sha,
            "tree_id": run.head_sha,
            "message": "A commit",
            "timestamp": iso(run.created_at),
            "author": person,
            "committer": person,
        },
        "repository": minimal(urls, repo, false),
        "head_repository": minimal(urls, repo, run.is_of_fork),
    })
}

/// Renders a job of a run.
pub(crate) fn job(urls: &Urls, repo: &Repository, run: &CiRun, job: &CiJob) -> Value {
    let full_name = repo.full_name();
    let api = urls.repo(&full_name);
    json!({
        "id": job.id,
        "run_id": run.id,
        "run_url": format!("{api}/actions/runs/{}", run.id),
        "run_attempt": 1,
        "node_id": ids::node("CR", job.id),
        "head_sha": run.head_sha,
        "head_branch": run.branch,
        "workflow_name": run.workflow,
        "url": format!("{api}/actions/jobs/{}", job.id),
        "html_url": format!("{}/{full_name}/actions/runs/{}/job/{}", urls.html, run.id, job.id),
        "status": status(job.conclusion.as_ref()),
        "conclusion": job.conclusion,
        "created_at": iso(run.created_at),
        "started_at": iso(run.created_at),
        "completed_at": job.conclusion.as_ref().map(|_| iso(run.created_at)),
        "name": job.name,
        "steps": [],
        "check_run_url": format!("{api}/check-runs/{}", job.id),
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "a runner",
        "runner_group_id": 1,
        "runner_group_name": "runners",
    })
}
