//! Servers that answer what a test wants, and remember what they were asked.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub tag: Option<String>,
    pub body: Value,
}

/// Everything that a server was asked.
pub type Journal = Arc<Mutex<Vec<Asked>>>;

/// A server and its journal; `answer` sees each request and those before it.
pub async fn start(
    answer: impl Fn(&Asked, &[Asked]) -> Response + Clone + Send + Sync + 'static,
) -> (String, Journal) {
    let journal = Journal::default();
    let kept = Arc::clone(&journal);
    let app = Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let tag = headers.get("if-none-match").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let asked = Asked {
            path: uri.path().to_owned(),
            tag,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        let mut before = kept.lock().expect("no panic here");
        let response = answer(&asked, &before);
        before.push(asked);
        response
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its number"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, journal)
}

/// JSON with this status.
pub fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

/// The bodies that were sent to a path.
pub fn bodies(journal: &Journal, path: &str) -> Vec<Value> {
    let journal = journal.lock().expect("no panic here");
    journal.iter().filter(|asked| asked.path == path).map(|asked| asked.body.clone()).collect()
}
