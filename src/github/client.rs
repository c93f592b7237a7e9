//! How a GET goes out and comes back: its turn, its point, its credentials, retries and redirects.

use std::time::Duration;

use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, IF_NONE_MATCH},
    redirect,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::{
    answer::Answer,
    auth::{Auth, Shown},
    error::Error,
    kind::{kind, result},
    limits::{Limits, Point},
    link::{self, NextLink},
    settings::{Settings, StartError},
    verdict::{Verdict, judge},
};
use crate::{
    clock::{Clock, Ids},
    domain::{address::is_loopback, ids::TokenId, repo::ETag, time::Timestamp},
    metrics::{self, Stopwatch},
};

/// The media type and version that every request asks for (docs.github.com/rest/about-the-rest-api/api-versions).
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.github+json");
pub(super) const VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

/// So many redirects are followed.
pub(super) const HOPS_MAX: usize = 3;

/// The most bytes of an answer, unpacked; a page of 100 issues with the longest bodies has about 7 MiB.
const BODY_MAX: usize = 32 * 1024 * 1024;

/// A retry waits at least this long, and up to [`RETRY_SPREAD`] longer.
const RETRY_LEAST: Duration = Duration::from_millis(100);
const RETRY_SPREAD: Duration = Duration::from_millis(300);

/// Sends requests for one set of credentials: a token, an installation of an App, or nobody.
pub(super) struct Client {
    pub http: reqwest::Client,
    pub auth: Auth,
    /// Where there are several.
    pub name: Option<String>,
    pub limits: Limits,
    pub clock: Clock,
    pub(super) api: Url,
    pub(super) permits: Semaphore,
    pub(super) traffic: metrics::GitHub,
    retries: u32,
    ids: Ids,
}

/// An `ETag` and the token that it was given out to; with another it is worth nothing.
pub type Validator = (ETag, TokenId);

/// What was asked for, and what came with it.
pub(super) struct Fetched<T> {
    pub content: T,
    pub etag: Option<Validator>,
    pub next: Option<NextLink>,
    pub at: Timestamp,
    /// A redirect led there.
    pub moved: bool,
}

/// An answer, and what was shown for it.
struct Asked {
    answer: Answer,
    token: TokenId,
    conditional: bool,
}

/// One answer that is no error.
enum Reply<T> {
    Here(Fetched<Option<T>>),
    Elsewhere(Url),
}

/// The connections, which all clients share.
pub(super) fn connect(settings: &Settings) -> Result<reqwest::Client, StartError> {
    // An error means that somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        .default_headers(HeaderMap::from_iter([(ACCEPT, MEDIA_TYPE)]))
        .timeout(settings.request_timeout)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never());
    // A proxy (HTTPS_PROXY) does not lead to a simulator on this machine.
    let http = if is_loopback(&settings.api_url) { http.no_proxy() } else { http };
    http.build().map_err(StartError::Client)
}

impl Client {
    pub fn new(
        settings: &Settings,
        http: reqwest::Client,
        auth: Auth,
        name: Option<String>,
        clock: Clock,
        ids: Ids,
    ) -> Self {
        Self {
            http,
            auth,
            limits: Limits::new(settings.points_per_minute, clock.clone(), name.clone()),
            name,
            permits: Semaphore::new(settings.concurrency),
            api: settings.api_url.clone(),
            traffic: metrics::GitHub::default(),
            retries: settings.retries,
            clock,
            ids,
        }
    }

    /// Its turn among the requests under way at once; never an error, as the semaphore is never closed.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
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

    /// Asks for what is there unless it is what `held` stands for; the first request uses `point`.
    pub async fn get_if_changed<T: DeserializeOwned>(
        &self,
        url: Url,
        held: Option<&Validator>,
        point: Point,
    ) -> Result<Fetched<Option<T>>, Error> {
        self.follow(url, held, Some(point)).await
    }

    /// Where GitHub sends whoever asks for that. It is no place for our token.
    pub async fn pointed_to(&self, url: &Url) -> Result<Option<Url>, Error> {
        match self.settle::<Value>(url, None, None).await? {
            Reply::Elsewhere(to) => Ok(Some(to)),
            Reply::Here(_) => Ok(None),
        }
    }

