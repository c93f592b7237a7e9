//! What keeps requests in.

use super::*;

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
    assert_eq!((github.backoff([&repo()]), github.admit(&repo()).unwrap_err()), (Some(open), open));
    clock.set(open.until);
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::ConnectionLost);
    assert_eq!(github.backoff([&repo()]).map(|backoff| backoff.until), Some(Timestamp(180_000)));
}

#[tokio::test]
async fn a_limit_keeps_everything_in() {
    let server = Server::new(|_, _| with(trouble(403), "retry-after", "30")).await;
    let github = server.github();
    let (first, second) = (github.admit(&repo()).unwrap(), github.admit(&repo()).unwrap());
    let limit = Backoff { kind: BackoffKind::Secondary, until: Timestamp(30_000) };
    assert_eq!(github.probe(&repo(), None, first).await.unwrap_err(), Error::Backoff(limit));
    assert_eq!(github.probe(&repo(), None, second).await.unwrap_err(), Error::Backoff(limit));
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::Backoff(limit));
    assert_eq!(github.admit(&repo()).unwrap_err(), limit);
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
    assert_eq!(github.quota(&repo()), Some(Quota { limit: 5_000, remaining: 500, resets_at }));
    let reserved = Backoff { kind: BackoffKind::Quota, until: resets_at };
    assert_eq!(github.list(&repo(), &ALL).await.unwrap_err(), Error::Backoff(reserved));
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn refused_credentials_are_not_shown_again_for_a_minute() {
    let server = Server::new(|_, _| trouble(401)).await;
    let github = server.github();
    assert_eq!(github.repository(&repo()).await.unwrap_err(), Error::Unauthorized);
    assert_eq!(github.admit(&repo()).unwrap_err().kind, BackoffKind::Credentials);
    let error = github.repository(&repo()).await.unwrap_err();
    assert_eq!(error.code(), Error::Unauthorized.code());
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn no_more_requests_at_once_than_permitted() {
    let endless = || stream::pending::<Result<Bytes, std::io::Error>>();
    let server = Server::new(move |_, _| answer(200, Body::from_stream(endless()))).await;
    let (_, github) = github(Settings { concurrency: 2, ..settings(&server.url) });
    let repo = repo();
    let reads = futures_util::future::join_all((0..3).map(|_| github.list(&repo, &ALL)));
    tokio::pin!(reads);
    while server.paths().len() < 2 {
        assert!(tokio::time::timeout(Duration::from_millis(10), reads.as_mut()).await.is_err());
    }
    assert!(tokio::time::timeout(Duration::from_millis(100), reads).await.is_err());
    assert_eq!(server.paths().len(), 2);
}
