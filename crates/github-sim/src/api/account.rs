//! Who am I, and what do I have left (docs.github.com/rest/users/users, docs.github.com/rest/rate-limit).

use serde_json::json;

use super::context::Context;
use super::{Reply, errors};
use crate::access::Caller;
use crate::render;
use crate::state::World;

/// `GET /user`
pub(super) fn user(cx: &Context<'_>, world: &World) -> Result<Reply, Reply> {
    match cx.caller {
        Caller::Anonymous => Err(errors::requires_authentication()),
        Caller::Installation { .. } | Caller::App { .. } => Err(errors::not_accessible(cx.caller)),
        Caller::Token { login, .. } => Ok(Reply::ok(&render::account(&world.urls, login))),
    }
}

/// `GET /rate_limit`
pub(super) fn rate_limit(cx: &Context<'_>) -> Reply {
    let core = json!({
        "limit": cx.standing.limit,
        "used": cx.standing.used,
        "remaining": cx.standing.remaining(),
        "reset": cx.standing.reset_s,
    });
    // Searches have a minute of their own; the simulator serves none.
    let most = if cx.caller.is_anonymous() { 10 } else { 30 };
    let search = json!({ "limit": most, "used": 0, "remaining": most, "reset": cx.now_s + 60 });
    Reply::ok(&json!({ "resources": { "core": core, "search": search }, "rate": core }))
}