    /// Goes where redirects lead, as long as that is the API's own host; without a point the first request waits for one.
    pub(super) async fn follow<T: DeserializeOwned>(
        &self,
        mut url: Url,
        held: Option<&Validator>,
        mut point: Option<Point>,
    ) -> Result<Fetched<Option<T>>, Error> {
        for hop in 0..=HOPS_MAX {
            // Anywhere else the token would be told to a stranger.
            if url.origin() != self.api.origin() {
                return Err(Error::RedirectRefused);
            }
            match self.settle(&url, held, point.take()).await? {
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
        held: Option<&Validator>,
        mut point: Option<Point>,
    ) -> Result<Reply<T>, Error> {
        // After a pause for failures the first failure ends the trial: nothing hammers GitHub meanwhile.
        let mut retries = if self.limits.is_half_open() { 0 } else { self.retries };
        let outcome = loop {
            let outcome = self.attempt(url, held, point.take()).await;
            match &outcome {
                Err(error) if error.is_retryable() && retries > 0 => retries -= 1,
                _ => break outcome,
            }
            tokio::time::sleep(RETRY_LEAST + self.ids.jitter(RETRY_SPREAD)).await;
        };
        self.limits.ended(outcome.as_ref().err());
        outcome
    }

    /// One request or, where a token was refused that should be good, a second one with a new token.
    async fn attempt<T: DeserializeOwned>(
        &self,
        url: &Url,
        held: Option<&Validator>,
        point: Option<Point>,
    ) -> Result<Reply<T>, Error> {
        let mut asked = self.ask(url, held, point).await?;
        if asked.answer.status == StatusCode::UNAUTHORIZED && self.auth.give_up(&asked.token) {
            asked = self.ask(url, held, None).await?;
        }
        let Asked { answer, token, conditional } = asked;
        match judge(&answer) {
            Verdict::Whole => self.here(&answer, url, token, Some(answer.json()?)),
            Verdict::NotModified if conditional => self.here(&answer, url, token, None),
            Verdict::NotModified => Err(Error::Unexpected { status: 304 }),
            Verdict::Elsewhere => answer.location(url).map(Reply::Elsewhere).ok_or(Error::Malformed),
            Verdict::TurnedAway(refusal) => Err(self.limits.turned_away(refusal)),
            Verdict::Failed(error) => Err(error),
        }
    }

    /// Sends a request once it has a point, its turn has come, no back-off holds and its token is there.
    async fn ask(&self, url: &Url, held: Option<&Validator>, point: Option<Point>) -> Result<Asked, Error> {
        let point = match point {
            Some(point) => point,
            None => self.limits.wait().await.map_err(Error::Backoff)?,
        };
        let _permit = self.turn().await;
        self.limits.standing().map_err(Error::Backoff)?;
        let shown = self.present().await?;
        let etag = held.filter(|(_, token)| *token == shown.id).map(|(etag, _)| etag);
        point.spend();
        let answer = self.exchange(Method::GET, url, etag, None, &shown).await?;
        Ok(Asked { answer, token: shown.id, conditional: etag.is_some() })
    }

    fn here<T>(
        &self,
        answer: &Answer,
        url: &Url,
        token: TokenId,
        content: Option<T>,
    ) -> Result<Reply<T>, Error> {
        Ok(Reply::Here(Fetched {
            content,
            etag: answer.etag().map(|etag| (etag, token)),
            next: link::next(&answer.headers, url)?,
            at: answer.date().unwrap_or_else(|| self.clock.now()),
            moved: false,
        }))
    }

    /// Out and back, with a line in the log that holds neither token nor body.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: &Url,
        etag: Option<&ETag>,
        body: Option<&Value>,
        shown: &Shown,
    ) -> Result<Answer, Error> {
        let watch = Stopwatch::start();
        let outcome = self.send(method.clone(), url, etag, body, shown).await;
        if let Some(quota) = outcome.as_ref().ok().and_then(Answer::quota) {
            self.limits.note(quota);
        }
        self.traffic.asked(kind(&method, &self.api, url), result(&outcome), watch.elapsed());
        tracing::debug!(
            %method,
            path = url.path(),
            account = self.name,
            conditional = etag.is_some(),
            status = outcome.as_ref().ok().map(|answer| answer.status.as_u16()),
            error = outcome.as_ref().err().map(tracing::field::display),
            ms = watch.elapsed().as_millis(),
            points_left = self.limits.points_left(),
            "asked GitHub"
        );
        outcome
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        etag: Option<&ETag>,
        body: Option<&Value>,
        shown: &Shown,
    ) -> Result<Answer, Error> {
        let mut request = self.http.request(method, url.clone()).header("x-github-api-version", VERSION);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(header) = &shown.header {
            request = request.header(AUTHORIZATION, header);
        }
        if let Some(ETag(tag)) = etag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = request.send().await.map_err(|error| fault(&error, Error::ConnectionLost))?;
        receive(response).await
    }
}

/// Reads an answer to its end.
pub(super) async fn receive(mut response: Response) -> Result<Answer, Error> {
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
pub(super) fn fault(error: &reqwest::Error, otherwise: Error) -> Error {
    tracing::debug!(?error, "a request to GitHub broke off");
    if error.is_timeout() { Error::TimedOut } else { otherwise }
}
