//! A listener that hears events as a browser would.

use std::time::Duration;

use serde_json::Value;

use crate::support::{App, MAINTAINER};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One event.
#[derive(Clone, Debug)]
pub struct Heard {
    pub name: String,
    pub data: Value,
}

/// A stream that is being read.
pub struct Ear {
    response: reqwest::Response,
    text: String,
    /// The id to come back with.
    pub last: String,
}

impl Ear {
    /// Begins to listen, and hears the first event.
    pub async fn open(app: &App, query: &str) -> (Self, Heard) {
        Self::with(app, query, MAINTAINER, None).await
    }

    /// Comes back.
    pub async fn back(app: &App, query: &str, last: &str) -> (Self, Heard) {
        Self::with(app, query, MAINTAINER, Some(last)).await
    }

    pub async fn with(app: &App, query: &str, token: &str, last: Option<&str>) -> (Self, Heard) {
        let request = app.request("GET", &format!("/api/events?{query}"), token);
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut ear = Self { response, text: String::new(), last: String::new() };
        let first = ear.next().await.expect("a first event");
        (ear, first)
    }

    /// The next event; nothing when the stream ends.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
                };
                if let Some(id) = field("id") {
                    self.last = id;
                }
                let Some(data) = field("data") else { continue };
                let data = serde_json::from_str(&data).expect("JSON");
                return Some(Heard { name: field("event").expect("a name"), data });
            }
            let piece =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("an event in time");
            let piece = piece.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
        }
    }

    /// What comes until `is_it`, that included.
    pub async fn until(&mut self, what: &str, is_it: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let mut heard = Vec::new();
        loop {
            let next = tokio::time::timeout(PATIENCE, self.next()).await;
            let Ok(Some(next)) = next else { panic!("no {what} was heard, but {heard:#?}") };
            heard.push(next);
            if is_it(&heard[heard.len() - 1]) {
                return heard;
            }
        }
    }

    /// What comes until an event of this kind.
    pub async fn until_kind(&mut self, kind: &str) -> Vec<Heard> {
        self.until(kind, |heard| heard.name == kind).await
    }
}
