//! What is sent, followed, tried again and refused.

use super::*;

#[tokio::test]
async fn a_probe_is_one_conditional_request_below_the_path_of_the_api() {
    let server = Server::new(|_, _| {
        with(with(answer(304, ""), "etag", "\"1\""), "date", "Thu, 01 Jan 2026 00:00:00 GMT")
    })
    .await;
    let (_, github) = github(settings(&server.url.join("/api/v3/").unwrap()));
    // The second is the fingerprint of the token: printf abc | sha256sum
    let tag = (ETag("W/\"1\"".into()), TokenId("ba7816bf8f01cfea".into()));
    let probe = github.probe(&repo(), Some(&tag), github.admit(&repo()).unwrap()).await.unwrap();
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
        let is_second = path.contains("page=2");
        let next = if is_second { "http://127.0.0.1:1/page=3" } else { "/cursor?page=2&after=Y%3D" };
        with(page, "link", &format!("<{next}>; rel=\"next\""))
    })
    .await;
    let github = server.github();
    let first = github.list(&repo(), &ALL).await.unwrap();
    assert_eq!((first.items.len(), first.moved), (1, false));
    let second = github.next(&repo(), &first.next.unwrap()).await.unwrap();
    assert_eq!(github.next(&repo(), &second.next.unwrap()).await.unwrap_err(), Error::RedirectRefused);
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
    let probe = github.probe(&repo(), None, github.admit(&repo()).unwrap()).await.unwrap();
    let Probe::Changed { etag, page } = probe else { panic!("{probe:?}") };
    assert_eq!(
        (etag, page.moved, page.next),
        (Some((ETag("\"1\"".into()), TokenId("ba7816bf8f01cfea".into()))), true, None)
    );
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
    assert_eq!(github.admit(&repo()).unwrap_err().kind, BackoffKind::Points { left_out: 0 });
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
    assert!(server.paths().len() <= 1);
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
async fn settings_that_cannot_work_are_refused() {
    let good = settings(&Url::parse("https://api.github.com").unwrap());
    let start =
        |settings: Settings| GitHub::new(&settings, &Clock::System, &Ids::new(Clock::System)).map(|_| ());
    for url in ["ftp://x", "https://u:p@x", "https://x/?a", "https://x/#a"] {
        let settings = Settings { api_url: Url::parse(url).unwrap(), ..good.clone() };
        assert!(matches!(start(settings), Err(StartError::ApiUrl)), "{url}");
    }
    assert!(matches!(start(Settings { concurrency: 0, ..good.clone() }), Err(StartError::Concurrency)));
    assert!(start(good).is_ok());
}
