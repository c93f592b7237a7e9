//! GitHub Actions: runs, jobs and their logs (docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-repository,
//! docs.github.com/rest/actions/workflow-jobs).

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::{Value, json};

use super::context::Context;
use super::paging::Paging;
use super::{Reply, errors, paging};
use crate::render;
use crate::server::Ask;
use crate::state::{CiRun, World};

/// Where logs are: another server than the API's at GitHub, which wants no token.
const LOGS: &str = "/_logs/";

/// `GET …/actions/runs`, the newest first.
pub(super) fn runs(cx: &Context<'_>, world: &World, repo: u64) -> Result<Reply, Reply> {
    let branch = cx.ask.param("branch");
    let status = cx.ask.param("status");
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    let is_wanted = |run: &CiRun| {
        let is_of_branch = branch.as_ref().is_none_or(|branch| *branch == run.branch);
        is_of_branch
            && match status.as_deref() {
                None => true,
                Some("completed") => run.conclusion.is_some(),
                Some("in_progress") => run.conclusion.is_none(),
                Some(conclusion) => run.conclusion.as_deref() == Some(conclusion),
            }
    };
    let all = repository.code.runs.iter().enumerate().rev().filter(|(_, run)| is_wanted(run));
    let rendered: Vec<Value> =
        all.map(|(at, run)| render::run(&world.urls, repository, run, at + 1)).collect();
    Ok(counted(cx, world, repo, "workflow_runs", &rendered))
}

/// `GET …/actions/runs/{run_id}/jobs`
pub(super) fn jobs(cx: &Context<'_>, world: &World, repo: u64, run: u64) -> Result<Reply, Reply> {
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    let run = repository.code.runs.iter().find(|other| other.id == run).ok_or_else(errors::not_found)?;
    let rendered: Vec<Value> =
        run.jobs.iter().map(|job| render::job(&world.urls, repository, run, job)).collect();
    Ok(counted(cx, world, repo, "jobs", &rendered))
}

/// `GET …/actions/jobs/{job_id}/logs`: where the log is, for a minute.
pub(super) fn log(world: &World, repo: u64, job: u64) -> Result<Reply, Reply> {
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    let mut jobs = repository.code.runs.iter().flat_map(|run| &run.jobs);
    jobs.find(|other| other.id == job).ok_or_else(errors::not_found)?;
    let place = format!("{}{LOGS}{repo}/{job}", world.urls.api);
    let mut reply = Reply::rendered(StatusCode::FOUND, bytes::Bytes::new());
    reply.headers.remove(hyper::header::CONTENT_TYPE);
    Ok(reply.with(LOCATION, &place))
}

/// The log itself, if the request is for one. Whoever shows a token there is turned away, as by the store that GitHub uses.
pub(crate) fn stored_log(world: &World, ask: &Ask) -> Option<Reply> {
    let (repo, job) = ask.path.strip_prefix(LOGS)?.split_once('/')?;
    let (repo, job): (u64, u64) = (repo.parse().ok()?, job.parse().ok()?);
    if ask.authorization().is_some() {
        return Some(Reply::raw(StatusCode::BAD_REQUEST, "application/xml", "<Error/>"));
    }
    let mut jobs = world.repo(repo)?.code.runs.iter().flat_map(|run| &run.jobs);
    let log = jobs.find(|other| other.id == job)?.log.clone();
    Some(Reply::raw(StatusCode::OK, "text/plain", log))
}

/// A page of a list that says how long it is.
fn counted(cx: &Context<'_>, world: &World, repo: u64, name: &str, all: &[Value]) -> Reply {
    let paging = Paging::of(cx.ask);
    let page: Vec<&Value> = all.iter().skip(paging.skip()).take(paging.per_page).collect();
    let link = paging::numbered(&cx.list_url(world, repo), &cx.ask.query, paging, all.len());
    paging::with_link(Reply::ok(&json!({ "total_count": all.len(), name: page })), &link)
}
