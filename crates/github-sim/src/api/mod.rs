//! The REST API: from a request to GitHub's answer (docs.github.com/rest).

mod account;
mod actions;
mod apps;
mod assignees;
mod blockers;
mod code;
mod comments;
mod context;
mod deliveries;
mod errors;
mod etag;
mod faulty;
mod gate;
mod hooks;
mod input;
mod issues;
mod labels;
mod paging;
mod pulls;
mod reply;
mod repos;
mod reviews;
mod route;
mod scope;
mod table;

pub(crate) use actions::stored_log;
pub(crate) use gate::answer;
pub(crate) use reply::Reply;
pub(crate) use route::Route;
pub use table::{Operation, operations};

use context::Context;
use route::Action;

use crate::state::{Key, World};

/// Serves a request that was let in.
fn handle(cx: &Context<'_>, world: &mut World) -> Result<Reply, Reply> {
    match &cx.ask.route.action {
        Action::UserGet => account::user(cx, world),
        Action::RateLimitGet => Ok(account::rate_limit(cx)),
        Action::AppGet => apps::show(cx, world),
        Action::InstallationList => apps::installations(cx, world),
        Action::InstallationGet(id) => apps::installation(cx, world, *id),
        Action::AccessTokenCreate(id) => apps::create_token(cx, *id),
        Action::InstallationRepoList => apps::repositories(cx, world),
        Action::AppDeliveryList => {
            let url = format!("{}{}", world.urls.api, cx.ask.path);
            deliveries::list(cx, world, deliveries::hook_of_app(cx, world)?, &url)
        }
        &Action::AppDeliveryGet(id) => deliveries::show(cx, world, deliveries::hook_of_app(cx, world)?, id),
        &Action::AppRedeliver(id) => {
            let hook = deliveries::hook_of_app(cx, world)?;
            deliveries::redeliver(cx, world, hook, id)
        }
        Action::Unknown => Err(errors::not_found()),
        action => {
            let repo = scope::repository(cx, world)?;
            match action.hook() {
                Some(_) => on_hooks(cx, world, repo, action),
                None => in_repository(cx, world, repo, action),
            }
        }
    }
}

fn on_hooks(cx: &Context<'_>, world: &mut World, repo: u64, action: &Action) -> Result<Reply, Reply> {
    match *action {
        Action::HookList => Ok(hooks::list(cx, world, repo)),
        Action::HookCreate => hooks::create(cx, world, repo),
        Action::HookGet(hook) => hooks::show(world, repo, hook),
        Action::HookUpdate(hook) => hooks::update(cx, world, repo, hook),
        Action::HookDelete(hook) => hooks::delete(world, repo, hook),
        Action::HookPing(hook) => hooks::ping(cx, world, repo, hook),
        Action::DeliveryList(hook) => {
            let hook = deliveries::hook_of_repo(world, repo, hook)?;
            deliveries::list(cx, world, hook, &cx.list_url(world, repo))
        }
        Action::DeliveryGet(hook, id) => {
            deliveries::show(cx, world, deliveries::hook_of_repo(world, repo, hook)?, id)
        }
        Action::Redeliver(hook, id) => {
            let hook = deliveries::hook_of_repo(world, repo, hook)?;
            deliveries::redeliver(cx, world, hook, id)
        }
        _ => Err(errors::not_found()),
    }
}

fn in_repository(cx: &Context<'_>, world: &mut World, repo: u64, action: &Action) -> Result<Reply, Reply> {
    match *action {
        Action::RepoGet => repos::show(cx, world, repo),
        Action::IssueList => issues::list(cx, world, repo),
        Action::IssueCreate => issues::create(cx, world, repo),
        Action::CommentGet(id) => comments::show(world, repo, id),
        Action::CommentUpdate(id) => comments::update(cx, world, repo, id),
        Action::CommentDelete(id) => comments::delete(cx, world, repo, id),
        Action::PullList => pulls::list(cx, world, repo),
        Action::PullGet(number) => pulls::show(world, repo, number),
        Action::CommitList => code::commits(cx, world, repo),
        Action::PullCommitList(number) => code::of_pull(cx, world, repo, number),
        Action::LineCommentList(number) => code::line_comments(cx, world, repo, number),
        Action::RunList => actions::runs(cx, world, repo),
        Action::JobList(run) => actions::jobs(cx, world, repo, run),
        Action::JobLog(job) => actions::log(world, repo, job),
        Action::ReviewList(number) => reviews::list(cx, world, Key { repo, number }),
        Action::CheckRunList(ref reference) => reviews::checks(cx, world, repo, reference),
        ref action => {
            let number = action.issue().ok_or_else(errors::not_found)?;
            let key = scope::issue(cx, world, repo, number)?;
            on_issue(cx, world, key, action)
        }
    }
}

fn on_issue(cx: &Context<'_>, world: &mut World, key: Key, action: &Action) -> Result<Reply, Reply> {
    match action {
        Action::IssueGet(_) => issues::show(cx, world, key),
        Action::IssueUpdate(_) => issues::update(cx, world, key),
        Action::LabelList(_) => labels::list(world, key),
        Action::LabelAdd(_) => labels::add(cx, world, key),
        Action::LabelSet(_) => labels::set(cx, world, key),
        Action::LabelClear(_) => labels::clear(cx, world, key),
        Action::LabelRemove(_, name) => labels::remove(cx, world, key, name),
        Action::AssigneeAdd(_) => assignees::add(cx, world, key),
        Action::AssigneeRemove(_) => assignees::remove(cx, world, key),
        Action::CommentList(_) => comments::list(cx, world, key),
        Action::CommentCreate(_) => comments::create(cx, world, key),
        Action::BlockedByList(_) => Ok(blockers::list(cx, world, key)),
        _ => Err(errors::not_found()),
    }
}
