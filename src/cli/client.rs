//! Talking to a server: where it is, which token, and what its refusals mean to a person.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use reqwest::{
    ClientBuilder, Method, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use serde_json::Value;

use super::first_start::ADMIN_TOKEN_FILE;
use crate::{config::default_data_dir, domain::address::is_loopback};

/// Longer than a heartbeat's deadline.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Before the second and the third try of what may be sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];

const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// Which server to talk to.
#[derive(Args, Clone)]
pub struct Target {
    /// Address of the server to talk to.
    #[arg(long, global = true, env = "DISPATCH_URL", value_name = "URL", help_heading = "Connection")]
    #[arg(default_value = DEFAULT_URL)]
    url: String,
    /// Token to show; unset, where the server is on this machine: the admin token that its first start left.
    #[arg(
        long,
        global = true,
        env = "DISPATCH_AGENT_TOKEN",
        value_name = "TOKEN",
        help_heading = "Connection"
    )]
    token: Option<String>,
}

/// A server that answers requests.
pub struct Server {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// An answer that is JSON.
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

/// What came of asking again.
pub enum Polled {
    /// The answer is the one that was tagged.
    Same,
    /// Another answer, and its tag.
    New(Value, Option<String>),
}

impl Target {
    /// Makes a client; nothing is sent yet.
    pub fn open(&self) -> anyhow::Result<Server> {
        let (url, token) = self.read()?;
        Server::at(url, token)
    }

    /// Makes a client for answers that never end: it gives up when it hears nothing for `silence`.
    pub fn open_lasting(&self, silence: Duration) -> anyhow::Result<Server> {
        let (url, token) = self.read()?;
        let http = reqwest::Client::builder().connect_timeout(silence).read_timeout(silence);
        Server::with(url, token, http)
    }

    fn read(&self) -> anyhow::Result<(String, Option<String>)> {
        let url = self.url.trim().trim_end_matches('/');
        let url = if url.is_empty() { DEFAULT_URL } else { url };
        check_address(url)?;
        let given = self.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
        // That one is for this machine's server, and nobody else gets it unasked.
        let token = given.map(str::to_owned).or_else(|| is_here(url).then(left_token).flatten());
        if token.as_deref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            bail!(
                "the token holds a blank, a line break or another character that no token has; copy it anew into DISPATCH_AGENT_TOKEN"
            );
        }
        Ok((url.to_owned(), token))
    }
}

/// Refusals do not repeat the address: somebody may have written a password into it.
fn check_address(address: &str) -> anyhow::Result<()> {
    const EXAMPLE: &str = "for example DISPATCH_URL=http://127.0.0.1:3000";
    let Ok(url) = address.parse::<url::Url>() else {
        bail!("DISPATCH_URL is not an address; {EXAMPLE}");
    };
    if !matches!(url.scheme(), "http" | "https") {
        bail!("DISPATCH_URL must begin with http:// or https://; {EXAMPLE}");
    }
    if !url.username().is_empty() || url.password().is_some() {
        bail!("DISPATCH_URL must hold no credentials; the token goes into DISPATCH_AGENT_TOKEN");
    }
    if url.query().is_some() || url.fragment().is_some() {
        bail!("DISPATCH_URL must end before `?` and `#`; {EXAMPLE}");
    }
    Ok(())
}

impl Server {
    /// A client for the server at this address.
    pub fn at(url: String, token: Option<String>) -> anyhow::Result<Self> {
        Self::at_within(url, token, TIMEOUT)
    }

    /// The same with a time-out of one's own.
    pub fn at_within(url: String, token: Option<String>, timeout: Duration) -> anyhow::Result<Self> {
        Self::with(url, token, reqwest::Client::builder().timeout(timeout))
    }

    fn with(url: String, token: Option<String>, http: ClientBuilder) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = http
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("dispatch-cli/", env!("CARGO_PKG_VERSION")));
        // A proxy (HTTP_PROXY) does not lead to this machine.
        let http = if is_here(&url) { http.no_proxy() } else { http };
        let http = http.build().context("the HTTP client could not be made")?;
        Ok(Self { http, url, token })
    }
}

fn is_here(url: &str) -> bool {
    url.parse().is_ok_and(|url| is_loopback(&url))
}

/// The token that the first start left in the default data directory.
#[expect(clippy::disallowed_methods, reason = "the data directory")]
fn left_token() -> Option<String> {
    let directory = std::env::var_os("DISPATCH_DATA_DIR").map(PathBuf::from).or_else(default_data_dir)?;
    let text = std::fs::read_to_string(directory.join(ADMIN_TOKEN_FILE)).ok()?;
    Some(text.trim().to_owned()).filter(|token| !token.is_empty())
}

