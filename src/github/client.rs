//! How a GET goes out and comes back: its turn, its point, retries and redirects.

use std::time::Duration;

use reqwest::{
    Response,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, IF_NONE_MATCH},
    redirect,
};
use serde::de::DeserializeOwned;
use tokio::{sync::Semaphore, time::Instant};
use url::Url;

use super::{
    answer::Answer,
    auth::Auth,
    error::Error,
    limits::{Limits, Point},
    link::{self, NextLink},
    settings::{Settings, StartError},
    verdict::{Verdict, judge},
};
use crate::{
    clock::{Clock, Ids},
    domain::{repo::ETag, time::Timestamp},
};

/// The media type and version that every request asks for (docs.github.com/rest/about-the-rest-api/api-versions).
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.github+json");
const VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

/// So many redirects are followed.
const HOPS_MAX: usize = 3;

/// The most bytes of an answer, unpacked; a page of 100 issues with the longest bodies has about 7 MiB.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// A retry waits at least this long, and up to [`RETRY_SPREAD`] longer.
const RETRY_LEAST: Duration = Duration::from_millis(100);
const RETRY_SPREAD: Duration = Duration::from_millis(300);

/// Sends requests for one token.
pub(super) struct Client {
    http: reqwest::Client,
    api: Url,
    pub auth: Auth,
    pub limits: Limits,
    permits: Semaphore,
    retries: u32,
    clock: Clock,
    ids: Ids,
}

/// What was asked for, and what came with it.
pub(super) struct Fetched<T> {
    pub content: T,
    pub etag: Option<ETag>,
    pub next: Option<NextLink>,
    pub at: Timestamp,
    /// A redirect led there.
    pub moved: bool,
}

/// One answer that is no error.
enum Reply<T> {
    Here(Fetched<Option<T>>),
    Elsewhere(Url),
}

impl Client {
    pub fn new(settings: Settings, clock: Clock, ids: Ids) -> Result<Self, StartError> {
        settings.check()?;
        // An error means that somebody installed one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .default_headers(HeaderMap::from_iter([(ACCEPT, MEDIA_TYPE)]))
            .timeout(settings.request_timeout)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(StartError::Client)?;
        Ok(Self {
            http,
            auth: Auth::new(&settings.credentials)?,
            limits: Limits::new(settings.points_per_minute, clock.clone()),
            permits: Semaphore::new(settings.concurrency),
            api: settings.api_url,
            retries: settings.retries,
            clock,
            ids,
        })
    }

    /// A URL below the API's.
    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Asks for what is there; each request waits for its point.
    pub async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<Fetched<T>, Error> {
        let Fetched { content, etag, next, at, moved } = self.follow(url, None, None).await?;
        let content = content.ok_or(Error::Unexpected { status: 304 })?;
        Ok(Fetched { content, etag, next, at, moved })
    }

    /// Asks for what is there unless it is what `etag` stands for; the first request uses `point`.
    pub async fn get_if_changed<T: DeserializeOwned>(
        &self,
        url: Url,
        etag: Option<&ETag>,
        point: Point,
    ) -> Result<Fetched<Option<T>>, Error> {
        self.follow(url, etag, Some(point)).await
    }

    /// Goes where redirects lead, as long as that is the API's own host.
    async fn follow<T: DeserializeOwned>(
        &self,
        mut url: Url,
        etag: Option<&ETag>,
        mut point: Option<Point>,
    ) -> Result<Fetched<Option<T>>, Error> {
        for hop in 0..=HOPS_MAX {
            // Anywhere else the token would be told to a stranger.
            if url.origin() != self.api.origin() {
                return Err(Error::RedirectRefused);
            }
            match self.settle(&url, etag, point.take()).await? {
                Reply::Here(fetched) => return Ok(Fetched { moved: hop > 0, ..fetched }),
                Reply::Elsewhere(to) => url = to,
            }
        }
        Err(Error::RedirectRefused)
    }

