//! The recorded examples, out of the file that `scripts/test` fetched.

use std::{env, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// Fetches the examples, and is the one place that says which version.
const SCRIPT: &str = include_str!("../../scripts/test");

/// The events that Dispatch reads. Some of `pull_request` close what reviews and checks are about, so those come before;
/// those about repositories come last, as they change what the others are about.
pub const EVENTS: [&str; 11] = [
    "ping",
    "issues",
    "issue_comment",
    "label",
    "pull_request_review",
    "pull_request_review_comment",
    "check_run",
    "check_suite",
    "pull_request",
    "installation_repositories",
    "repository",
];

/// One recorded delivery.
pub struct Example {
    pub event: String,
    pub payload: Value,
}

impl Example {
    /// Such as `issues.opened`.
    pub fn name(&self) -> String {
        match self.payload["action"].as_str() {
            Some(action) => format!("{}.{action}", self.event),
            None => self.event.clone(),
        }
    }
}

#[derive(Deserialize)]
struct Recorded {
    name: String,
    examples: Vec<Value>,
}

/// All examples of those events.
#[expect(clippy::disallowed_methods, reason = "the examples are a file")]
pub fn read() -> Vec<Example> {
    let file = file();
    let bytes = std::fs::read(&file).unwrap_or_else(|error| {
        let file = file.display();
        panic!("the examples are not in {file} ({error}): run scripts/test, which fetches them once")
    });
    let recorded: Vec<Recorded> = serde_json::from_slice(&bytes)
        .unwrap_or_else(|error| panic!("{} is no JSON: {error}", file.display()));
    let of = |event: &'static str| {
        let found = recorded.iter().filter(move |one| one.name == event);
        found.flat_map(move |one| {
            let example = |payload: &Value| Example { event: event.to_owned(), payload: payload.clone() };
            one.examples.iter().map(example)
        })
    };
    EVENTS.into_iter().flat_map(of).collect()
}

/// Where they are: what `scripts/test` says or, without it, where it keeps them.
fn file() -> PathBuf {
    if let Some(file) = env::var_os("DISPATCH_TEST_WEBHOOK_EXAMPLES") {
        return file.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    let line = SCRIPT.lines().find_map(|line| line.strip_prefix("examples_version="));
    let version = line.expect("scripts/test names the version").split([' ', '#']).next().unwrap_or_default();
    let folder = format!("octokit-webhooks-examples-{version}");
    cache.unwrap_or_else(home).join("dispatch-tests").join(folder).join("index.json")
}
