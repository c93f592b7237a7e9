//! What the operator may set about GitHub, and why it may be refused at the start.

use std::time::Duration;

use url::Url;

use super::auth::Credentials;

/// How to reach GitHub, and how hard to use it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://api.github.com`, or `https://HOST/api/v3` for Enterprise Server; paths are joined below it.
    pub api_url: Url,
    pub credentials: Credentials,
    /// Requests under way at once, at least 1. GitHub allows 100 over all clients of a token.
    pub concurrency: usize,
    /// Requests begun within any 60 s; 0 sets no limit. GitHub allows 900.
    pub points_per_minute: u32,
    /// For one request with its body; a retry or a followed redirect is another request.
    pub request_timeout: Duration,
    /// How often a request is sent again that failed in a way that may pass.
    pub retries: u32,
    pub user_agent: String,
}

/// Why the client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "GITHUB_API_URL must be an http:// or https:// URL with a host and without user name, query or \
         fragment, for example https://api.github.com or https://github.example.com/api/v3"
    )]
    ApiUrl,
    #[error(
        "GITHUB_TOKEN is empty or has characters that no token has; copy it again, without quotes or spaces"
    )]
    Token,
    #[error("DISPATCH_GITHUB_CONCURRENCY must be at least 1, for example 8")]
    Concurrency,
    #[error(
        "the HTTP client cannot be set up; check that this machine has CA certificates (package ca-certificates)"
    )]
    Client(#[source] reqwest::Error),
}

impl Settings {
    /// Where people open what the API is about.
    pub(super) fn site(&self) -> String {
        match self.api_url.as_str().trim_end_matches('/').strip_suffix("/api/v3") {
            Some(server) => server.to_owned(),
            None => "https://github.com".to_owned(),
        }
    }

    /// Checks what the types do not.
    pub(super) fn check(&self) -> Result<(), StartError> {
        let url = &self.api_url;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !plain {
            return Err(StartError::ApiUrl);
        }
        if self.concurrency == 0 {
            return Err(StartError::Concurrency);
        }
        Ok(())
    }
}
