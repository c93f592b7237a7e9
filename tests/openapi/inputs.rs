//! Bodies and parameters are read as they are described: field by field, against the running server.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    API, described, each_db, operations, resolve,
    support::{Answer, App, MAINTAINER, app::send},
};

/// A schema without the ways around it: references, and `null` as an alternative.
fn plain<'v>(document: &'v Value, schema: &'v Value) -> &'v Value {
    let either = schema["oneOf"].as_array();
    let other = either.and_then(|either| either.iter().find(|schema| schema["type"] != "null"));
    resolve(document, other.unwrap_or(schema))
}

/// `string`, `integer`, …
fn kind(schema: &Value) -> &str {
    let first = schema["type"].as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null"));
    first.unwrap_or(&schema["type"]).as_str().unwrap_or_else(|| panic!("no type: {schema}"))
}

/// A value that fits.
fn fitting(schema: &Value) -> Value {
    if let Some(example) = schema["examples"].get(0).or_else(|| schema["enum"].get(0)) {
        return example.clone();
    }
    match kind(schema) {
        "string" => json!("text"),
        "boolean" => json!(true),
        "array" => json!([]),
        "object" => json!({}),
        other => panic!("no example of {other}: {schema}"),
    }
}

/// Values that do not fit: of another type, or over a limit.
fn misfits(schema: &Value) -> Vec<Value> {
    let mut values = vec![match kind(schema) {
        "string" => json!(7),
        "array" => json!({ "a": 1 }),
        _ => json!("nonsense"),
    }];
    if let Some(most) = schema["maxLength"].as_u64() {
        values.push(json!("x".repeat(usize::try_from(most).expect("a length") + 1)));
    }
    if let Some(most) = schema["maxItems"].as_u64() {
        values.push(json!(vec!["https://github.com"; usize::try_from(most).expect("a length") + 1]));
    }
    if kind(schema) == "array" {
        values.push(json!([7]));
    }
    if schema.get("pattern").is_some() || schema.get("format").is_some() || schema.get("enum").is_some() {
        values.extend((kind(schema) == "string").then(|| json!("no such thing")));
    }
    values.extend(schema["minimum"].as_i64().map(|least| json!(least - 1)));
    values
}

struct Body<'d> {
    method: String,
    path: String,
    properties: &'d Map<String, Value>,
    required: Vec<&'d str>,
}

/// Every body that is described.
fn bodies(document: &Value) -> Vec<Body<'_>> {
    let mut bodies = Vec::new();
    for (method, path, operation) in operations(document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let schema = resolve(document, schema);
        let required = schema["required"].as_array().into_iter().flatten();
        bodies.push(Body {
            method,
            path: path.replace("{agentName}", "coder"),
            properties: schema["properties"].as_object().expect("properties"),
            required: required.map(|name| name.as_str().expect("a name")).collect(),
        });
    }
    assert!(bodies.len() >= 7, "only {} bodies were found", bodies.len());
    bodies
}

/// A body that was understood, even if what it names is another's or gone.
fn is_read(answer: &Answer) -> bool {
    let is_gone = answer.status == 404 && answer.json().get("field").is_none();
    // The example of a repository that is not at GitHub.
    [200, 201, 409, 502].contains(&answer.status) || is_gone
}

/// An issue that is cached: an example's would not be known.
async fn cached_issue(app: &App) -> Value {
    app.sim.repo(API).open_issue("One");
    app.beat("coder").await;
    app.get("/api/issues").await.expect(200)[0]["id"].clone()
}

