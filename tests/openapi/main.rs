//! The description of the API: whole and valid, as it was, true of bodies and answers, and shown as a page.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod document;
mod inputs;
mod page;

use serde_json::Value;

const API: &str = "acme/api";

fn described() -> Value {
    serde_json::to_value(dispatch::http::openapi()).expect("JSON")
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations").iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    });
    of_path.collect()
}

/// What a value says, or what it refers to.
fn resolve<'v>(document: &'v Value, value: &'v Value) -> &'v Value {
    match value["$ref"].as_str() {
        Some(to) => {
            let found = document.pointer(to.trim_start_matches('#'));
            found.unwrap_or_else(|| panic!("{to} leads nowhere"))
        }
        None => value,
    }
}
