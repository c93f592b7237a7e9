//! A plain client that follows nothing and hides nothing.

use std::time::Duration;

use github_sim::{Clock, ManualClock, Sim, SimConfig};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// 2026-01-01T00:00:00Z
pub const NEW_YEAR: i64 = 1_767_225_600;

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON body")
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{name}"));
        value.to_str().expect("a header in text")
    }

    pub fn number(&self, name: &str) -> i64 {
        self.header(name).parse().expect("a number")
    }

    pub fn etag(&self) -> String {
        self.header("etag").to_owned()
    }

    pub fn message(&self) -> String {
        let json = self.json();
        json["message"].as_str().expect("a message").to_owned()
    }

    pub fn numbers(&self) -> Vec<u64> {
        let json = self.json();
        let items = json.as_array().expect("a list");
        items.iter().filter_map(|it| it["number"].as_u64()).collect()
    }

    /// The URL of a relation in `Link`.
    pub fn link(&self, relation: &str) -> Option<String> {
        let links = self.headers.get("link")?.to_str().ok()?;
        let wanted = format!("rel=\"{relation}\"");
        let link = links.split(", ").find(|link| link.ends_with(&wanted))?;
        let url = link.strip_prefix('<')?.split_once('>')?.0;
        Some(url.to_owned())
    }
}

/// A client with a token, or without.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client,
    base: String,
    token: Option<String>,
}

impl Caller {
    pub fn of(sim: &Sim) -> Self {
        Self::with(sim, Some(sim.token()))
    }

    pub fn anonymous(sim: &Sim) -> Self {
        Self::with(sim, None)
    }

    pub fn with(sim: &Sim, token: Option<String>) -> Self {
        // reqwest wants a provider even for plain http; another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent("test")
            .redirect(Policy::none())
            .timeout(Duration::from_secs(10))
            .build()
            .expect("a client");
        Self { client, base: sim.url(), token }
    }

    /// A request to a path, or to a whole URL as `Link` and `Location` give it.
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        let url =
            if target.starts_with("http") { target.to_owned() } else { format!("{}{target}", self.base) };
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, target: &str) -> Answer {
        send(self.request(Method::GET, target)).await
    }

    pub async fn get_if_none_match(&self, target: &str, etag: &str) -> Answer {
        let header = HeaderName::from_static("if-none-match");
        send(self.request(Method::GET, target).header(header, etag)).await
    }

    pub async fn send(&self, method: Method, target: &str, body: &Value) -> Answer {
        send(self.request(method, target).json(body)).await
    }

    pub async fn post(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::POST, target, body).await
    }

    pub async fn patch(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, target, body).await
    }

    pub async fn put(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::PUT, target, body).await
    }

    pub async fn delete(&self, target: &str) -> Answer {
        send(self.request(Method::DELETE, target)).await
    }

    /// Every number of a list, following `next` to its end; the second is the requests made.
    pub async fn numbers_of_all_pages(&self, target: &str) -> (Vec<u64>, usize) {
        let mut next = Some(target.to_owned());
        let (mut numbers, mut pages) = (Vec::new(), 0);
        while let Some(target) = next {
            let answer = self.get(&target).await;
            assert_eq!(answer.status, 200, "{target}: {}", answer.text);
            numbers.extend(answer.numbers());
            pages += 1;
            next = answer.link("next");
        }
        (numbers, pages)
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.expect("an answer")
}

pub async fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await?,
    })
}

/// A simulator whose clock stands at New Year.
pub async fn at_new_year() -> (Sim, ManualClock) {
    at_new_year_with(SimConfig::default()).await
}

pub async fn at_new_year_with(config: SimConfig) -> (Sim, ManualClock) {
    let clock = ManualClock::new(NEW_YEAR * 1_000);
    let sim = Sim::start_with(SimConfig { clock: Clock::Manual(clock.clone()), ..config }).await;
    (sim, clock)
}
