//! The document itself: as it was, and a valid one of OpenAPI 3.1.

use std::collections::BTreeSet;

use jsonschema::Draft;
use serde_json::{Value, json};

use crate::{described, operations, resolve};

/// What stands in every place that has the name.
fn all<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name));
            fields.values().for_each(|value| all(value, name, found));
        }
        Value::Array(items) => items.iter().for_each(|value| all(value, name, found)),
        _ => {}
    }
}

/// A change of the API is a change of this file, for whoever reviews it to see. `INSTA_UPDATE=always` writes it.
#[test]
fn the_document_is_as_it_was() {
    let text = dispatch::http::openapi().to_pretty_json().expect("JSON");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "the document does not name this version");
    insta::assert_snapshot!("openapi", text.replace(&version, "\"version\": \"(this)\""));
}

#[test]
fn the_document_has_the_form_of_openapi_3_1() {
    let document = described();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        (&document["info"]["title"], &document["servers"][0]["url"]),
        (&json!("Dispatch"), &json!("/"))
    );
    let fields: Vec<&String> = document.as_object().expect("fields").keys().collect();
    assert_eq!(fields, ["components", "info", "openapi", "paths", "servers", "tags"]);
    let license = json!({ "name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE") });
    assert_eq!(document["info"]["license"], license);
    let mut references = Vec::new();
    all(&document, "$ref", &mut references);
    for to in &references {
        resolve(&document, &json!({ "$ref": to }));
    }
    assert!(references.len() > 200, "only {} references were found", references.len());
}

#[test]
fn every_schema_is_valid_and_its_examples_fit() {
    let document = described();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let mut examples = 0;
    for (name, schema) in schemas {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name} is no schema");
        assert!(schema["description"].as_str().is_some_and(|text| !text.contains('[')), "{name}: {schema}");
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (part, schema) in properties.chain([(name, schema)]) {
            let mut whole = schema.clone();
            whole["components"] = document["components"].clone();
            let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
            let validator = options.build(&whole).expect("a schema");
            for example in schema["examples"].as_array().into_iter().flatten() {
                assert!(validator.is_valid(example), "{name}, {part}: {example}");
                examples += 1;
            }
        }
    }
    assert!(schemas.len() > 40 && examples > 20, "{} schemas, {examples} examples", schemas.len());
}

#[test]
fn every_operation_is_named_summed_up_and_answered() {
    let document = described();
    let tags: Vec<&Value> =
        document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let mut names = BTreeSet::new();
    let mut used = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "{place}: {name} is taken");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{place}: {name} is no name of a function");
        assert!(
            operation["summary"].as_str().is_some_and(|text| text.ends_with('.') && !text.contains('`')),
            "{place}"
        );
        let tag = &operation["tags"][0];
        assert!(
            tags.contains(&tag) && operation["tags"].as_array().expect("tags").len() == 1,
            "{place}: {tag}"
        );
        used.insert(tag.to_string());
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let in_path: Vec<String> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().expect("a name")))
            .collect();
        let in_template: Vec<&str> = path.split('/').filter(|part| part.starts_with('{')).collect();
        assert_eq!(in_path, in_template, "{place}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place} never succeeds");
        for (status, response) in responses {
            let response = resolve(&document, response);
            assert!(response["description"].as_str().is_some_and(|text| text.len() > 5), "{place} {status}");
            let has_body = response["content"].as_object().is_some_and(|content| !content.is_empty());
            assert_eq!(has_body, status != "304", "{place} {status}");
        }
    }
    assert_eq!(used.len(), tags.len(), "a tag without a route");
}

#[test]
fn common_answers_stand_where_they_can_be_given() {
    let document = described();
    let statuses = |method: &str, path: &str| -> Vec<String> {
        let responses = &document["paths"][path][method]["responses"];
        responses.as_object().expect("responses").keys().cloned().collect()
    };
    let beat = statuses("post", "/api/agents/{agentName}/heartbeat");
    assert_eq!(beat, ["200", "400", "401", "403", "409", "413", "429", "500", "503"]);
    assert_eq!(statuses("get", "/api/issues"), ["200", "400", "401", "429", "500", "503"]);
    assert_eq!(statuses("get", "/api/repos"), ["200", "401", "403", "429", "500", "503"]);
    assert_eq!(statuses("get", "/healthz"), ["200", "500"]);
}
