//! One issue: read, opened, changed
//! (docs.github.com/rest/issues/issues#get-an-issue, #create-an-issue, #update-an-issue).

use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::{Map, Value};

use crate::api::context::Context;
use crate::api::{Reply, errors, input, scope};
use crate::state::{IssueState, Key, NewIssue, State, StateReason, World};

/// `GET …/issues/{number}`
pub(in crate::api) fn show(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    let version = world.item(key).ok_or_else(errors::not_found)?.version;
    let tag = cx.recipe().bytes(b"issue").number(version).tag();
    if let Some(unchanged) = cx.unchanged(&tag) {
        return Ok(unchanged);
    }
    Ok(whole(world, key, StatusCode::OK)?.tagged(tag))
}

/// `POST …/issues`
pub(in crate::api) fn create(cx: &Context<'_>, world: &mut World, repo: u64) -> Result<Reply, Reply> {
    scope::has_issues(world, repo)?;
    let fields = input::object(cx)?;
    let mut new = NewIssue::new(input::required("Issue", &fields, "title")?);
    new.body = input::text(&fields, "body")?;
    if let Some(list) = present(&fields, "labels") {
        new.labels = input::label_names(list)?;
    }
    if let Some(list) = present(&fields, "assignees") {
        new.assignees = input::names(list, "assignees")?;
    }
    let number = world.open(repo, new, None, cx.stamp()).ok_or_else(errors::not_found)?;
    let full_name = world.repo(repo).ok_or_else(errors::not_found)?.full_name();
    let url = format!("{}/issues/{number}", world.urls.repo(&full_name));
    let reply = whole(world, Key { repo, number }, StatusCode::CREATED)?;
    Ok(reply.with(LOCATION, &url))
}

/// `PATCH …/issues/{number}`
pub(in crate::api) fn update(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    let fields = input::object(cx)?;
    let mut after = current(world, key)?;
    if fields.contains_key("title") {
        after.title = input::required("Issue", &fields, "title")?;
    }
    if fields.contains_key("body") {
        after.body = input::text(&fields, "body")?;
    }
    if let Some(list) = present(&fields, "labels") {
        after.labels = input::label_names(list)?;
    }
    if let Some(list) = present(&fields, "assignees") {
        after.assignees = input::names(list, "assignees")?;
    }
    if let Some(state) = present(&fields, "state") {
        after.state = choice::<State>(state, "state")?;
    }
    if let Some(reason) = present(&fields, "state_reason") {
        after.state_reason = Some(choice::<StateReason>(reason, "state_reason")?);
    }
    write(cx, world, key, after)?;
    whole(world, key, StatusCode::OK)
}

/// The issue as it is.
pub(in crate::api) fn current(world: &World, key: Key) -> Result<IssueState, Reply> {
    let item = world.item(key).ok_or_else(errors::not_found)?;
    Ok(item.issue.clone())
}

/// Makes the issue what it should be; where it is that already, nothing moves, not even
/// `updated_at`.
pub(in crate::api) fn write(
    cx: &Context<'_>,
    world: &mut World,
    key: Key,
    after: IssueState,
) -> Result<(), Reply> {
    if current(world, key)? == after {
        return Ok(());
    }
    world.edit(key, cx.stamp(), |issue| *issue = after).ok_or_else(errors::not_found)
}

/// The whole issue in GitHub's JSON.
pub(in crate::api) fn whole(world: &mut World, key: Key, status: StatusCode) -> Result<Reply, Reply> {
    let json = world.issue_json(key).ok_or_else(errors::not_found)?;
    Ok(Reply::rendered(status, json))
}

fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn choice<T: serde::de::DeserializeOwned>(value: &Value, field: &str) -> Result<T, Reply> {
    serde_json::from_value(value.clone()).map_err(|_| errors::validation("Issue", field, "invalid", None))
}
