//! From OpenAPI 3.0 to JSON Schema: `nullable` is no keyword there, so validators pass over it, and what an object
//! may not have is open unless it is said.

use serde_json::{Map, Value, json};

/// Keywords whose value is one schema, or several.
const HOLDERS: [&str; 6] = ["items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"];
/// Those of them whose schemas speak of the same value as the one that holds them.
const APPLIED: [&str; 4] = ["not", "allOf", "anyOf", "oneOf"];
/// Keywords that say nothing about values.
const WORDS: [&str; 8] = [
    "title",
    "description",
    "example",
    "examples",
    "default",
    "discriminator",
    "externalDocs",
    "x-github-breaking-changes",
];

/// What was found in the schemas that were translated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Schemas that say nothing, `nullable` or not: there anything passes in silence.
    pub silent: usize,
    /// `nullable` beside a `type`.
    pub typed: usize,
    /// `nullable` beside `allOf`, `anyOf` or `oneOf` instead.
    pub untyped: usize,
}

/// A schema in JSON Schema's terms, closed to properties that it does not name.
pub fn schema(source: &Value, repairs: &mut Repairs) -> Value {
    closed(translated(source, repairs))
}

/// The names of the components that a schema refers to.
pub fn references(schema: &Value) -> Vec<String> {
    let inside = |values: &mut dyn Iterator<Item = &Value>| values.flat_map(references).collect();
    match schema {
        Value::Array(list) => inside(&mut list.iter()),
        Value::Object(fields) => {
            let mut names: Vec<String> = inside(&mut fields.values());
            let reference = fields.get("$ref").and_then(Value::as_str);
            names
                .extend(reference.and_then(|it| it.strip_prefix("#/components/schemas/")).map(str::to_owned));
            names
        }
        _ => Vec::new(),
    }
}

fn translated(source: &Value, repairs: &mut Repairs) -> Value {
    let Value::Object(source) = source else { return source.clone() };
    let mut fields = Map::new();
    for (name, value) in source {
        let value = match name.as_str() {
            "nullable" => continue,
            name if WORDS.contains(&name) => continue,
            "properties" => {
                let each = value.as_object().into_iter().flatten();
                each.map(|(name, value)| (name.clone(), schema(value, repairs))).collect()
            }
            name if HOLDERS.contains(&name) => held(name, value, repairs),
            _ => value.clone(),
        };
        fields.insert(name.clone(), value);
    }
    let says = |name: &str| name == "$ref" || name == "type" || name == "enum" || APPLIED.contains(&name);
    repairs.silent += usize::from(!fields.keys().any(|name| says(name)));
    if source.get("nullable") == Some(&Value::Bool(true)) { nullable(fields, repairs) } else { fields.into() }
}

fn held(name: &str, value: &Value, repairs: &mut Repairs) -> Value {
    let mut one = |value: &Value| {
        // What stands together is closed as a whole, where it is used.
        if APPLIED.contains(&name) { translated(value, repairs) } else { schema(value, repairs) }
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        value => one(value),
    }
}

fn nullable(mut fields: Map<String, Value>, repairs: &mut Repairs) -> Value {
    let is_composed = APPLIED.iter().any(|name| fields.contains_key(*name));
    let Some(kind) = fields.get("type").cloned() else {
        repairs.untyped += usize::from(is_composed);
        // Nothing said but that it may be null: it may be anything.
        return if is_composed { or_null(&fields) } else { fields.into() };
    };
    repairs.typed += 1;
    if is_composed {
        return or_null(&fields);
    }
    fields.insert("type".to_owned(), json!([kind, "null"]));
    if let Some(Value::Array(values)) = fields.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    fields.into()
}

fn or_null(fields: &Map<String, Value>) -> Value {
    json!({ "anyOf": [fields, { "type": "null" }] })
}

/// Where a value is described, nothing may be in it that no part of the description names.
fn closed(mut schema: Value) -> Value {
    let Value::Object(fields) = &mut schema else { return schema };
    let is_open = fields.contains_key("additionalProperties");
    if !is_open && (fields.contains_key("$ref") || names_properties(fields)) {
        fields.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
    schema
}

fn names_properties(fields: &Map<String, Value>) -> bool {
    let branches = || APPLIED.iter().filter_map(|name| fields.get(*name)?.as_array()).flatten();
    fields.contains_key("properties")
        || branches().filter_map(Value::as_object).any(|it| it.contains_key("$ref") || names_properties(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(schema: &Value, value: &Value) -> bool {
        jsonschema::options().build(schema).expect("a schema").is_valid(value)
    }

    /// Each form of `nullable` in the description, a value that fits beside null, and one that does not.
    fn forms() -> [(Value, Value, Value); 5] {
        let named = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
        [
            (json!({ "type": "string", "nullable": true }), json!("a"), json!(1)),
            (json!({ "type": "string", "enum": ["a", "b"], "nullable": true }), json!("a"), json!("c")),
            (json!({ "allOf": [named], "nullable": true }), json!({ "id": 1 }), json!({ "id": "1" })),
            (
                json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }], "nullable": true }),
                json!(1),
                json!([]),
            ),
            (
                json!({ "type": "object", "anyOf": [named], "nullable": true }),
                json!({ "id": 1 }),
                json!({ "id": [] }),
            ),
        ]
    }

    #[test]
    fn null_is_allowed_where_it_is_said_and_nothing_else_is() {
        for (form, right, wrong) in forms() {
            let mended = schema(&form, &mut Repairs::default());
            assert!(allows(&mended, &Value::Null), "{form}");
            assert!(allows(&mended, &right), "{form}");
            assert!(!allows(&mended, &wrong), "{form}");
            assert!(!allows(&form, &Value::Null), "{form}: a validator passes over `nullable`");
        }
    }

    #[test]
    fn repairs_are_counted() {
        let mut repairs = Repairs::default();
        for (form, ..) in forms() {
            schema(&form, &mut repairs);
        }
        assert_eq!(repairs, Repairs { silent: 0, typed: 3, untyped: 2 });
        assert_eq!(schema(&json!({ "nullable": true, "description": "A time." }), &mut repairs), json!({}));
        assert_eq!(repairs.silent, 1);
    }

    #[test]
    fn what_nobody_names_passes_unless_the_schema_is_closed() {
        let person = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
        let open = json!({ "allOf": [person, { "type": "object", "properties": { "name": { "type": "string" } } }] });
        let (known, strange) = (json!({ "id": 1, "name": "a" }), json!({ "id": 1, "nmae": "a" }));
        assert!(allows(&open, &strange), "as it is described a misspelt name passes in silence");
        let closed = schema(&open, &mut Repairs::default());
        assert!(allows(&closed, &known));
        assert!(!allows(&closed, &strange));
        let free = json!({ "type": "object", "properties": {}, "additionalProperties": true });
        assert!(allows(&schema(&free, &mut Repairs::default()), &strange));
    }

    #[test]
    fn a_property_may_bear_the_name_of_a_keyword() {
        let source =
            json!({ "type": "object", "properties": { "nullable": { "type": "string" }, "title": {} } });
        let mended = schema(&source, &mut Repairs::default());
        assert!(!allows(&mended, &json!({ "nullable": 1 })));
        assert!(allows(&mended, &json!({ "title": 1 })));
    }
}
