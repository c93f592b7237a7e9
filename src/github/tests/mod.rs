//! The client against a small server on loopback.

mod limits;
mod lookup;
mod reads;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, Response, StatusCode, header},
};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use url::Url;

use super::*;
use crate::{
    clock::ManualClock,
    domain::{
        ids::{IssueNumber, TokenId},
        repo::{ETag, RepoName},
        time::Timestamp,
    },
};

/// A server that answers by a function and remembers what it was asked.
struct Server {
    url: Url,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// The function gets the path with its query, and how many requests came before.
    async fn new(answer: impl Fn(&str, usize) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked: Arc<Mutex<Vec<(String, HeaderMap)>>> = Arc::default();
        let log = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().to_string();
            let mut log = log.lock();
            let response = answer(&path, log.len());
            log.push((path, request.headers().clone()));
            async { response }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, _tasks: tasks }
    }

    fn paths(&self) -> Vec<String> {
        self.asked.lock().iter().map(|(path, _)| path.clone()).collect()
    }

    fn github(&self) -> GitHub {
        github(settings(&self.url)).1
    }
}

fn settings(url: &Url) -> Settings {
    Settings {
        api_url: url.clone(),
        credentials: Credentials::Token("abc".into()),
        concurrency: 8,
        points_per_minute: 600,
        request_timeout: Duration::from_secs(20),
        retries: 2,
        user_agent: "dispatch/0".to_owned(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "tests change one field and forget the rest")]
fn github(settings: Settings) -> (ManualClock, GitHub) {
    let manual = ManualClock::new(Timestamp(0));
    let clock = Clock::Manual(manual.clone());
    (manual, GitHub::new(&settings, &clock, &Ids::seeded(clock.clone(), 1)).unwrap())
}

fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    response
}

fn trouble(status: u16) -> Response<Body> {
    answer(status, json!({ "message": "words" }).to_string())
}

fn with(mut response: Response<Body>, name: &'static str, value: &str) -> Response<Body> {
    response.headers_mut().insert(name, value.parse().unwrap());
    response
}

fn item(number: i64, repo: &str) -> Value {
    json!({
        "id": number, "number": number, "title": "t", "body": null, "state": "open", "labels": [], "comments": 0,
        "html_url": "https://github.com/a/b/issues/1", "repository_url": format!("https://x/repos/{repo}"),
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    })
}

fn repository(name: &str, has_issues: bool) -> Response<Body> {
    let body = json!({
        "id": 1, "full_name": name, "default_branch": "main", "archived": false, "has_issues": has_issues,
    });
    answer(200, body.to_string())
}

fn repo() -> RepoName {
    "a/b".parse().unwrap()
}

const ALL: ListQuery = ListQuery { state: StateFilter::All, order: Order::UpdatedAsc, since: None };
