//! Assignees of an issue (docs.github.com/rest/issues/assignees).

use hyper::StatusCode;

use super::context::Context;
use super::{Reply, errors, input, issues};
use crate::state::{Key, World};

/// `POST …/assignees`
pub(super) fn add(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    let logins = logins(cx)?;
    let mut after = issues::current(world, key)?;
    for login in logins {
        if !after.assignees.contains(&login) {
            after.assignees.push(login);
        }
    }
    issues::write(cx, world, key, after)?;
    issues::whole(world, key, StatusCode::CREATED)
}

/// `DELETE …/assignees`
pub(super) fn remove(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    let logins = logins(cx)?;
    let mut after = issues::current(world, key)?;
    after.assignees.retain(|login| !logins.contains(login));
    issues::write(cx, world, key, after)?;
    issues::whole(world, key, StatusCode::OK)
}

fn logins(cx: &Context<'_>) -> Result<Vec<String>, Reply> {
    let fields = input::object(cx)?;
    let missing = || errors::invalid_request("\"assignees\" wasn't supplied.");
    input::names(fields.get("assignees").ok_or_else(missing)?, "assignees")
}
