//! From the names in a path to what they mean today, or the answer that says what became of it.

use super::context::Context;
use super::route::RepoRef;
use super::{Reply, errors};
use crate::access::Permission;
use crate::state::{Found, Gone, Key, World};

/// The repository of the path; a write must be allowed there.
pub(super) fn repository(cx: &Context<'_>, world: &World) -> Result<u64, Reply> {
    let route = &cx.ask.route;
    let found = match &route.repo {
        Some(RepoRef::Id(id)) => Found::Repo(*id),
        Some(RepoRef::Name { owner, name }) => world.find(owner, name),
        None => Found::Missing,
    };
    let (Found::Repo(id) | Found::Moved(id)) = found else {
        return Err(errors::not_found());
    };
    let repo = world.repo(id).ok_or_else(errors::not_found)?;
    if !cx.caller.may_see(repo) {
        return Err(errors::not_found());
    }
    if found == Found::Moved(id) {
        return Err(redirect(cx, world, id, &route.rest));
    }
    if let Some(wanted) = route.action.hook() {
        return may_handle_hooks(cx, wanted).map(|()| id);
    }
    if let Some(needed) = route.action.permission()
        && !cx.caller.may_read_issues(repo)
    {
        return Err(errors::lacks(cx.caller, needed));
    }
    if !cx.ask.is_read() {
        may_write(cx, repo.is_archived)?;
    }
    Ok(id)
}

/// The issue or pull request of the path
/// (docs.github.com/rest/issues/issues#get-an-issue: 410 deleted, 301 transferred, 404 unknown).
pub(super) fn issue(cx: &Context<'_>, world: &World, id: u64, number: u64) -> Result<Key, Reply> {
    let repo = world.repo(id).ok_or_else(errors::not_found)?;
    if let Some(item) = repo.item(number) {
        if item.pull.is_none() && !repo.has_issues {
            return Err(errors::issues_disabled());
        }
        return Ok(Key { repo: id, number });
    }
    if !repo.has_issues {
        return Err(errors::issues_disabled());
    }
    match repo.gone.get(&number) {
        Some(Gone::Deleted) => Err(errors::deleted()),
        Some(Gone::Transferred(to)) => Err(forward(cx, world, number, *to)),
        None => Err(errors::not_found()),
    }
}

/// Whether the repository has an issue tracker.
pub(super) fn has_issues(world: &World, id: u64) -> Result<(), Reply> {
    match world.repo(id) {
        Some(repo) if repo.has_issues => Ok(()),
        Some(_) => Err(errors::issues_disabled()),
        None => Err(errors::not_found()),
    }
}

/// Who may not see webhooks is told so if its token is fine-grained, and nothing otherwise
/// (docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api#404-not-found-for-an-existing-resource).
fn may_handle_hooks(cx: &Context<'_>, wanted: Permission) -> Result<(), Reply> {
    let is_enough = match cx.caller.hooks() {
        Permission::Write => true,
        Permission::Read => wanted == Permission::Read,
        Permission::None => false,
    };
    if is_enough {
        return Ok(());
    }
    if cx.caller.is_anonymous() || cx.caller.scopes().is_some() {
        return Err(errors::not_found());
    }
    Err(errors::lacks(cx.caller, cx.ask.route.action.permission().unwrap_or_default()))
}

fn may_write(cx: &Context<'_>, is_archived: bool) -> Result<(), Reply> {
    if cx.caller.is_anonymous() {
        return Err(errors::requires_authentication());
    }
    if !cx.caller.can_write() {
        return Err(match cx.ask.route.action.permission() {
            Some(needed) => errors::lacks(cx.caller, needed),
            None => errors::not_accessible(cx.caller),
        });
    }
    if is_archived {
        return Err(errors::archived());
    }
    Ok(())
}

fn forward(cx: &Context<'_>, world: &World, number: u64, to: Key) -> Reply {
    let is_visible = world.repo(to.repo).is_some_and(|repo| cx.caller.may_see(repo));
    if !is_visible {
        return errors::not_found();
    }
    let old = format!("/issues/{number}");
    let below = cx.ask.route.rest.strip_prefix(&old).unwrap_or_default();
    let rest = format!("/issues/{}{below}", to.number);
    redirect(cx, world, to.repo, &rest)
}

fn redirect(cx: &Context<'_>, world: &World, id: u64, rest: &str) -> Reply {
    let query = match cx.ask.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let location = format!("{}/repositories/{id}{rest}{query}", world.urls.api);
    errors::moved(&location, cx.ask.is_read())
}
