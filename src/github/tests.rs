//! The client against a small server on loopback: what it sends, follows, retries and refuses.

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
        ids::IssueNumber,
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

fn github(settings: Settings) -> (ManualClock, GitHub) {
    let manual = ManualClock::new(Timestamp(0));
    let clock = Clock::Manual(manual.clone());
    (manual, GitHub::new(settings, clock.clone(), Ids::seeded(clock, 1)).unwrap())
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

#[tokio::test]
async fn a_probe_is_one_conditional_request_below_the_path_of_the_api() {
    let server = Server::new(|_, _| {
        with(with(answer(304, ""), "etag", "\"1\""), "date", "Thu, 01 Jan 2026 00:00:00 GMT")
    })
    .await;
    let (_, github) = github(settings(&server.url.join("/api/v3/").unwrap()));
    let tag = ETag("W/\"1\"".into());
    let probe = github.probe(&repo(), Some(&tag), github.admit().unwrap()).await.unwrap();
    assert!(matches!(probe, Probe::NotModified { at: Timestamp(1_767_225_600_000), moved: false }));
    let asked = server.asked.lock().clone();
    let [(path, headers)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(path, "/api/v3/repos/a/b/issues?state=all&sort=updated&direction=desc&per_page=100");
    let sent = [
        ("if-none-match", "W/\"1\""),
        ("authorization", "Bearer abc"),
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
        ("user-agent", "dispatch/0"),
        ("accept-encoding", "gzip"),
    ];
    for (name, value) in sent {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn pages_are_followed_on_the_api_host_only() {
    let server = Server::new(|path, _| {
        let page = answer(200, json!([item(1, "a/b")]).to_string());
        match path.contains("page=2") {
            true => with(page, "link", "<http://127.0.0.1:1/page=3>; rel=\"next\""),
            false => with(page, "link", "</cursor?page=2&after=Y%3D>; rel=\"next\""),
        }
    })
    .await;
    let github = server.github();
    let first = github.list(&repo(), &ALL).await.unwrap();
    assert_eq!((first.items.len(), first.moved), (1, false));
    let second = github.next(&first.next.unwrap()).await.unwrap();
    assert_eq!(github.next(&second.next.unwrap()).await.unwrap_err(), Error::RedirectRefused);
    assert_eq!(server.paths()[1..], ["/cursor?page=2&after=Y%3D"]);
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_told() {
    let server = Server::new(|path, _| match path.starts_with("/repos/") {
        true => with(trouble(301), "location", &path.replace("/repos/a/b", "/repositories/1")),
        false if path.contains("issues") => with(answer(200, "[]"), "etag", "\"1\""),
        false => repository("new/name", true),
    })
    .await;
    let github = server.github();
    let probe = github.probe(&repo(), None, github.admit().unwrap()).await.unwrap();
    let Probe::Changed { etag, page } = probe else { panic!("{probe:?}") };
    assert_eq!((etag, page.moved, page.next), (Some(ETag("\"1\"".into())), true, None));
    assert_eq!(github.repository(&repo()).await.unwrap().full_name, "new/name".parse().unwrap());
    assert!(server.paths()[1].starts_with("/repositories/1/issues?state=all"));
}

#[tokio::test]
async fn redirects_elsewhere_or_in_circles_are_refused() {
    for (location, requests) in [("https://example.com/", 1), ("/again", 4)] {
        let server = Server::new(move |_, _| with(trouble(302), "location", location)).await;
        assert_eq!(server.github().repository(&repo()).await.unwrap_err(), Error::RedirectRefused);
        assert_eq!(server.paths().len(), requests, "{location}");
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_each_try_takes_a_point() {
    let server = Server::new(|_, before| match before {
        0 => trouble(502),
        1 => {
            let parts = [Ok(Bytes::from_static(b"[")), Err(std::io::Error::other("cut"))];
            answer(200, Body::from_stream(stream::iter(parts)))
        }
        _ => answer(200, "[]"),
    })
    .await;
    let (_, github) = github(Settings { points_per_minute: 3, ..settings(&server.url) });
    assert!(github.list(&repo(), &ALL).await.is_ok());
    assert_eq!(github.admit().unwrap_err().kind, BackoffKind::Points { left_out: 0 });
}

#[tokio::test]
async fn tries_end_and_the_rest_is_not_tried_again() {
    for (status, requests, error) in [
        (503, 3, Error::Failed { status: 503 }),
        (501, 1, Error::Failed { status: 501 }),
        (422, 1, Error::Unexpected { status: 422 }),
        (410, 1, Error::IssuesDisabled),
    ] {
        let server = Server::new(move |_, _| trouble(status)).await;
        assert_eq!(server.github().list(&repo(), &ALL).await.unwrap_err(), error);
        assert_eq!(server.paths().len(), requests, "{status}");
    }
}

#[tokio::test]
async fn a_time_out_covers_the_body_and_is_not_tried_again() {
    let server = Server::new(|_, _| {
        let start = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"["))]);
        answer(200, Body::from_stream(start.chain(stream::pending())))
    })
    .await;
    let request_timeout = Duration::from_millis(200);
    let (_, github) = github(Settings { request_timeout, ..settings(&server.url) });
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::TimedOut);
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_a_lost_connection_and_opens_the_breaker_in_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let (clock, github) = github(Settings { retries: 0, ..settings(&url) });
    for _ in 0..20 {
        assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::ConnectionLost);
    }
    let open = Backoff { kind: BackoffKind::Breaker, until: Timestamp(60_000) };
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::Backoff(open));
    assert_eq!((github.backoff(), github.admit().unwrap_err()), (Some(open), open));
    clock.set(open.until);
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::ConnectionLost);
    assert_eq!(github.backoff().map(|backoff| backoff.until), Some(Timestamp(180_000)));
}