impl Server {
    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A list; what else answers is no Dispatch.
    pub async fn list(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None, Value::is_array).await
    }

    /// An answer that has this field; what else answers is no Dispatch.
    pub async fn get(&self, path: &str, field: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None, |answer| answer.get(field).is_some()).await
    }

    /// A page of a list, and where the next one starts.
    pub async fn page(&self, path: &str) -> anyhow::Result<(Vec<Value>, Option<String>)> {
        let response =
            self.request(Method::GET, path, None).send().await.map_err(|error| self.silence(&error))?;
        let next = response.headers().get("x-next-cursor").and_then(|next| next.to_str().ok());
        let (next, status) = (next.map(str::to_owned), response.status());
        let text = response.text().await.map_err(|error| self.silence(&error))?;
        match self.checked(self.answer(status, &text)?, Value::is_array)? {
            Value::Array(rows) => Ok((rows, next)),
            _ => Err(self.stranger(status)),
        }
    }

    /// Begins to listen to a stream of events; `last` is the id of the last one that was heard. No answer at all is
    /// an error that [`is_silence`] knows.
    pub async fn listen(&self, path: &str, last: Option<&str>) -> anyhow::Result<Response> {
        let request = self.request(Method::GET, path, None);
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = request.send().await.map_err(|error| Silence(self.silence(&error).to_string()))?;
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if status.is_success() && kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Ok(response);
        }
        let text = response.text().await.map_err(|error| Silence(self.silence(&error).to_string()))?;
        if matches!(status.as_u16(), 429 | 502..=504) {
            let refusal = self.answer(status, &text).map(|answer| self.refusal(&answer));
            return Err(Silence(refusal.unwrap_or_else(|error| error).to_string()).into());
        }
        Err(self.refusal(&self.answer(status, &text)?))
    }

    /// As [`Server::get`], for who has the answer with this tag already.
    pub async fn poll(&self, path: &str, tag: Option<&str>, field: &str) -> anyhow::Result<Polled> {
        let request = self.request(Method::GET, path, None);
        let request = tag.into_iter().fold(request, |request, tag| request.header(IF_NONE_MATCH, tag));
        let response = request.send().await.map_err(|error| self.silence(&error))?;
        if tag.is_some() && response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Polled::Same);
        }
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let status = response.status();
        let text = response.text().await.map_err(|error| self.silence(&error))?;
        let answer = self.checked(self.answer(status, &text)?, |answer| answer.get(field).is_some())?;
        Ok(Polled::New(answer, tag))
    }

    /// As [`Server::get`].
    pub async fn post(&self, path: &str, body: &Value, field: &str) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Some(body), |answer| answer.get(field).is_some()).await
    }

    /// As [`Server::post`].
    pub async fn delete(&self, path: &str, field: &str) -> anyhow::Result<Value> {
        self.ask(Method::DELETE, path, None, |answer| answer.get(field).is_some()).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        is_ours: impl FnOnce(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        self.checked(self.send(method, path, body).await?, is_ours)
    }

    fn checked(&self, answer: Answer, is_ours: impl FnOnce(&Value) -> bool) -> anyhow::Result<Value> {
        if !answer.status.is_success() {
            return Err(self.refusal(&answer));
        }
        if is_ours(&answer.body) { Ok(answer.body) } else { Err(self.stranger(answer.status)) }
    }

    /// Sends a request; any status is an answer, no answer is an error that says what to do.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let (status, text) =
            exchange(self.request(method, path, body)).await.map_err(|e| self.silence(&e))?;
        self.answer(status, &text)
    }

    /// A POST that the server takes for one however often it comes: sent again when its answer got lost, or when the
    /// server could not record it just then.
    pub async fn insist(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        for pause in PAUSES {
            match exchange(self.request(Method::POST, path, Some(body))).await {
                Ok((status, text)) => {
                    let answer = self.answer(status, &text)?;
                    let is_busy =
                        status == StatusCode::SERVICE_UNAVAILABLE && answer.body["error"].is_string();
                    if !is_busy {
                        return Ok(answer);
                    }
                }
                Err(error) if error.is_connect() => return Err(self.silence(&error)),
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
        }
        self.send(Method::POST, path, Some(body)).await
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request
    }

    fn answer(&self, status: StatusCode, text: &str) -> anyhow::Result<Answer> {
        let body = serde_json::from_str(text).map_err(|_| self.stranger(status))?;
        Ok(Answer { status, body })
    }

    fn silence(&self, error: &reqwest::Error) -> anyhow::Error {
        let url = &self.url;
        if error.is_timeout() {
            anyhow!("the server at {url} did not answer in time; try again, or look at its log")
        } else if url.starts_with("https:") {
            anyhow!(
                "no server answers at {url}; check DISPATCH_URL, and that this machine trusts its certificate"
            )
        } else {
            anyhow!("no server answers at {url}; start one with `dispatch serve`, or set DISPATCH_URL")
        }
    }

    /// An answer that no Dispatch gives: of something before it, or of something else.
    pub fn stranger(&self, status: StatusCode) -> anyhow::Error {
        let (url, code) = (&self.url, status.as_u16());
        if status.is_redirection() {
            anyhow!(
                "{url} answers with a redirect ({code}); set DISPATCH_URL to where it leads, perhaps https://"
            )
        } else if status.is_server_error() {
            anyhow!(
                "{url} answers {code}, and not as Dispatch does; is the server behind this address running?"
            )
        } else {
            anyhow!("what answers at {url} ({code}) is not a Dispatch server; check DISPATCH_URL")
        }
    }

    /// A refusal in words.
    pub fn refusal(&self, answer: &Answer) -> anyhow::Error {
        let Some(message) = answer.body["error"].as_str() else { return self.stranger(answer.status) };
        match answer.status {
            StatusCode::UNAUTHORIZED if self.token.is_none() => {
                anyhow!(
                    "the server at {} wants a token; set DISPATCH_AGENT_TOKEN (the first token of a server on this machine is found by itself where DISPATCH_URL is a loopback address)",
                    self.url
                )
            }
            StatusCode::UNAUTHORIZED => {
                anyhow!("the server at {} does not know this token; check DISPATCH_AGENT_TOKEN", self.url)
            }
            _ => match answer.body["hint"].as_str() {
                Some(hint) => anyhow!("{message} ({hint})"),
                None => anyhow!("{message}"),
            },
        }
    }
}

/// The server is away, or has no room: another try may do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Silence(String);

/// May another try do?
pub fn is_silence(error: &anyhow::Error) -> bool {
    error.is::<Silence>()
}

async fn exchange(request: RequestBuilder) -> reqwest::Result<(StatusCode, String)> {
    let response = request.send().await?;
    let status = response.status();
    Ok((status, response.text().await?))
}
