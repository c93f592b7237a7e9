//! Somebody who listens to webhooks and keeps what came.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// One delivery as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        value.to_str().expect("a text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Such as `issues.opened`; a ping has no action.
    pub fn name(&self) -> String {
        let event = self.header("x-github-event");
        match self.json()["action"].as_str() {
            Some(action) => format!("{event}.{action}"),
            None => event.to_owned(),
        }
    }
}

/// A listener; it ends with the test.
pub struct Receiver {
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    status: Arc<AtomicU16>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let status = Arc::new(AtomicU16::new(202));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&heard), Arc::clone(&status)));
        Self { url, heard, status, _tasks: tasks }
    }

    /// Answers so from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What came, in the order in which it came.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().clone()
    }

    /// The names of what came.
    pub fn names(&self) -> Vec<String> {
        self.heard().iter().map(Heard::name).collect()
    }

    /// Forgets what came; gives it.
    pub fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock())
    }
}

async fn serve(listener: TcpListener, heard: Arc<Mutex<Vec<Heard>>>, status: Arc<AtomicU16>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (heard, status) = (Arc::clone(&heard), Arc::clone(&status));
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let (heard, status) = (Arc::clone(&heard), status.load(Ordering::SeqCst));
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.expect("a body").to_bytes();
                    heard.lock().push(Heard { headers: parts.headers, body });
                    let answer = Response::builder().status(status).body(Full::new(Bytes::from("heard")));
                    Ok::<_, Infallible>(answer.expect("an answer"))
                }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