each_db! {
    async fn bodies_are_read_as_they_are_described(db) {
        let (app, document) = (App::with_repos(db, &[API]).await, described());
        let issue = cached_issue(&app).await;
        let value = |name: &str, schema: &Value| match name {
            "issueId" => issue.clone(),
            "repoFullName" => json!(API),
            "issueNumber" => json!(1),
            "classification" => json!({ "lane": "local", "confidence": "high", "reason": "text" }),
            _ => fitting(plain(&document, schema)),
        };
        // Which fields an operator must send hangs on the action, a report has rules of its contract, who grooms must sign
        // by one of two names, only what is assigned can be unassigned, webhooks are signed, and have addresses:
        // `tests/work`, `tests/actions`, `tests/webhooks` and `tests/missed_deliveries` know these.
        let others = [
            "/api/agent-work",
            "/api/agents/coder/tasks/report",
            "/api/issues/groom",
            "/api/issues/actions/decompose",
            "/api/issues/unassign",
            "/api/github/webhook",
            "/api/issues/webhook",
            "/api/pr-followup/webhook",
            "/api/webhooks/{owner}/{name}",
        ];
        let alike = bodies(&document).into_iter().filter(|body| !others.contains(&body.path.as_str()));
        for Body { method, path, properties, required } in alike {
            let path = path.replace("{issueId}", issue.as_str().expect("an id"));
            let least: Map<String, Value> =
                required.iter().map(|name| ((*name).to_owned(), value(name, &properties[*name]))).collect();
            let ask = async |name: &str, value: Option<Value>| {
                let mut body = least.clone();
                match value {
                    Some(value) => drop(body.insert(name.to_owned(), value)),
                    None => drop(body.remove(name)),
                }
                if path == "/api/issues/unclaim" {
                    // What is to be given up must be held.
                    app.post("/api/issues/claim", Value::Object(least.clone())).await;
                }
                send(app.request(&method, &path, MAINTAINER).body(Value::Object(body).to_string())).await
            };
            for (name, schema) in properties {
                let place = format!("{name} of {method} {path}");
                let good = ask(name, Some(value(name, schema))).await;
                assert!(is_read(&good), "{place}: {}", good.text);
                for bad in misfits(plain(&document, schema)) {
                    let refused = ask(name, Some(bad.clone())).await;
                    assert_eq!(refused.expect(400)["field"], name.as_str(), "{place}: {bad:.60}");
                }
                for nothing in [None, Some(json!(null))] {
                    let answer = ask(name, nothing).await;
                    if required.contains(&name.as_str()) {
                        assert_eq!(answer.expect(400)["field"], name.as_str(), "{place}");
                    } else {
                        assert!(is_read(&answer), "{place}: {}", answer.text);
                    }
                }
            }
        }
    }

    async fn queries_are_read_as_they_are_described(db) {
        let (app, document) = (App::with_repos(db, &[API]).await, described());
        let mut refused = 0;
        for (method, path, operation) in operations(&document) {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
                let schema = plain(&document, &parameter["schema"]);
                let name = parameter["name"].as_str().expect("a name");
                let good = match (name, kind(schema)) {
                    // Lanes of issues, or of pull requests.
                    ("lane", _) if path == "/api/pr-fix-queue/queued" => json!("NORMAL"),
                    ("lane", _) => json!("local"),
                    (_, "integer") => json!(1),
                    _ => fitting(schema),
                };
                let mut values = vec![(good.to_string().replace('"', ""), false)];
                if schema.get("pattern").is_some() || schema.get("minimum").is_some() {
                    values.push(("no%20such%20thing".to_owned(), true));
                }
                if schema["minimum"] == 1 {
                    values.push(("0".to_owned(), true));
                }
                for (value, is_bad) in values {
                    // What else the route needs.
                    let rest = match path {
                        "/api/issues/state" => "repo=acme/api&number=1",
                        "/api/audit" => "repo=acme/api",
                        "/api/issues/claimed" => "agentName=coder",
                        "/api/pr-fix-queue/history" => "repo=acme/api&pr=1",
                        "/api/issues/{issueId}/why" => "agent=coder",
                        _ => "",
                    };
                    let rest: Vec<&str> = rest.split('&').filter(|pair| !pair.starts_with(name)).collect();
                    let path = path.replace("{agentName}", "coder");
                    let query = format!("{path}?{name}={value}&{}", rest.join("&"));
                    let answer = send(app.request(&method, &query, MAINTAINER)).await;
                    let place = format!("{method} {query}: {}", answer.text);
                    if is_bad {
                        assert_eq!(answer.expect(400)["field"], name, "{place}");
                        refused += 1;
                    } else {
                        let is_cursor = name == "cursor" && answer.status == 400;
                        assert!([200, 404].contains(&answer.status) || is_cursor, "{place}");
                    }
                }
            }
        }
        assert!(refused > 10, "only {refused} were refused");
    }
}

/// Names in calls such as `body.string("name")`.
fn names_read(text: &str, of: &str) -> BTreeSet<String> {
    let start = format!("{of}.");
    let calls = text.split(&start).skip(1).filter_map(|call| {
        let arguments = call.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
        Some(arguments.strip_prefix("(\"")?.split_once('"')?.0.to_owned())
    });
    calls.collect()
}

/// Names of parameters and of fields of bodies, of the resource in this file.
fn names_described(document: &Value, file: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, _, operation) in operations(document) {
        if !operation["tags"][0].as_str().is_some_and(|tag| tag.starts_with(file) || tag.ends_with(file)) {
            continue;
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        names.extend(parameters.map(|parameter| parameter["name"].as_str().expect("a name").to_owned()));
        let body = resolve(document, &operation["requestBody"]["content"]["application/json"]["schema"]);
        names.extend(body["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    names
}

#[test]
fn what_is_read_is_described() {
    let (document, mut found) = (described(), 0);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/api");
    #[expect(clippy::disallowed_methods, reason = "the test reads the code")]
    for file in std::fs::read_dir(folder).expect("the folder") {
        let path = file.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a text");
        let (mut read, described) = (names_read(&text, "body"), names_described(&document, &name));
        read.extend(names_read(&text, "params"));
        found += read.len();
        assert_eq!(read.difference(&described).collect::<Vec<_>>(), [""; 0], "{name}.rs");
    }
    assert!(found > 20, "only {found} names were found");
}
