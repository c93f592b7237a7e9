//! Answers of the server, easy to look into.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The whole answer; of a stream, which has no end, what comes first.
    pub async fn read(mut response: reqwest::Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            let first = response.chunk().await?.unwrap_or_default();
            return Ok(Self { status, headers, text: String::from_utf8_lossy(&first).into_owned() });
        }
        Ok(Self { status, headers, text: response.text().await? })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    /// Asserts the status and returns the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a readable header"))
    }
}

/// The strings of a JSON array.
#[track_caller]
pub fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().unwrap_or_else(|| panic!("not an array: {value}"));
    items.iter().map(|item| item.as_str().expect("a string").to_owned()).collect()
}
