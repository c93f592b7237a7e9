//! Labels of an issue (docs.github.com/rest/issues/labels): missing ones are made on the way,
//! names compare without case.

use serde_json::{Map, Value};

use super::context::Context;
use super::{Reply, errors, input, issues};
use crate::render;
use crate::state::{Key, World};

/// `GET …/labels`
pub(super) fn list(world: &World, key: Key) -> Result<Reply, Reply> {
    let repo = world.repo(key.repo).ok_or_else(errors::not_found)?;
    let item = repo.item(key.number).ok_or_else(errors::not_found)?;
    let repo_url = world.urls.repo(&repo.full_name());
    let labels: Vec<_> = item
        .issue
        .labels
        .iter()
        .filter_map(|name| Some(render::label(&repo_url, repo.labels.find(name)?)))
        .collect();
    Ok(Reply::ok(&labels))
}

/// `POST …/labels`
pub(super) fn add(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    let names = asked(cx)?;
    let mut after = issues::current(world, key)?;
    for name in names {
        if !after.has_label(&name) {
            after.labels.push(name);
        }
    }
    issues::write(cx, world, key, after)?;
    list(world, key)
}

/// `PUT …/labels`
pub(super) fn set(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    let names = asked(cx)?;
    replace(cx, world, key, names)?;
    list(world, key)
}

/// `DELETE …/labels`
pub(super) fn clear(cx: &Context<'_>, world: &mut World, key: Key) -> Result<Reply, Reply> {
    replace(cx, world, key, Vec::new())?;
    Ok(Reply::rendered(hyper::StatusCode::NO_CONTENT, ""))
}

/// `DELETE …/labels/{name}`
pub(super) fn remove(cx: &Context<'_>, world: &mut World, key: Key, name: &str) -> Result<Reply, Reply> {
    let mut after = issues::current(world, key)?;
    if !after.has_label(name) {
        return Err(errors::no_label());
    }
    let name = name.to_lowercase();
    after.labels.retain(|label| label.to_lowercase() != name);
    issues::write(cx, world, key, after)?;
    list(world, key)
}

fn replace(cx: &Context<'_>, world: &mut World, key: Key, names: Vec<String>) -> Result<(), Reply> {
    let mut after = issues::current(world, key)?;
    after.labels = names;
    issues::write(cx, world, key, after)
}

/// `{"labels": […]}` or the bare list.
fn asked(cx: &Context<'_>) -> Result<Vec<String>, Reply> {
    match input::value(cx)? {
        Value::Object(mut fields) => input::label_names(&take(&mut fields)),
        list => input::label_names(&list),
    }
}

fn take(fields: &mut Map<String, Value>) -> Value {
    fields.remove("labels").unwrap_or_else(|| Value::Array(Vec::new()))
}
