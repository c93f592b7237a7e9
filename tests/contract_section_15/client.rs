//! A client as the contract describes them: one TCP connection per call, `Authorization` and, on POST, `Content-Type`. No
//! idempotency key, no name of an agent, nothing that a library adds.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Answer, App, MAINTAINER, spec};

#[derive(Clone, Copy)]
pub struct Client<'a> {
    app: &'a App,
    token: Option<&'a str>,
}

impl<'a> Client<'a> {
    /// With the one maintainer token of everybody.
    pub const fn new(app: &'a App) -> Self {
        Self { app, token: Some(MAINTAINER) }
    }

    pub const fn with_token(app: &'a App, token: Option<&'a str>) -> Self {
        Self { app, token }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut stream = self.send(method, path, body).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("an answer, and the end of the connection");
        let answer = read(&bytes);
        spec::check(method, path.split('?').next().unwrap_or(path), &answer);
        answer
    }

    /// Sends, and is gone before the answer comes.
    pub async fn post_and_hang_up(&self, path: &str, body: Value) {
        drop(self.send("POST", path, Some(body)).await);
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> TcpStream {
        let body = body.map(|body| body.to_string());
        let credentials = self.token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let kind = body
            .as_ref()
            .map(|body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}{}\r\n{}",
            self.app.address,
            credentials.unwrap_or_default(),
            kind.unwrap_or_default(),
            body.unwrap_or_default(),
        );
        let mut stream = TcpStream::connect(self.app.address).await.expect("a connection");
        stream.write_all(text.as_bytes()).await.expect("the request is sent");
        stream
    }
}

/// An answer off the wire.
fn read(bytes: &[u8]) -> Answer {
    let text = std::str::from_utf8(bytes).expect("a text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole answer: {text}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let mut headers = reqwest::header::HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        let name: reqwest::header::HeaderName = name.parse().expect("a header's name");
        headers.append(name, value.parse().expect("a header's value"));
    }
    let answer = Answer { status: status.expect("a status"), headers, text: body.to_owned() };
    assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()), "whole: {text}");
    answer
}
