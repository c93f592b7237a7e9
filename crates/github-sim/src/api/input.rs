//! Request bodies, read as strictly as GitHub reads them.

use serde_json::{Map, Value};

use super::context::Context;
use super::{Reply, errors};
use crate::state::LabelBook;

/// Longest body of an issue or comment, in characters.
const MOST_TEXT: usize = 65_536;

/// The body as any JSON; none at all reads as an empty object.
pub(super) fn value(cx: &Context<'_>) -> Result<Value, Reply> {
    if cx.ask.body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(&cx.ask.body).map_err(|_| errors::no_json())
}

/// The body as a JSON object.
pub(super) fn object(cx: &Context<'_>) -> Result<Map<String, Value>, Reply> {
    match value(cx)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(errors::invalid_request("Body should be a JSON object")),
    }
}

/// An optional text; null reads as none.
pub(super) fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Reply> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() > MOST_TEXT => {
            let message = format!("{name} is too long (maximum is {MOST_TEXT} characters)");
            Err(errors::validation("Issue", name, "custom", Some(&message)))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            Err(errors::invalid_request(&format!("For 'properties/{name}', {other} is not a string.")))
        }
    }
}

/// A text that must be there and not blank.
pub(super) fn required(resource: &str, fields: &Map<String, Value>, name: &str) -> Result<String, Reply> {
    match text(fields, name)? {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(errors::validation(resource, name, "missing_field", None)),
    }
}

/// Names from a list of strings or of objects with a `name`.
pub(super) fn names(list: &Value, field: &str) -> Result<Vec<String>, Reply> {
    let wrong =
        || errors::invalid_request(&format!("For 'properties/{field}', {list} is not an array of names."));
    let items = list.as_array().ok_or_else(wrong)?;
    items
        .iter()
        .map(|item| item.as_str().or_else(|| item.get("name")?.as_str()))
        .map(|name| name.map(str::to_owned).ok_or_else(wrong))
        .collect()
}

/// Label names that GitHub accepts (docs.github.com/rest/issues/labels: at most 50 characters).
pub(super) fn label_names(list: &Value) -> Result<Vec<String>, Reply> {
    let names = names(list, "labels")?;
    match names.iter().find(|name| !LabelBook::accepts(name)) {
        None => Ok(names),
        Some(name) if name.trim().is_empty() => {
            Err(errors::validation("Label", "name", "missing_field", None))
        }
        Some(_) => {
            let message = "name is too long (maximum is 50 characters)";
            Err(errors::validation("Label", "name", "custom", Some(message)))
        }
    }
}
