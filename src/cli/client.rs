//! Talking to a server: where it is, which token, and what its refusals mean to a person.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use reqwest::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::Value;

use super::first_start::ADMIN_TOKEN_FILE;
use crate::config::default_data_dir;

/// Longer than a heartbeat's deadline.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Which server to talk to.
#[derive(Args, Clone)]
pub struct Target {
    /// Address of the server.
    #[arg(
        long,
        global = true,
        env = "DISPATCH_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:3000",
        help_heading = "Server"
    )]
    url: String,
    /// Token to show; unset: the admin token that the first `dispatch serve` on this machine left.
    #[arg(
        long,
        global = true,
        env = "DISPATCH_AGENT_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Server"
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

impl Target {
    /// Makes a client; nothing is sent yet.
    pub fn open(&self) -> anyhow::Result<Server> {
        let url = self.url.trim().trim_end_matches('/').to_owned();
        let parsed: url::Url = url.parse().map_err(|_| {
            anyhow!("DISPATCH_URL={url:?} is not an address; for example http://127.0.0.1:3000")
        })?;
        if !matches!(parsed.scheme(), "http" | "https") {
            bail!("DISPATCH_URL={url:?} must begin with http:// or https://");
        }
        let given = self.token.as_deref().map(str::trim).filter(|token| !token.is_empty());
        Server::at(url, given.map(str::to_owned).or_else(left_token))
    }
}

impl Server {
    /// A client for the server at this address.
    pub fn at(url: String, token: Option<String>) -> anyhow::Result<Self> {
        Self::at_within(url, token, TIMEOUT)
    }

    /// The same with a time-out of one's own.
    pub fn at_within(url: String, token: Option<String>, timeout: Duration) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("dispatch-cli/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("the HTTP client could not be made")?;
        Ok(Self { http, url, token })
    }
}

/// The token that the first start left in the default data directory.
#[expect(clippy::disallowed_methods, reason = "the data directory")]
fn left_token() -> Option<String> {
    let directory = std::env::var_os("DISPATCH_DATA_DIR").map(PathBuf::from).or_else(default_data_dir)?;
    let text = std::fs::read_to_string(directory.join(ADMIN_TOKEN_FILE)).ok()?;
    Some(text.trim().to_owned()).filter(|token| !token.is_empty())
}

impl Server {
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.expect_success(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.expect_success(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.expect_success(Method::DELETE, path, None).await
    }

    async fn expect_success(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.send(method, path, body).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        Err(self.refusal(&answer))
    }

    /// Sends a request; any status is an answer, no answer is an error that says what to do.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.silence(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.silence(&error))?;
        let body = serde_json::from_str(&text).map_err(|_| {
            anyhow!("what answers at {} is not a Dispatch server; check DISPATCH_URL", self.url)
        })?;
        Ok(Answer { status, body })
    }

    fn silence(&self, error: &reqwest::Error) -> anyhow::Error {
        let url = &self.url;
        if error.is_timeout() {
            anyhow!("the server at {url} did not answer in time; try again, or look at its log")
        } else {
            anyhow!("no server answers at {url}; start one with `dispatch serve`, or set DISPATCH_URL")
        }
    }

    /// A refusal in words.
    pub fn refusal(&self, answer: &Answer) -> anyhow::Error {
        let message = answer.body["error"].as_str().unwrap_or("no reason was given");
        match answer.status {
            StatusCode::UNAUTHORIZED if self.token.is_none() => {
                anyhow!("the server at {} wants a token; set DISPATCH_AGENT_TOKEN", self.url)
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
