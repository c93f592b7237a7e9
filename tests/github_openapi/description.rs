//! GitHub's description of its API, and the parts of one operation in it.

use std::{env, path::PathBuf, sync::LazyLock};

use github_sim::Operation;
use serde_json::{Map, Value, json};

use crate::{
    exceptions::{Erratum, errata},
    repair::{self, Repairs},
};

/// Fetches the description, and is the one place that says which version.
const SCRIPT: &str = include_str!("../../scripts/test");

static LOADED: LazyLock<Description> = LazyLock::new(Description::load);

/// The description, with its errata mended.
pub struct Description {
    root: Value,
    /// What stood where the errata are, in their order.
    wrong: Vec<Value>,
}

/// What is said of one operation.
#[derive(Clone, Copy)]
pub struct Described {
    description: &'static Description,
    item: &'static Value,
}

/// A parameter in a path or a query string.
pub struct Parameter {
    pub name: &'static str,
    pub place: &'static str,
    pub required: bool,
    pub schema: &'static Value,
    /// From the words "(max 100)": the schemas have no limits.
    pub most: Option<i64>,
}

impl Description {
    /// Read once per process.
    pub fn get() -> &'static Self {
        &LOADED
    }

    #[expect(clippy::disallowed_methods, reason = "the description is a file")]
    fn load() -> Self {
        let file = file();
        let bytes = std::fs::read(&file).unwrap_or_else(|error| {
            let file = file.display();
            panic!("GitHub's description is not in {file} ({error}): run scripts/test, which fetches it once")
        });
        let json = serde_json::from_slice(&bytes);
        let mut root: Value =
            json.unwrap_or_else(|error| panic!("{} is no JSON: {error}; remove it", file.display()));
        let mend = |erratum: Erratum| {
            let place = root.pointer_mut(erratum.pointer);
            let place = place.unwrap_or_else(|| panic!("{} is not described", erratum.pointer));
            std::mem::replace(place, erratum.right)
        };
        let wrong = errata().into_iter().map(mend).collect();
        Self { root, wrong }
    }

    /// What stood where the errata are, in their order.
    pub fn wrong(&self) -> &[Value] {
        &self.wrong
    }

    pub fn at(&self, pointer: &str) -> &Value {
        self.root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not described"))
    }

    pub fn version(&self) -> &str {
        self.root["openapi"].as_str().expect("a version")
    }

    /// What is said of an operation, if anything is.
    pub fn find(&'static self, operation: &Operation) -> Option<Described> {
        let item = self.root["paths"].get(operation.path)?.get(operation.method.to_lowercase())?;
        Some(Described { description: self, item })
    }

    /// A component's schema, such as `basic-error`.
    pub fn schema(&'static self, name: &str) -> &'static Value {
        self.root["components"]["schemas"].get(name).unwrap_or_else(|| panic!("no schema {name}"))
    }

    /// A schema in JSON Schema's own terms, with the components that it leads to.
    pub fn document(&'static self, schema: &Value, repairs: &mut Repairs) -> Value {
        let mut document = repair::schema(schema, repairs);
        let mut components = Map::new();
        let mut waiting = repair::references(&document);
        while let Some(name) = waiting.pop() {
            if !components.contains_key(&name) {
                let component = repair::schema(self.schema(&name), repairs);
                waiting.extend(repair::references(&component));
                components.insert(name, component);
            }
        }
        document["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        document["components"] = json!({ "schemas": components });
        document
    }

    /// What a reference leads to, or the value itself.
    fn follow(&'static self, value: &'static Value) -> &'static Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let pointer = reference.strip_prefix('#').expect("a reference within the description");
        self.follow(self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")))
    }
}

impl Described {
    pub fn parameters(self) -> Vec<Parameter> {
        let all = self.item["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|it| Parameter::read(self.description.follow(it))).collect()
    }

    /// The schema of the request's body, and whether there must be one.
    pub fn request_body(self) -> Option<(&'static Value, bool)> {
        let body = self.description.follow(self.item.get("requestBody")?);
        Some((&body["content"]["application/json"]["schema"], body["required"] == true))
    }

    /// The answer with that status, if it is described.
    pub fn response(self, status: u16) -> Option<&'static Value> {
        let response = self.item["responses"].get(status.to_string())?;
        Some(self.description.follow(response))
    }
}

impl Parameter {
    fn read(value: &'static Value) -> Self {
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        let most = text("description").split_once("(max ").and_then(|(_, rest)| rest.split_once(')'));
        Self {
            name: text("name"),
            place: text("in"),
            required: value["required"] == true,
            schema: &value["schema"],
            most: most.and_then(|(number, _)| number.parse().ok()),
        }
    }
}

/// Where the description is: what `scripts/test` says or, without it, where it keeps it.
fn file() -> PathBuf {
    if let Some(file) = env::var_os("DISPATCH_TEST_GITHUB_OPENAPI") {
        return file.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    let folder = format!("octokit-openapi-{}", version());
    cache.unwrap_or_else(home).join("dispatch-tests").join(folder).join("api.github.com.json")
}

/// The version that `scripts/test` fetches.
fn version() -> &'static str {
    let line = SCRIPT.lines().find_map(|line| line.strip_prefix("openapi_version="));
    line.expect("scripts/test names the version").split([' ', '#']).next().unwrap_or_default()
}
