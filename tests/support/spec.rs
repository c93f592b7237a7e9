//! Every answer of the server is held against the server's own description, strictly: a status, a content
//! type, a header or a field that is not described is a fault, as is a described field that is missing.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::Answer;

/// Headers of the transport and of the layers, which the description does not repeat for each route.
const PLAIN_HEADERS: [&str; 11] = [
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-request-id",
];

static OURS: LazyLock<Spec> = LazyLock::new(|| {
    let document = dispatch::http::openapi();
    Spec::new(serde_json::to_value(document).expect("JSON"))
});

/// A description of an API, ready to judge answers.
pub struct Spec {
    document: Value,
    /// The components' schemas, as [`close`] and [`open`] leave them.
    components: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Fails the test when the server's description does not cover this answer.
#[track_caller]
pub fn check(method: &str, path: &str, answer: &Answer) {
    let faults = OURS.faults(method, path, answer);
    assert!(
        faults.is_empty(),
        "{method} {path} answered {} against the description:\n  {}\n{}",
        answer.status,
        faults.join("\n  "),
        answer.text
    );
}

impl Spec {
    pub fn new(document: Value) -> Self {
        let mut components = Map::new();
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            components.insert(name.clone(), closed(schema));
            components.insert(format!("Open.{name}"), open(schema));
        }
        let components = json!({ "schemas": components });
        Self { document, components, validators: Mutex::default() }
    }

    /// The template of the path that a request's path fits.
    fn template(&self, path: &str) -> Option<&str> {
        let asked: Vec<&str> = path.split('/').collect();
        let names = |template: &str| template.matches('{').count();
        let templates = self.document["paths"].as_object().expect("paths").keys().map(String::as_str);
        let fitting = templates.filter(|template| {
            let parts: Vec<&str> = template.split('/').collect();
            // The router lets a name be empty, but not at the end.
            let is_name = |at: usize, part: &str| {
                part.starts_with('{') && (at + 1 < parts.len() || !path.ends_with('/'))
            };
            let fits = |(at, part): (usize, &&str)| *part == asked[at] || is_name(at, part);
            parts.len() == asked.len() && parts.iter().enumerate().all(fits)
        });
        fitting.min_by_key(|template| names(template))
    }

    /// What of an answer the description does not cover.
    pub fn faults(&self, method: &str, path: &str, answer: &Answer) -> Vec<String> {
        let described = method.to_lowercase().replace("head", "get");
        let operation = self.template(path).map(|template| &self.document["paths"][template]);
        let mut faults = match operation.map(|item| item.get(&described)) {
            Some(Some(operation)) => self.against(operation, method, answer),
            Some(None) => self.refusal(405, answer),
            None => self.refusal(404, answer),
        };
        if answer.header("x-request-id").is_none_or(|id| id.len() != 36) {
            faults.push("the header x-request-id is missing".to_owned());
        }
        faults
    }

    /// An answer where there is no route.
    fn refusal(&self, status: u16, answer: &Answer) -> Vec<String> {
        if answer.status != status {
            return vec![format!("what is not described must be {status}")];
        }
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
        self.content(&content, answer)
    }

    fn against(&self, operation: &Value, method: &str, answer: &Answer) -> Vec<String> {
        let Some(response) = operation["responses"].get(answer.status.to_string()) else {
            return vec!["the status is not described".to_owned()];
        };
        let response = self.resolve(response);
        let described = |name: &str| {
            let mut headers = response["headers"].as_object().into_iter().flatten();
            headers.any(|(described, _)| described.eq_ignore_ascii_case(name))
        };
        let named = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
        let undescribed = named.filter(|name| !PLAIN_HEADERS.contains(name) && !described(name));
        let mut faults: Vec<String> =
            undescribed.map(|name| format!("the header {name} is not described")).collect();
        match response.get("content") {
            Some(_) if method == "HEAD" && answer.text.is_empty() => {}
            Some(content) => faults.extend(self.content(content, answer)),
            None if answer.text.is_empty() => {}
            None => faults.push("a body is not described".to_owned()),
        }
        faults
    }

    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str() {
            Some(to) => {
                self.document.pointer(to.trim_start_matches('#')).expect("a reference that leads somewhere")
            }
            None => value,
        }
    }

    fn content(&self, content: &Value, answer: &Answer) -> Vec<String> {
        let kind = answer.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let Some(media) = content.get(kind) else {
            return vec![format!("the content type `{kind}` is not described")];
        };
        if kind != "application/json" {
            return Vec::new();
        }
        let Ok(body) = serde_json::from_str::<Value>(&answer.text) else {
            return vec!["the body is not JSON".to_owned()];
        };
        let validator = self.validator(&media["schema"]);
        let errors = validator.iter_errors(&body);
        errors.map(|error| format!("at `{}`: {error}", error.instance_path())).collect()
    }

    /// Made when it is first asked for: a test asks for few.
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("no panic here");
        let made = validators.entry(schema.to_string()).or_insert_with(|| {
            let mut whole = closed(schema);
            whole["components"] = self.components.clone();
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            Arc::new(options.build(&whole).expect("a schema"))
        });
        Arc::clone(made)
    }
}

/// The schema for values that hold nothing else.
fn closed(schema: &Value) -> Value {
    let mut schema = within(schema);
    let is_object = schema.get("properties").is_some() || schema.get("allOf").is_some();
    let says_more = ["additionalProperties", "unevaluatedProperties"];
    if is_object && says_more.iter().all(|name| schema.get(name).is_none()) {
        schema["unevaluatedProperties"] = json!(false);
    }
    schema
}

/// The schema as a part of another (`allOf`), which has properties of its own.
fn open(schema: &Value) -> Value {
    let mut schema = within(schema);
    if let Some(to) = schema["$ref"].as_str() {
        schema["$ref"] = json!(to.replace("#/components/schemas/", "#/components/schemas/Open."));
    }
    schema
}

/// The schema with every schema inside it closed, itself as it was.
fn within(schema: &Value) -> Value {
    let mut schema = schema.clone();
    for (name, value) in schema.as_object_mut().into_iter().flatten() {
        match name.as_str() {
            "items" | "additionalProperties" => *value = closed(value),
            "properties" | "oneOf" | "anyOf" => each_within(value, closed),
            "allOf" => each_within(value, open),
            _ => {}
        }
    }
    schema
}

fn each_within(schemas: &mut Value, change: fn(&Value) -> Value) {
    for schema in schemas.as_object_mut().into_iter().flat_map(Map::values_mut) {
        *schema = change(schema);
    }
    for schema in schemas.as_array_mut().into_iter().flatten() {
        *schema = change(schema);
    }
}