#[tokio::test]
async fn a_limit_keeps_everything_in() {
    let server = Server::new(|_, _| with(trouble(403), "retry-after", "30")).await;
    let github = server.github();
    let (first, second) = (github.admit().unwrap(), github.admit().unwrap());
    let limit = Backoff { kind: BackoffKind::Secondary, until: Timestamp(30_000) };
    assert_eq!(github.probe(&repo(), None, first).await.unwrap_err(), Error::Backoff(limit));
    assert_eq!(github.probe(&repo(), None, second).await.unwrap_err(), Error::Backoff(limit));
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::Backoff(limit));
    assert_eq!(github.admit().unwrap_err(), limit);
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn the_quota_is_left_alone_at_its_reserve() {
    let server = Server::new(|_, _| {
        let page = with(answer(200, "[]"), "x-ratelimit-limit", "5000");
        with(with(page, "x-ratelimit-remaining", "500"), "x-ratelimit-reset", "900")
    })
    .await;
    let github = server.github();
    assert!(github.list(&repo(), &ALL).await.is_ok());
    let resets_at = Timestamp(900_000);
    assert_eq!(github.quota(), Some(Quota { limit: 5_000, remaining: 500, resets_at }));
    let reserved = Backoff { kind: BackoffKind::Quota, until: resets_at };
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::Backoff(reserved));
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn refused_credentials_are_not_shown_again_for_a_minute() {
    let server = Server::new(|_, _| trouble(401)).await;
    let github = server.github();
    assert_eq!(github.repository(&repo()).await.unwrap_err(), Error::Unauthorized);
    assert_eq!(github.admit().unwrap_err().kind, BackoffKind::Credentials);
    let error = github.repository(&repo()).await.unwrap_err();
    assert_eq!(error.code(), Error::Unauthorized.code());
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn what_is_not_github_is_told_from_what_is_not_documented() {
    let html = || with(answer(200, "<html>"), "content-type", "text/html");
    assert_eq!(list_from(html).await, Error::NotGitHub);
    assert_eq!(list_from(|| answer(404, "no route")).await, Error::NotGitHub);
    assert_eq!(list_from(|| answer(200, "{}")).await, Error::Malformed);
    assert_eq!(list_from(|| answer(200, vec![b' '; 33 << 20])).await, Error::Malformed);
    assert_eq!(list_from(|| answer(304, "")).await, Error::Unexpected { status: 304 });
}

async fn list_from(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Error {
    let server = Server::new(move |_, _| answer()).await;
    server.github().list(&repo(), &ALL).await.unwrap_err()
}

#[tokio::test]
async fn no_more_requests_at_once_than_permitted() {
    let server = Server::new(|_, _| {
        answer(200, Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()))
    })
    .await;
    let request_timeout = Duration::from_millis(300);
    let (_, github) = github(Settings { concurrency: 2, request_timeout, ..settings(&server.url) });
    let repo = repo();
    let reads = futures_util::future::join_all((0..3).map(|_| github.list(&repo, &ALL)));
    let half = tokio::time::timeout(Duration::from_millis(150), reads).await;
    assert!(half.is_err());
    assert_eq!(server.paths().len(), 2);
}

/// How a number is looked up: what the issue, its redirect and the repository answer, and what that means.
async fn look_up(answer: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static) -> String {
    let server = Server::new(move |path, _| answer(path)).await;
    match server.github().issue(&repo(), IssueNumber(7)).await {
        Ok(Lookup::Issue(issue)) => format!("issue {}", issue.number),
        Ok(Lookup::Pull(pull)) => format!("pull {}", pull.number),
        Ok(Lookup::Gone) => "gone".to_owned(),
        Ok(Lookup::Moved) => "moved".to_owned(),
        Err(error) => error.code().name().to_owned(),
    }
}

#[tokio::test]
async fn an_issue_is_there_or_gone_or_out_of_reach() {
    assert_eq!(look_up(|_| answer(200, item(7, "a/b").to_string())).await, "issue 7");
    let mut pull = item(7, "a/b");
    pull["pull_request"] = json!({ "merged_at": null });
    assert_eq!(look_up(move |_| answer(200, pull.to_string())).await, "pull 7");
    for (issue, has_issues, want) in
        [(404, true, "gone"), (410, true, "gone"), (410, false, "issues_disabled")]
    {
        let answers = move |path: &str| match path.ends_with("/7") {
            true => trouble(issue),
            false => repository("a/b", has_issues),
        };
        assert_eq!(look_up(answers).await, want, "{issue} {has_issues}");
    }
    assert_eq!(look_up(|_| trouble(404)).await, "repo_not_found");
    assert_eq!(look_up(|_| trouble(403)).await, "repo_forbidden");
}

#[tokio::test]
async fn a_transfer_is_told_from_a_new_name() {
    let cases = [
        ("renamed", ("/repositories/1/issues/7", 7, "a/new"), "a/new", "issue 7"),
        ("transferred", ("/repositories/2/issues/9", 9, "a/c"), "a/b", "moved"),
        ("transferred to the same number", ("/repositories/2/issues/7", 7, "a/c"), "a/b", "moved"),
    ];
    for (what, (location, number, home), name, want) in cases {
        let answers = move |path: &str| match path {
            "/repos/a/b/issues/7" => with(trouble(301), "location", location),
            "/repos/a/b" => repository(name, true),
            _ => answer(200, item(number, home).to_string()),
        };
        assert_eq!(look_up(answers).await, want, "{what}");
    }
    let out_of_reach = |path: &str| match path {
        "/repos/a/b/issues/7" => with(trouble(301), "location", "/repositories/2/issues/7"),
        "/repos/a/b" => repository("a/b", true),
        _ => trouble(404),
    };
    assert_eq!(look_up(out_of_reach).await, "gone");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let good = settings(&Url::parse("https://api.github.com").unwrap());
    let start = |settings| GitHub::new(settings, Clock::System, Ids::new(Clock::System)).map(|_| ());
    for url in ["ftp://x", "https://u:p@x", "https://x/?a", "https://x/#a"] {
        let settings = Settings { api_url: Url::parse(url).unwrap(), ..good.clone() };
        assert!(matches!(start(settings), Err(StartError::ApiUrl)), "{url}");
    }
    assert!(matches!(start(Settings { concurrency: 0, ..good.clone() }), Err(StartError::Concurrency)));
    assert!(start(good).is_ok());
}
