//! Reviews (docs.github.com/rest/pulls/reviews) and checks (docs.github.com/rest/checks/runs).

use std::collections::HashSet;

use serde_json::{Value, json};

use super::context::Context;
use super::paging::{self, Paging};
use super::{Reply, errors};
use crate::render;
use crate::state::{CheckRun, Key, World};

/// `GET …/pulls/{number}/reviews`, in the order in which they were written.
pub(super) fn list(cx: &Context<'_>, world: &World, key: Key) -> Result<Reply, Reply> {
    let repo = world.repo(key.repo).ok_or_else(errors::not_found)?;
    repo.item(key.number).and_then(|item| item.pull.as_ref()).ok_or_else(errors::not_found)?;
    let reviews: Vec<Value> =
        world.reviews(key).into_iter().map(|review| render::review(&world.urls, repo, review)).collect();
    Ok(paging::page(cx, world, key.repo, &reviews))
}

/// `GET …/commits/{ref}/check-runs`, newest first; by default the newest run of each name in a suite.
pub(super) fn checks(cx: &Context<'_>, world: &World, repo: u64, reference: &str) -> Result<Reply, Reply> {
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    let heads = || repository.items().filter_map(|item| item.pull.as_ref());
    let sha = heads()
        .find(|pull| pull.branch == reference && pull.fork.is_none())
        .map_or(reference, |pull| pull.head_sha.as_str());
    let is_known = heads().any(|pull| pull.head_sha == sha)
        || repository.checks.values().any(|run| run.head_sha == sha)
        || (sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !is_known {
        return Err(errors::no_commit(reference));
    }
    let (name, status) = (cx.ask.param("check_name"), cx.ask.param("status"));
    let all = cx.ask.param("filter").as_deref() == Some("all");
    let mut seen = HashSet::new();
    let runs: Vec<&CheckRun> = repository
        .checks
        .values()
        .rev()
        .filter(|run| run.head_sha == sha)
        .filter(|run| all || seen.insert((run.suite, run.name.as_str())))
        .filter(|run| name.as_ref().is_none_or(|name| *name == run.name))
        .filter(|run| status.as_ref().is_none_or(|status| status == render::status(run)))
        .collect();
    let paging = Paging::of(cx.ask);
    let page: Vec<Value> = runs
        .iter()
        .skip(paging.skip())
        .take(paging.per_page)
        .map(|run| render::check_run(&world.urls, repository, run))
        .collect();
    let link = paging::numbered(&cx.list_url(world, repo), &cx.ask.query, paging, runs.len());
    let body = json!({ "total_count": runs.len(), "check_runs": page });
    Ok(paging::with_link(Reply::ok(&body), &link))
}
