//! Apps and their installations (docs.github.com/rest/apps/apps, docs.github.com/rest/apps/installations).

use hyper::StatusCode;
use serde_json::{Value, json};

use super::context::Context;
use super::paging::{self, Paging};
use super::{Reply, errors, input};
use crate::access::Caller;
use crate::clock::iso;
use crate::render;
use crate::state::World;

/// `GET /app`
pub(super) fn show(cx: &Context<'_>, world: &World) -> Result<Reply, Reply> {
    let id = app_of(cx)?;
    let access = cx.access.lock();
    let app = access.apps.app(id).ok_or_else(errors::not_found)?;
    let count = access.apps.installations_of(id).count();
    Ok(Reply::ok(&render::app(&world.urls, app, count)))
}

/// `GET /app/installations`
pub(super) fn installations(cx: &Context<'_>, world: &World) -> Result<Reply, Reply> {
    let id = app_of(cx)?;
    let access = cx.access.lock();
    let app = access.apps.app(id).ok_or_else(errors::not_found)?;
    let all: Vec<Value> = access
        .apps
        .installations_of(id)
        .map(|installation| render::installation(&world.urls, app, installation))
        .collect();
    let (page, link) = page(cx, world, &all);
    Ok(paging::with_link(Reply::ok(&page), &link))
}

/// `GET /app/installations/{installation_id}`
/// (docs.github.com/rest/apps/apps#get-an-installation-for-the-authenticated-app)
pub(super) fn installation(cx: &Context<'_>, world: &World, installation: u64) -> Result<Reply, Reply> {
    let id = app_of(cx)?;
    let access = cx.access.lock();
    let app = access.apps.app(id).ok_or_else(errors::not_found)?;
    let known = access.apps.installation(installation).filter(|it| it.app == id);
    let known = known.ok_or_else(errors::not_found)?;
    Ok(Reply::ok(&render::installation(&world.urls, app, known)))
}

/// `POST /app/installations/{installation_id}/access_tokens`
pub(super) fn create_token(cx: &Context<'_>, installation: u64) -> Result<Reply, Reply> {
    let id = app_of(cx)?;
    input::object(cx)?;
    let mut access = cx.access.lock();
    let known = access.apps.installation(installation).filter(|it| it.app == id);
    let known = known.ok_or_else(errors::not_found)?.clone();
    if known.suspended_at.is_some() {
        return Err(errors::suspended());
    }
    let (token, expires_s) = access.apps.mint(installation, cx.now_s);
    let body = json!({
        "token": token,
        "expires_at": iso(expires_s),
        "permissions": render::permissions(known.permission),
        "repository_selection": "all",
    });
    Ok(Reply::json(StatusCode::CREATED, &body))
}

/// `GET /installation/repositories`
pub(super) fn repositories(cx: &Context<'_>, world: &World) -> Result<Reply, Reply> {
    let Caller::Installation { account, .. } = cx.caller else {
        return Err(errors::needs_installation());
    };
    let can_write = cx.caller.can_write();
    let repos = world.repos_of(account);
    let all: Vec<Value> =
        repos.into_iter().map(|repo| render::repository(&world.urls, repo, can_write)).collect();
    let (page, link) = page(cx, world, &all);
    let body = json!({ "total_count": all.len(), "repository_selection": "all", "repositories": page });
    Ok(paging::with_link(Reply::ok(&body), &link))
}

fn app_of(cx: &Context<'_>) -> Result<u64, Reply> {
    match cx.caller {
        Caller::App { id } => Ok(*id),
        _ => Err(errors::needs_jwt()),
    }
}

/// One page of a list that belongs to no repository, and its `Link`.
fn page<'a>(cx: &Context<'_>, world: &World, all: &'a [Value]) -> (&'a [Value], String) {
    let paging = Paging::of(cx.ask);
    let start = paging.skip().min(all.len());
    let end = start.saturating_add(paging.per_page).min(all.len());
    let url = format!("{}{}", world.urls.api, cx.ask.path);
    (&all[start..end], paging::numbered(&url, &cx.ask.query, paging, all.len()))
}