    /// Sends again what failed in a way that may pass.
    async fn settle<T: DeserializeOwned>(
        &self,
        url: &Url,
        etag: Option<&ETag>,
        mut point: Option<Point>,
    ) -> Result<Reply<T>, Error> {
        // After a pause for failures the first failure ends the trial: nothing hammers GitHub meanwhile.
        let mut retries = if self.limits.is_half_open() { 0 } else { self.retries };
        let outcome = loop {
            let outcome = self.attempt(url, etag, point.take()).await;
            match &outcome {
                Err(error) if error.is_retryable() && retries > 0 => retries -= 1,
                _ => break outcome,
            }
            tokio::time::sleep(RETRY_LEAST + self.ids.jitter(RETRY_SPREAD)).await;
        };
        self.limits.ended(outcome.as_ref().err());
        outcome
    }

    /// One request, once it has a point and its turn has come and no back-off holds.
    async fn attempt<T: DeserializeOwned>(
        &self,
        url: &Url,
        etag: Option<&ETag>,
        point: Option<Point>,
    ) -> Result<Reply<T>, Error> {
        let point = match point {
            Some(point) => point,
            None => self.limits.wait().await.map_err(Error::Backoff)?,
        };
        // Never an error: the semaphore is never closed.
        let _permit = self.permits.acquire().await;
        self.limits.standing().map_err(Error::Backoff)?;
        point.spend();
        let answer = self.exchange(url, etag).await?;
        if let Some(quota) = answer.quota() {
            self.limits.note(quota);
        }
        match judge(&answer) {
            Verdict::Whole => self.here(&answer, url, Some(answer.json()?)),
            Verdict::NotModified if etag.is_some() => self.here(&answer, url, None),
            Verdict::NotModified => Err(Error::Unexpected { status: 304 }),
            Verdict::Elsewhere => answer.location(url).map(Reply::Elsewhere).ok_or(Error::Malformed),
            Verdict::TurnedAway(refusal) => Err(self.limits.turned_away(refusal)),
            Verdict::Failed(error) => Err(error),
        }
    }

    fn here<T>(&self, answer: &Answer, url: &Url, content: Option<T>) -> Result<Reply<T>, Error> {
        Ok(Reply::Here(Fetched {
            content,
            etag: answer.etag(),
            next: link::next(&answer.headers, url)?,
            at: answer.date().unwrap_or_else(|| self.clock.now()),
            moved: false,
        }))
    }

    /// Out and back, with a line in the log that holds neither token nor body.
    async fn exchange(&self, url: &Url, etag: Option<&ETag>) -> Result<Answer, Error> {
        let began = Instant::now();
        let outcome = self.send(url, etag).await;
        tracing::debug!(
            method = "GET",
            path = url.path(),
            conditional = etag.is_some(),
            status = outcome.as_ref().ok().map(|answer| answer.status.as_u16()),
            error = outcome.as_ref().err().map(tracing::field::display),
            ms = began.elapsed().as_millis(),
            points_left = self.limits.points_left(),
            "asked GitHub"
        );
        outcome
    }

    async fn send(&self, url: &Url, etag: Option<&ETag>) -> Result<Answer, Error> {
        let mut request = self.http.get(url.clone()).header("x-github-api-version", VERSION);
        if let Some(shown) = &self.auth.present().header {
            request = request.header(AUTHORIZATION, shown);
        }
        if let Some(ETag(tag)) = etag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = request.send().await.map_err(|error| fault(&error, Error::ConnectionLost))?;
        receive(response).await
    }
}

async fn receive(mut response: Response) -> Result<Answer, Error> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let body = match read(response).await {
        Ok(body) => body,
        // The status says more than the body would.
        Err(_) if status.is_server_error() => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(Answer { status, headers, body })
}

async fn read(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error, Error::Cut))? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err(Error::Malformed);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What a fault of the connection means at the stage that `otherwise` belongs to.
fn fault(error: &reqwest::Error, otherwise: Error) -> Error {
    tracing::debug!(?error, "a request to GitHub broke off");
    if error.is_timeout() { Error::TimedOut } else { otherwise }
}
