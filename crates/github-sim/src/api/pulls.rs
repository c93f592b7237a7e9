//! Pull requests (docs.github.com/rest/pulls/pulls).

use serde_json::Value;

use super::context::Context;
use super::{Reply, errors, paging};
use crate::render;
use crate::state::{Item, State, World};

/// `GET …/pulls`
pub(super) fn list(cx: &Context<'_>, world: &World, repo: u64) -> Result<Reply, Reply> {
    let state = choice(cx, "state", &["open", "closed", "all"])?;
    let sort = choice(cx, "sort", &["created", "updated", "popularity", "long-running"])?;
    let direction = match cx.ask.param("direction") {
        // Newest first only where the list is by creation.
        None if sort != "created" => "asc".to_owned(),
        _ => choice(cx, "direction", &["desc", "asc"])?,
    };
    let head = cx.ask.param("head");
    let base = cx.ask.param("base");
    let wanted = |item: &&Item| {
        let Some(pull) = &item.pull else {
            return false;
        };
        let has_state = state == "all" || (item.issue.state == State::Open) == (state == "open");
        let is_head = head.as_ref().is_none_or(|head| {
            let branch = head.split_once(':').map_or(head.as_str(), |(_, branch)| branch);
            branch == pull.branch
        });
        has_state && is_head && base.as_ref().is_none_or(|base| *base == pull.base)
    };
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    let mut items: Vec<&Item> = repository.items().filter(wanted).collect();
    items.sort_unstable_by_key(|item| {
        let issue = &item.issue;
        let at = match sort.as_str() {
            "updated" => issue.updated_at,
            _ => issue.created_at,
        };
        (at, issue.id)
    });
    if direction == "desc" {
        items.reverse();
    }
    let pulls: Vec<Value> =
        items.into_iter().filter_map(|item| render::pull_summary(&world.urls, repository, item)).collect();
    Ok(paging::page(cx, world, repo, &pulls))
}

/// `GET …/pulls/{number}`
pub(super) fn show(world: &World, repo: u64, number: u64) -> Result<Reply, Reply> {
    let repo = world.repo(repo).ok_or_else(errors::not_found)?;
    let item = repo.item(number).ok_or_else(errors::not_found)?;
    let body = render::pull(&world.urls, repo, item).ok_or_else(errors::not_found)?;
    Ok(Reply::ok(&body))
}

/// A parameter with a fixed set of values; the first is the default.
fn choice(cx: &Context<'_>, name: &str, values: &[&str]) -> Result<String, Reply> {
    match cx.ask.param(name) {
        None => Ok(values[0].to_owned()),
        Some(value) if values.contains(&value.as_str()) => Ok(value),
        Some(_) => Err(errors::validation("PullRequest", name, "invalid", None)),
    }
}
