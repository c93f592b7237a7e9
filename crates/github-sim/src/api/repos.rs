//! Repositories (docs.github.com/rest/repos/repos#get-a-repository).

use super::context::Context;
use super::{Reply, errors};
use crate::render;
use crate::state::World;

/// `GET /repos/{owner}/{repo}` and `GET /repositories/{id}`
pub(super) fn show(cx: &Context<'_>, world: &World, repo: u64) -> Result<Reply, Reply> {
    let repo = world.repo(repo).ok_or_else(errors::not_found)?;
    let body = render::full_repository(&world.urls, repo, cx.caller.can_write());
    Ok(Reply::ok(&body))
}
