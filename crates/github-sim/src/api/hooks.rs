//! Webhooks of a repository (docs.github.com/rest/repos/webhooks).

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::{Reply, errors, input, paging};
use crate::render;
use crate::state::World;
use crate::webhooks::{ContentType, Hook, Listener};

/// Most hooks of a repository
/// (docs.github.com/webhooks/using-webhooks/creating-webhooks: 20 that listen to one event).
const MOST_HOOKS: usize = 20;

/// `GET …/hooks`
pub(super) fn list(cx: &Context<'_>, world: &World, repo: u64) -> Reply {
    let hooks: Vec<Value> = of(world, repo).map(|it| render::hook(&world.urls, world, it)).collect();
    paging::page(cx, world, repo, &hooks)
}

/// `POST …/hooks`; the new hook is pinged.
pub(super) fn create(cx: &Context<'_>, world: &mut World, repo: u64) -> Result<Reply, Reply> {
    let fields = input::object(cx)?;
    if fields.get("name").is_some_and(|name| !name.is_null() && name != "web") {
        return Err(refused("name", "is not a valid hook name"));
    }
    let mut hook = Hook {
        id: world.fresh_id(),
        listener: Listener::Repo(repo),
        is_active: true,
        events: vec!["push".to_owned()],
        url: String::new(),
        secret: None,
        content_type: ContentType::Form,
        insecure_ssl: false,
        created_at: cx.now_s,
        updated_at: cx.now_s,
        last: None,
    };
    change(&mut hook, &fields)?;
    if hook.url.is_empty() {
        return Err(refused("config", "url cannot be blank"));
    }
    if of(world, repo).any(|other| other.url == hook.url) {
        return Err(exists());
    }
    if of(world, repo).count() >= MOST_HOOKS {
        return Err(refused("base", "The \"push\" event cannot have more than 20 hooks"));
    }
    let id = hook.id;
    let body = render::hook(&world.urls, world, &hook);
    world.webhooks.hooks.insert(id, hook);
    world.ping(id, cx.caller.login());
    let url = body["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::json(StatusCode::CREATED, &body).with(LOCATION, &url))
}

/// `GET …/hooks/{hook_id}`
pub(super) fn show(world: &World, repo: u64, id: u64) -> Result<Reply, Reply> {
    let hook = find(world, repo, id)?;
    Ok(Reply::ok(&render::hook(&world.urls, world, hook)))
}

/// `PATCH …/hooks/{hook_id}`
pub(super) fn update(cx: &Context<'_>, world: &mut World, repo: u64, id: u64) -> Result<Reply, Reply> {
    let mut hook = find(world, repo, id)?.clone();
    let fields = input::object(cx)?;
    change(&mut hook, &fields)?;
    if hook.url.is_empty() {
        return Err(refused("config", "url cannot be blank"));
    }
    if of(world, repo).any(|other| other.id != id && other.url == hook.url) {
        return Err(exists());
    }
    hook.updated_at = cx.now_s;
    world.webhooks.hooks.insert(id, hook);
    show(world, repo, id)
}

/// `DELETE …/hooks/{hook_id}`
pub(super) fn delete(world: &mut World, repo: u64, id: u64) -> Result<Reply, Reply> {
    find(world, repo, id)?;
    world.webhooks.hooks.remove(&id);
    Ok(Reply::rendered(StatusCode::NO_CONTENT, ""))
}

/// `POST …/hooks/{hook_id}/pings`
pub(super) fn ping(cx: &Context<'_>, world: &mut World, repo: u64, id: u64) -> Result<Reply, Reply> {
    find(world, repo, id)?;
    world.ping(id, cx.caller.login());
    Ok(Reply::rendered(StatusCode::NO_CONTENT, ""))
}

/// The hook, if it is this repository's.
pub(super) fn find(world: &World, repo: u64, id: u64) -> Result<&Hook, Reply> {
    of(world, repo).find(|hook| hook.id == id).ok_or_else(errors::not_found)
}

fn of(world: &World, repo: u64) -> impl Iterator<Item = &Hook> {
    world.webhooks.hooks.values().filter(move |hook| hook.listener == Listener::Repo(repo))
}

/// Takes over what the body says; a `config` replaces the whole one, so a secret that it leaves out is gone.
fn change(hook: &mut Hook, fields: &Map<String, Value>) -> Result<(), Reply> {
    if let Some(active) = fields.get("active") {
        hook.is_active = active.as_bool().ok_or_else(|| refused("active", "must be a boolean"))?;
    }
    if let Some(list) = fields.get("events") {
        hook.events = input::names(list, "events")?;
    }
    if let Some(list) = fields.get("add_events") {
        let more = input::names(list, "add_events")?;
        hook.events.retain(|name| !more.contains(name));
        hook.events.extend(more);
    }
    if let Some(list) = fields.get("remove_events") {
        let fewer = input::names(list, "remove_events")?;
        hook.events.retain(|name| !fewer.contains(name));
    }
    if let Some(config) = fields.get("config") {
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
        hook.url = text("url").unwrap_or_default();
        hook.secret = text("secret").filter(|secret| !secret.is_empty());
        hook.insecure_ssl = config.get("insecure_ssl").is_some_and(|it| it == "1" || it == 1);
        hook.content_type = match text("content_type").as_deref() {
            Some("json") => ContentType::Json,
            _ => ContentType::Form,
        };
    }
    Ok(())
}

fn refused(field: &str, message: &str) -> Reply {
    errors::validation("Hook", field, "custom", Some(message))
}

fn exists() -> Reply {
    let body = json!({
        "message": "Validation Failed",
        "errors": [{
            "resource": "Hook",
            "code": "custom",
            "message": "Hook already exists on this repository",
        }],
        "documentation_url": "https://docs.github.com/rest/repos/webhooks#create-a-repository-webhook",
    });
    Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}
