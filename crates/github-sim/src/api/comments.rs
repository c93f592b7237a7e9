//! Comments on issues and pull requests (docs.github.com/rest/issues/comments).

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::Value;

use super::context::Context;
use super::{Reply, errors, input, paging};
use crate::clock::parse_iso;
use crate::render;
use crate::state::{Key, World};

/// `GET …/issues/{number}/comments`, ascending by id as documented.
pub(super) fn list(cx: &Context<'_>, world: &World, key: Key) -> Result<Reply, Reply> {
    let since = match cx.ask.param("since") {
        Some(text) => {
            parse_iso(&text).ok_or_else(|| errors::validation("IssueComment", "since", "invalid", None))?
        }
        None => i64::MIN,
    };
    let repo = world.repo(key.repo).ok_or_else(errors::not_found)?;
    let comments: Vec<Value> = world
        .comments(key)
        .into_iter()
        .filter(|comment| comment.updated_at >= since)
        .map(|comment| render::comment(&world.urls, repo, comment))
        .collect();
    Ok(paging::page(cx, world, key.repo, &comments))
}

/// `POST …/issues/{number}/comments`
pub(super) fn create(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    let body = input::required("IssueComment", &input::object(cx)?, "body")?;
    let id = world.comment(key, &body, cx.stamp()).ok_or_else(errors::not_found)?;
    let comment = body_of(world, key.repo, id)?;
    let url = comment["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::json(StatusCode::CREATED, &comment).with(LOCATION, &url))
}

/// `GET …/issues/comments/{id}`
pub(super) fn show(world: &World, repo: u64, id: u64) -> Result<Reply, Reply> {
    Ok(Reply::ok(&body_of(world, repo, id)?))
}

/// `PATCH …/issues/comments/{id}`
pub(super) fn update(cx: &Context<'_>, world: &mut World, repo: u64, id: u64) -> Result<Reply, Reply> {
    body_of(world, repo, id)?;
    let body = input::required("IssueComment", &input::object(cx)?, "body")?;
    world.edit_comment(repo, id, &body, cx.stamp()).ok_or_else(errors::not_found)?;
    show(world, repo, id)
}

/// `DELETE …/issues/comments/{id}`
pub(super) fn delete(cx: &Context<'_>, world: &mut World, repo: u64, id: u64) -> Result<Reply, Reply> {
    world.delete_comment(repo, id, cx.stamp()).ok_or_else(errors::not_found)?;
    Ok(Reply::rendered(StatusCode::NO_CONTENT, ""))
}

fn body_of(world: &World, repo: u64, id: u64) -> Result<Value, Reply> {
    let repo = world.repo(repo).ok_or_else(errors::not_found)?;
    let comment = repo.comments.get(&id).ok_or_else(errors::not_found)?;
    Ok(render::comment(&world.urls, repo, comment))
}
