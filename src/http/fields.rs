//! JSON bodies: an object whose fields are read one by one, so that a refusal names the field and the rule.
//! Unknown fields are ignored; `null` counts as absent.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use serde_json::{Map, Value};

use super::error::{ApiError, ApiResult};
use crate::domain::{digest::canonical_json, time::Timestamp};

/// A body that must be a JSON object. The Content-Type is not looked at (`curl -d '{}'` works).
pub struct Fields(Map<String, Value>);

/// A body that may be empty, which means `{}`.
pub struct OptionalFields(pub Fields);

/// A body whose contract has words of its own for JSON that is not an object.
pub struct ObjectFields(pub Fields);

/// What is said of a body that is not a JSON object.
pub const NOT_JSON: &str = "Invalid JSON body";

const NOT_AN_OBJECT: &str = "Invalid JSON body: expected an object";

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        Self::parse(&read(request, state).await?)
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let bytes = read(request, state).await?;
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        let fields = if empty { Fields(Map::new()) } else { Fields::parse(&bytes)? };
        Ok(Self(fields))
    }
}

impl<S: Send + Sync> FromRequest<S> for ObjectFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> ApiResult<Self> {
        let bytes = read(request, state).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(Fields(fields))),
            Ok(_) => Err(ApiError::bad_request(NOT_AN_OBJECT)),
            Err(_) => Err(ApiError::bad_request(NOT_JSON)),
        }
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> ApiResult<Bytes> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 1 MiB")
                .with_code("body_too_large")
        }
        _ => ApiError::bad_request("The body could not be read to its end"),
    })
}

impl Fields {
    fn parse(bytes: &[u8]) -> ApiResult<Self> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(ApiError::bad_request(NOT_JSON).with_hint("send a JSON object")),
            Err(_) => Err(ApiError::bad_request(NOT_JSON)),
        }
    }

    /// The fields of an object within a body; of anything else, none.
    pub fn of(value: &Value) -> Self {
        Self(value.as_object().cloned().unwrap_or_default())
    }

    /// The fields of an object within a body.
    pub fn of_object(fields: &Map<String, Value>) -> Self {
        Self(fields.clone())
    }

    /// The whole object with its fields in order: equal for equal bodies.
    pub fn canonical(&self) -> String {
        canonical_json(&Value::Object(self.0.clone()))
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn string(&self, name: &str) -> ApiResult<Option<&str>> {
        match self.find(name) {
            None => Ok(None),
            // PostgreSQL has no place for it in a text.
            Some(Value::String(text)) if text.contains('\0') => {
                Err(ApiError::invalid(name, format!("{name} must not hold the character U+0000")))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::invalid(name, format!("{name} must be a string"))),
        }
    }

    /// A string of at most `most` characters.
    pub fn short(&self, name: &str, most: usize) -> ApiResult<Option<String>> {
        match self.string(name)? {
            Some(text) if text.chars().count() > most => {
                Err(ApiError::invalid(name, format!("{name} must be at most {most} characters")))
            }
            text => Ok(text.map(str::to_owned)),
        }
    }

    pub fn boolean(&self, name: &str) -> ApiResult<Option<bool>> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Bool(yes)) => Ok(Some(*yes)),
            Some(_) => Err(ApiError::invalid(name, format!("{name} must be true or false"))),
        }
    }

    pub fn positive(&self, name: &str) -> ApiResult<Option<i64>> {
        match self.find(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) if number > 0 => Ok(Some(number)),
                _ => Err(ApiError::invalid(name, format!("{name} must be a positive integer"))),
            },
        }
    }

    /// A field as it was sent, `null` included.
    pub fn raw(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A whole number, of any sign.
    pub fn integer(&self, name: &str) -> ApiResult<Option<i64>> {
        match self.find(name).map(Value::as_i64) {
            None => Ok(None),
            Some(Some(number)) => Ok(Some(number)),
            Some(None) => Err(ApiError::invalid(name, format!("{name} must be an integer"))),
        }
    }

    pub fn time(&self, name: &str) -> ApiResult<Option<Timestamp>> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|rule| ApiError::invalid(name, format!("{name}: {rule}")))
    }

    /// An object; what it holds is for its reader.
    pub fn object(&self, name: &str) -> ApiResult<Option<&Map<String, Value>>> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(_) => Err(ApiError::invalid(name, format!("{name} must be an object"))),
        }
    }

    /// A list of objects.
    pub fn objects(&self, name: &str) -> ApiResult<Option<&[Value]>> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Array(values)) if values.iter().all(Value::is_object) => Ok(Some(values)),
            Some(_) => Err(ApiError::invalid(name, format!("{name} must be an array of objects"))),
        }
    }

    /// A list of strings, each good by `rule`; `message` says what they must be.
    pub fn strings(
        &self,
        name: &str,
        rule: impl Fn(&str) -> bool,
        message: &str,
    ) -> ApiResult<Option<Vec<String>>> {
        let refuse = || ApiError::invalid(name, message);
        match self.find(name) {
            None => Ok(None),
            Some(Value::Array(values)) => {
                let one = |value: &Value| value.as_str().filter(|text| rule(text)).map(str::to_owned);
                values.iter().map(one).collect::<Option<Vec<_>>>().map(Some).ok_or_else(refuse)
            }
            Some(_) => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn known_fields_of_the_wrong_type_are_named() {
        let body = fields(r#"{"a": 1, "b": "x", "c": null, "n": 1.5, "t": "soon"}"#);
        assert_eq!(body.string("a").unwrap_err().body_for_tests()["field"], "a");
        assert!(body.boolean("b").is_err() && body.positive("n").is_err() && body.time("t").is_err());
        assert!(body.string("c").unwrap().is_none() && !body.has("c") && !body.has("z"));
    }

    #[test]
    fn equal_bodies_have_one_canonical_form() {
        assert_eq!(fields(r#"{"b":1,"a":[2]}"#).canonical(), fields(r#"{ "a": [2], "b": 1 }"#).canonical());
    }

    #[test]
    fn only_objects_are_bodies() {
        for bad in ["", "[]", "1", "{", "{\"a\":}", "\u{0}"] {
            assert!(Fields::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
