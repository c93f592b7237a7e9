//! Deliveries of webhooks, and sending them again
//! (docs.github.com/rest/repos/webhooks#list-deliveries-for-a-repository-webhook, docs.github.com/rest/apps/webhooks).

use hyper::StatusCode;
use serde_json::{Value, json};

use super::context::Context;
use super::paging::{self, Paging};
use super::{Reply, errors, hooks};
use crate::access::Caller;
use crate::render;
use crate::state::World;
use crate::webhooks::Listener;

/// The hook of a repository's route.
pub(super) fn hook_of_repo(world: &World, repo: u64, hook: u64) -> Result<u64, Reply> {
    hooks::find(world, repo, hook).map(|hook| hook.id)
}

/// The hook of the App that asks.
pub(super) fn hook_of_app(cx: &Context<'_>, world: &World) -> Result<u64, Reply> {
    let &Caller::App { id } = cx.caller else {
        return Err(errors::needs_jwt());
    };
    let own = world.webhooks.hooks.values().find(|hook| hook.listener == Listener::App(id));
    own.map(|hook| hook.id).ok_or_else(errors::not_found)
}

/// `GET …/deliveries`: newest first, in pages by cursor.
pub(super) fn list(cx: &Context<'_>, world: &World, hook: u64, url: &str) -> Result<Reply, Reply> {
    let from = match cx.ask.param("cursor") {
        Some(text) => parse(&text).ok_or_else(bad_cursor)?,
        None => u64::MAX,
    };
    let wanted = match cx.ask.param("status").as_deref() {
        None => None,
        Some("success") => Some(true),
        Some("failure") => Some(false),
        Some(_) => return Err(errors::validation("HookDelivery", "status", "invalid", None)),
    };
    let per_page = Paging::of(cx.ask).per_page;
    let is_wanted = |success: bool| wanted.is_none_or(|wanted| wanted == success);
    let mut rest = world
        .webhooks
        .of_hook(hook, cx.now_s * 1_000)
        .filter(|it| it.parcel.id <= from && is_wanted(it.is_success()));
    let page: Vec<Value> = rest.by_ref().take(per_page).map(render::delivery_item).collect();
    let link = match rest.next() {
        Some(next) => paging::link(url, &cx.ask.query, ("cursor", &cursor(next.parcel.id)), "next"),
        None => String::new(),
    };
    Ok(paging::with_link(Reply::ok(&page), &link))
}

/// `GET …/deliveries/{delivery_id}`
pub(super) fn show(cx: &Context<'_>, world: &World, hook: u64, id: u64) -> Result<Reply, Reply> {
    let found = world.webhooks.find(hook, id, cx.now_s * 1_000).ok_or_else(errors::not_found)?;
    Ok(Reply::ok(&render::delivery(found)))
}

/// `POST …/deliveries/{delivery_id}/attempts`
pub(super) fn redeliver(cx: &Context<'_>, world: &mut World, hook: u64, id: u64) -> Result<Reply, Reply> {
    world.webhooks.redeliver(hook, id, cx.now_s * 1_000).ok_or_else(errors::not_found)?;
    Ok(Reply::json(StatusCode::ACCEPTED, &json!({})))
}

/// The form for URLs: opaque to clients.
fn cursor(id: u64) -> String {
    format!("v1_{id}")
}

fn parse(text: &str) -> Option<u64> {
    text.strip_prefix("v1_")?.parse().ok()
}

fn bad_cursor() -> Reply {
    errors::error(StatusCode::BAD_REQUEST, "Invalid cursor", "https://docs.github.com/rest/repos/webhooks")
}
