//! What was asked of the simulator and what it cost, so that a test can say "cost 0".

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::Serialize;

use crate::limits::Refusal;

/// Requests remembered at most; older ones are forgotten first.
const MOST_REQUESTS: usize = 100_000;

/// Sums over all requests since the start or the last reset; the control API takes no part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests received.
    pub requests: u64,
    /// Requests that spent primary quota.
    pub paid: u64,
    /// Answers 304.
    pub not_modified: u64,
    /// POST, PATCH, PUT and DELETE received, whatever came of them.
    pub writes: u64,
    /// Requests without credentials.
    pub anonymous: u64,
    /// Requests by kind, such as `issues.list`.
    pub by_kind: BTreeMap<String, u64>,
    /// Answers by status; 0 counts requests that got none.
    pub by_status: BTreeMap<u16, u64>,
    /// Bytes of answer bodies.
    pub body_bytes: u64,
    /// Primary quota spent, over all tokens.
    pub quota_spent: u64,
    /// Answers that said the primary limit is reached.
    pub primary_limited: u64,
    /// Answers that said a secondary limit is reached.
    pub secondary_limited: u64,
    /// Most requests under way at once.
    pub max_in_flight: u64,
}

/// One received request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestLog {
    /// When it was decided, by the simulator's clock.
    pub at_ms: i64,
    /// HTTP method.
    pub method: String,
    /// As it was sent.
    pub path_and_query: String,
    /// Status of the answer; 0 if there was none.
    pub status: u16,
    /// Such as `issues.list`.
    pub kind: &'static str,
    /// Whether it had `If-None-Match`.
    pub conditional: bool,
    /// The `User-Agent` header.
    pub agent: String,
    /// Repository by its current name, or as asked for where there is none.
    pub repo: Option<String>,
}

/// One request and the answer that was sent, bodies included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Such as `issues.list`.
    pub kind: &'static str,
    /// HTTP method.
    pub method: String,
    /// As it was sent.
    pub path: String,
    /// As it was sent; empty if there was none.
    pub query: String,
    /// Names in lower case; of `authorization` only the scheme.
    pub headers: Vec<(String, String)>,
    /// What the client sent.
    pub body: Bytes,
    /// Status of the answer.
    pub status: u16,
    /// Names in lower case.
    pub answer_headers: Vec<(String, String)>,
    /// What was sent back; nothing to HEAD.
    pub answer: Bytes,
}

/// How one request went, beside its log entry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub cost: u64,
    pub body_bytes: usize,
    pub is_write: bool,
    pub is_anonymous: bool,
    pub refusal: Option<Refusal>,
}

/// Counters and log.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    counters: Counters,
    requests: VecDeque<RequestLog>,
    exchanges: Vec<Exchange>,
    in_flight: u64,
}

impl Journal {
    pub fn enter(&mut self) {
        self.in_flight += 1;
        let most = &mut self.counters.max_in_flight;
        *most = (*most).max(self.in_flight);
    }

    pub fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub fn record(&mut self, log: RequestLog, outcome: Outcome) {
        let sums = &mut self.counters;
        sums.requests += 1;
        sums.paid += u64::from(outcome.cost > 0);
        sums.quota_spent += outcome.cost;
        sums.not_modified += u64::from(log.status == 304);
        sums.writes += u64::from(outcome.is_write);
        sums.anonymous += u64::from(outcome.is_anonymous);
        sums.body_bytes += outcome.body_bytes as u64;
        sums.primary_limited += u64::from(outcome.refusal == Some(Refusal::Primary));
        sums.secondary_limited += u64::from(outcome.refusal == Some(Refusal::Secondary));
        *sums.by_status.entry(log.status).or_default() += 1;
        match sums.by_kind.get_mut(log.kind) {
            Some(count) => *count += 1,
            None => {
                sums.by_kind.insert(log.kind.to_owned(), 1);
            }
        }
        if self.requests.len() == MOST_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(log);
    }

    pub fn keep(&mut self, exchange: Exchange) {
        self.exchanges.push(exchange);
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.clone()
    }

    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    pub fn requests(&self) -> Vec<RequestLog> {
        self.requests.iter().cloned().collect()
    }

    /// Starts again from zero, but for what is under way.
    pub fn reset(&mut self) {
        self.counters = Counters { max_in_flight: self.in_flight, ..Counters::default() };
        self.requests.clear();
        self.exchanges.clear();
    }
}
