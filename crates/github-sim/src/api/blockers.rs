//! What blocks an issue
//! (docs.github.com/rest/issues/issue-dependencies#list-dependencies-an-issue-is-blocked-by).

use serde_json::Value;

use super::context::Context;
use super::{Reply, paging};
use crate::state::{Key, World};

/// `GET …/dependencies/blocked_by`
pub(super) fn list(cx: &Context<'_>, world: &mut World, key: Key) -> Reply {
    let blockers: Vec<Key> = world.dependencies.blockers(key).collect();
    let issues: Vec<Value> = blockers
        .into_iter()
        .filter_map(|blocker| world.issue_json(blocker))
        .filter_map(|json| serde_json::from_slice(&json).ok())
        .collect();
    paging::page(cx, world, key.repo, &issues)
}
