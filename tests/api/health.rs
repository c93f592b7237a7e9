//! The probes: what they say, and how fast when the database is gone.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{
    API, each_db,
    support::{Answer, App, AppBuilder, TestDb, app, app::send},
};

/// A probe as Kubernetes sends it: no credentials, an answer within a second.
async fn probe(client: &reqwest::Client, app: &App, path: &str) -> Answer {
    let began = Instant::now();
    let answer = send(client.get(app.url(path))).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{path} took {:?}", began.elapsed());
    answer
}

/// Asserts what the probes say when the database does not answer.
async fn assert_database_gone(client: &reqwest::Client, app: &App) {
    for path in ["/api/health", "/readyz"] {
        let want = json!({ "ok": false, "database": "error", "version": "test" });
        assert_eq!(probe(client, app, path).await.expect(503), want, "{path}");
    }
    assert_eq!(probe(client, app, "/healthz").await.expect(200), json!({ "ok": true }));
}

/// A way to PostgreSQL that can go silent: connections stay open and nothing passes any more.
struct Way {
    port: u16,
    open: watch::Sender<bool>,
    _traffic: JoinSet<()>,
}

impl Way {
    async fn to(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let open = watch::Sender::new(true);
        let (mut traffic, is_open) = (JoinSet::new(), open.subscribe());
        traffic.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((near, _)) = listener.accept().await else { return };
                connections.spawn(carry(near, address.clone(), is_open.clone()));
            }
        });
        Self { port, open, _traffic: traffic }
    }
}

async fn carry(mut near: TcpStream, address: String, mut is_open: watch::Receiver<bool>) {
    if !*is_open.borrow() {
        std::future::pending::<()>().await;
    }
    let mut far = TcpStream::connect(address).await.expect("PostgreSQL");
    let silenced = async { drop(is_open.wait_for(|open| !open).await) };
    let is_silent = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
        () = silenced => true,
    };
    if is_silent {
        std::future::pending::<()>().await;
    }
}

each_db! {
    async fn a_server_in_order_says_so_to_anybody(db) {
        let app = App::with_repos(db, &[API]).await;
        let want = json!({ "ok": true, "database": "ok", "version": "test", "authMode": "legacy",
            "scheduler": { "leader": false, "jobs": [] } });
        for path in ["/api/health", "/readyz"] {
            assert_eq!(probe(&app::client(), &app, path).await.expect(200), want, "{path}");
        }
        assert_eq!(probe(&app::client(), &app, "/healthz").await.expect(200), json!({ "ok": true }));
        assert_eq!(app.sim.counters().requests, 0);
    }

    async fn a_closed_database_is_503_and_the_process_still_alive(db) {
        let app = App::with_repos(db, &[API]).await;
        let client = app::client();
        app.engine.db().close().await;
        assert_database_gone(&client, &app).await;
        let error = app.get("/api/issues").await.expect(503);
        assert_eq!((error["error"].as_str(), error["code"].as_str()), (Some("The database failed"), Some("database_failed")));
        let beat = app.post("/api/agents/coder/heartbeat", json!({})).await.expect(503);
        assert_eq!((beat["status"].as_str(), beat["runId"].clone()), (Some("error"), json!(null)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_postgres_is_503_within_a_second_and_recovers() {
    let direct = TestDb::postgres().await;
    let TestDb::Postgres { url, schema, admin } = &direct else { panic!("not PostgreSQL") };
    let address = url::Url::parse(url).expect("an address");
    let host = address.host_str().expect("a host");
    let way = Way::to(format!("{host}:{}", address.port().unwrap_or(5432))).await;
    let through = |text: &str| {
        let mut url = url::Url::parse(text).expect("an address");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(way.port)).expect("a port");
        url.to_string()
    };
    let db = TestDb::Postgres { url: through(url), schema: schema.clone(), admin: admin.clone() };
    let builder = AppBuilder { repos: vec![API.into()], ..AppBuilder::default() };
    let app = builder.start(db).await;
    app.beat("coder").await;
    // Made before: making thirty takes longer than what is measured.
    let client = app::client();
    way.open.send_replace(false);
    // More probes than there are connections in the pool.
    let all = (0..30).map(|_| assert_database_gone(&client, &app));
    futures_util::future::join_all(all).await;
    assert_database_gone(&client, &app).await;
}
