//! One exchange against the description: the request, and the answer to it.

use std::collections::{BTreeSet, HashMap};

use github_sim::{Exchange, Operation};
use jsonschema::Validator;
use serde_json::Value;

use crate::{
    description::{Described, Description, Parameter},
    exceptions::{self, EXCEPTIONS},
    operation,
    repair::Repairs,
};

/// What Dispatch asks for (docs.github.com/rest/about-the-rest-api/api-versions); the description is of this version.
const VERSION: &str = "2022-11-28";

/// A fault that quotes more than this tells without quoting.
const LONG: usize = 200;

/// Checks exchanges in the order in which they happened.
pub struct Checker {
    description: &'static Description,
    /// By the address of the schema in the description.
    validators: HashMap<*const Value, Validator>,
    /// What `Link` and `Location` led to: addresses that a client takes as they are
    /// (docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api#using-link-headers).
    given: BTreeSet<String>,
    pub repairs: Repairs,
    /// Which exceptions were needed, by their place in the table.
    pub used: BTreeSet<usize>,
}

impl Checker {
    pub fn new() -> Self {
        Self {
            description: Description::get(),
            validators: HashMap::new(),
            given: BTreeSet::new(),
            repairs: Repairs::default(),
            used: BTreeSet::new(),
        }
    }

    /// Faults of the request and of its answer; none of a request that GitHub would refuse, if it was refused.
    pub fn faults(&mut self, exchange: &Exchange) -> Vec<String> {
        let mut faults =
            if matches!(exchange.status, 400 | 422) { Vec::new() } else { self.request(exchange) };
        faults.extend(self.answer(exchange));
        faults
    }

    /// Faults of the request.
    pub fn request(&mut self, exchange: &Exchange) -> Vec<String> {
        let operation = operation(exchange);
        let Some(described) = self.description.find(&operation) else {
            return vec![format!("{} is not described", exchange.kind)];
        };
        let mut faults = headers(exchange);
        if !self.given.contains(&address(&exchange.path, &exchange.query)) {
            faults.extend(self.address(exchange, &operation, described));
        }
        faults.extend(self.request_body(exchange, described));
        faults.into_iter().map(|fault| format!("{} asked: {fault}", exchange.kind)).collect()
    }

    /// Faults of the answer.
    pub fn answer(&mut self, exchange: &Exchange) -> Vec<String> {
        self.take_links(exchange);
        let described = self.description.find(&operation(exchange));
        let response = described.and_then(|it| it.response(exchange.status));
        let schema = if let Some(response) = response {
            response.pointer("/content/application~1json/schema")
        } else {
            let Some(exception) = exceptions::find(exchange.kind, exchange.status) else {
                return vec![format!("{} answered: {} is not described", exchange.kind, exchange.status)];
            };
            self.used.insert(exception);
            EXCEPTIONS[exception].schema.map(|name| self.description.schema(name))
        };
        let mut faults = self.answer_body(exchange, schema);
        let has_link = header(&exchange.answer_headers, "link").is_some();
        let is_linked = exceptions::LINKED.iter().any(|(kind, _)| *kind == exchange.kind);
        if has_link && !is_linked && response.is_some_and(|it| it.pointer("/headers/Link").is_none()) {
            faults.push("`Link` is not described".to_owned());
        }
        let whole = (exchange.kind, exchange.status);
        faults.into_iter().map(|fault| format!("{} answered {}: {fault}", whole.0, whole.1)).collect()
    }

    fn answer_body(&mut self, exchange: &Exchange, schema: Option<&'static Value>) -> Vec<String> {
        match schema {
            _ if exchange.method == "HEAD" => Vec::new(),
            None if exchange.answer.is_empty() => Vec::new(),
            None => vec!["a body where none is described".to_owned()],
            Some(_) if !is_json(&exchange.answer_headers) => {
                vec!["the body says that it is no JSON".to_owned()]
            }
            Some(schema) => match serde_json::from_slice(&exchange.answer) {
                Ok(body) => self.body(schema, &body),
                Err(error) => vec![format!("no JSON: {error}")],
            },
        }
    }

    fn request_body(&mut self, exchange: &Exchange, described: Described) -> Vec<String> {
        match described.request_body() {
            None | Some((_, false)) if exchange.body.is_empty() => Vec::new(),
            None => vec!["a body where none is described".to_owned()],
            Some((schema, _)) => match serde_json::from_slice(&exchange.body) {
                Ok(body) => self.body(schema, &body),
                Err(error) => vec![format!("no JSON: {error}")],
            },
        }
    }

