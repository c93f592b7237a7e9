//! Commits (docs.github.com/rest/commits/commits), a pull request's own (docs.github.com/rest/pulls/pulls#list-commits-on-a-pull-request)
//! and comments on its lines (docs.github.com/rest/pulls/comments).

use serde_json::Value;

use super::context::Context;
use super::{Reply, errors, paging};
use crate::clock::parse_iso;
use crate::render;
use crate::state::{CommitInfo, World};

/// `GET …/commits`, the newest first; an empty repository is a conflict, as GitHub has it.
pub(super) fn commits(cx: &Context<'_>, world: &World, repo: u64) -> Result<Reply, Reply> {
    let branch = cx.ask.param("sha").unwrap_or_else(|| "main".to_owned());
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    if repository.code.commits.is_empty() {
        return Err(errors::empty_repository());
    }
    let on_branch = repository.code.commits.iter().rev().filter(|commit| commit.branch == branch);
    let rendered: Vec<Value> =
        on_branch.map(|commit| render::commit(&world.urls, repository, commit)).collect();
    Ok(paging::page(cx, world, repo, &rendered))
}

/// `GET …/pulls/{number}/commits`, the oldest first.
pub(super) fn of_pull(cx: &Context<'_>, world: &World, repo: u64, number: u64) -> Result<Reply, Reply> {
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    let item = repository.item(number).ok_or_else(errors::not_found)?;
    let pull = item.pull.as_ref().ok_or_else(errors::not_found)?;
    let of_branch: Vec<&CommitInfo> =
        repository.code.commits.iter().filter(|commit| commit.branch == pull.branch).collect();
    let rendered: Vec<Value> =
        of_branch.into_iter().map(|commit| render::commit(&world.urls, repository, commit)).collect();
    Ok(paging::page(cx, world, repo, &rendered))
}

/// `GET …/pulls/{number}/comments`, the oldest first.
pub(super) fn line_comments(cx: &Context<'_>, world: &World, repo: u64, number: u64) -> Result<Reply, Reply> {
    let since = cx.ask.param("since").and_then(|text| parse_iso(&text)).unwrap_or(i64::MIN);
    let repository = world.repo(repo).ok_or_else(errors::not_found)?;
    if repository.item(number).is_none_or(|item| item.pull.is_none()) {
        return Err(errors::not_found());
    }
    let comments = &repository.code.line_comments;
    let wanted = comments.iter().filter(|comment| comment.pull == number && comment.at >= since);
    let rendered: Vec<Value> =
        wanted.map(|comment| render::line_comment(&world.urls, repository, comment)).collect();
    Ok(paging::page(cx, world, repo, &rendered))
}
