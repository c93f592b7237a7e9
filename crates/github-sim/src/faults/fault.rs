//! What can go wrong with a request.

use std::time::Duration;

use super::Match;

/// The ways a request can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// This status with a body like GitHub's; nothing takes effect.
    Status(u16),
    /// This status with exactly this body; nothing takes effect.
    StatusWithBody(u16, String),
    /// The request is read and never answered; nothing takes effect.
    Hang,
    /// The connection is reset without a byte; nothing takes effect.
    Reset,
    /// The headers promise the whole body, half of it comes, then the connection ends.
    Truncate,
    /// 200 with JSON of another shape; nothing takes effect.
    WrongJson,
    /// 200 with an HTML page; nothing takes effect.
    NotJson,
    /// The answer's body trickles.
    SlowBody {
        /// Bytes at a time.
        chunk: usize,
        /// Pause before each.
        every: Duration,
    },
    /// The effect happens at once, the answer is late.
    Delay(Duration),
    /// The effect happens at once, the answer comes when the fault is cleared.
    Held,
    /// The effect happens, then the connection ends without an answer.
    LostAnswer,
    /// 403 with `x-ratelimit-remaining: 0`, whatever the token really has left.
    PrimaryLimit,
    /// A secondary limit: 403 or 429, with or without `Retry-After`.
    SecondaryLimit {
        /// 403 or 429.
        status: u16,
        /// Seconds, when the header is sent.
        retry_after: Option<u64>,
    },
    /// 401, as for a revoked token.
    BadCredentials,
    /// 403 "Resource not accessible by personal access token".
    Forbidden,
    /// 301 to this address.
    RedirectElsewhere(String),
}

/// A fault and the requests it befalls: every matching one, unless told otherwise.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) on: Match,
    pub(crate) times: Option<u32>,
    pub(crate) after: u32,
}

impl Fault {
    /// A fault that befalls every request.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, on: Match::any(), times: None, after: 0 }
    }

    /// Only requests that match.
    #[must_use]
    pub fn on(mut self, on: Match) -> Self {
        self.on = on;
        self
    }

    /// At most so often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(mut self, skipped: u32) -> Self {
        self.after = skipped;
        self
    }
}

/// Names a fault that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(pub(crate) u64);