    /// Path and query, parameter by parameter.
    fn address(&mut self, exchange: &Exchange, operation: &Operation, described: Described) -> Vec<String> {
        let parameters = described.parameters();
        let Some(values) = placeholders(operation.path, &exchange.path) else {
            return vec![format!("{} is not {}", exchange.path, operation.path)];
        };
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(exchange.query.as_bytes()).into_owned().collect();
        let mut faults = Vec::new();
        for (place, given) in [("path", values), ("query", query)] {
            let known: Vec<&Parameter> = parameters.iter().filter(|it| it.place == place).collect();
            for (name, text) in &given {
                match known.iter().find(|it| it.name == name) {
                    Some(parameter) => faults.extend(self.parameter(parameter, text)),
                    None => faults.push(format!("the parameter `{name}` is not described")),
                }
            }
            let missing =
                known.iter().filter(|it| it.required && !given.iter().any(|(name, _)| name == it.name));
            faults.extend(missing.map(|it| format!("the parameter `{}` is missing", it.name)));
        }
        faults
    }

    fn parameter(&mut self, parameter: &Parameter, text: &str) -> Vec<String> {
        let value = match parameter.schema["type"].as_str() {
            Some("integer" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            _ => Value::from(text),
        };
        let mut faults = self.body(parameter.schema, &value);
        if parameter.most.is_some_and(|most| value.as_i64().is_some_and(|it| it > most)) {
            faults.push(format!("{value} is more than GitHub takes"));
        }
        faults.into_iter().map(|fault| format!("the parameter `{}`: {fault}", parameter.name)).collect()
    }

    fn body(&mut self, schema: &'static Value, body: &Value) -> Vec<String> {
        let Self { description, validators, repairs, .. } = self;
        let validator = validators
            .entry(std::ptr::from_ref(schema))
            .or_insert_with(|| validator(description, schema, repairs));
        let fault = |error: jsonschema::ValidationError| {
            let (whole, masked) = (error.to_string(), error.masked().to_string());
            let text = if whole.len() > LONG { masked } else { whole };
            format!("`{}`: {text}", error.instance_path())
        };
        validator.iter_errors(body).map(fault).collect()
    }

    fn take_links(&mut self, exchange: &Exchange) {
        let links = header(&exchange.answer_headers, "link").into_iter().flat_map(|it| it.split(", "));
        let links = links.filter_map(|link| Some(link.strip_prefix('<')?.split_once('>')?.0));
        let location = header(&exchange.answer_headers, "location");
        for url in links.chain(location).filter_map(|url| url::Url::parse(url).ok()) {
            self.given.insert(address(url.path(), url.query().unwrap_or_default()));
        }
    }
}

/// What tells whether a value is as a schema of the description says; formats count.
pub fn validator(description: &'static Description, schema: &Value, repairs: &mut Repairs) -> Validator {
    let document = description.document(schema, repairs);
    let options = jsonschema::options().should_validate_formats(true).offline();
    options.build(&document).unwrap_or_else(|error| panic!("no schema: {error}"))
}

/// What GitHub asks of every request
/// (docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#http-headers).
fn headers(exchange: &Exchange) -> Vec<String> {
    let given = |name| header(&exchange.headers, name);
    let mut faults = Vec::new();
    for (name, value) in [("accept", "application/vnd.github+json"), ("x-github-api-version", VERSION)] {
        if given(name) != Some(value) {
            faults.push(format!("`{name}` is {:?}, not {value}", given(name)));
        }
    }
    if given("user-agent").is_none_or(str::is_empty) {
        faults.push("there is no `user-agent`".to_owned());
    }
    faults
}

pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn is_json(headers: &[(String, String)]) -> bool {
    header(headers, "content-type").is_some_and(|kind| kind.split(';').next() == Some("application/json"))
}

fn address(path: &str, query: &str) -> String {
    format!("{path}?{query}")
}

/// The values of a template's placeholders, if the path is of its form.
fn placeholders(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (parts, segments): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    if parts.len() != segments.len() {
        return None;
    }
    let mut values = Vec::new();
    for (part, segment) in parts.iter().zip(segments) {
        match part.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
            Some(name) => values.push((name.to_owned(), segment.to_owned())),
            None if *part == segment => {}
            None => return None,
        }
    }
    Some(values)
}
