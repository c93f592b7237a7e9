//! What can be chosen when a simulator starts.

use std::time::Duration;

use crate::clock::Clock;

/// Settings of one simulator; the defaults are the limits GitHub documents.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Everything made up (tokens, seeded issues) follows from this number.
    pub seed: u64,
    /// Waited before each answer leaves; changeable later with `Sim::set_latency`.
    pub latency: Duration,
    /// Stamps changes and runs the limits' windows.
    pub clock: Clock,
    /// Primary limit of a token or installation per hour; `None` is unlimited.
    pub hourly_quota: Option<u32>,
    /// Primary limit of requests without credentials, per address and hour.
    pub anonymous_quota: u32,
    /// Secondary limit: a read is 1 point, a write 5; `None` is unlimited.
    pub points_per_minute: Option<u32>,
    /// Secondary limit on requests under way at once per token; `None` is unlimited.
    pub max_concurrent: Option<u32>,
    /// Secondary limit on new issues and comments per minute; `None` is unlimited.
    pub content_per_minute: Option<u32>,
    /// Secondary limit on new issues and comments per hour; `None` is unlimited.
    pub content_per_hour: Option<u32>,
    /// Whether `since` also returns what changed exactly at that second.
    pub since_inclusive: bool,
    /// Whether `Link` spells a repository as `/repositories/{id}`, as GitHub does.
    pub repository_urls_in_links: bool,
    /// A result set larger than this pages by opaque cursors instead of page numbers.
    pub cursor_links_over: usize,
    /// Base of every `html_url`.
    pub html_url: String,
    /// Whether `Sim::exchanges` keeps every request and its answer, bodies included.
    pub keep_exchanges: bool,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            latency: Duration::ZERO,
            clock: Clock::System,
            hourly_quota: Some(5_000),
            anonymous_quota: 60,
            points_per_minute: Some(900),
            max_concurrent: Some(100),
            content_per_minute: Some(80),
            content_per_hour: Some(500),
            since_inclusive: true,
            repository_urls_in_links: true,
            cursor_links_over: 10_000,
            html_url: "https://github.com".to_owned(),
            keep_exchanges: false,
        }
    }
}

impl SimConfig {
    /// The same settings with every limit off, for measurements.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.hourly_quota = None;
        self.anonymous_quota = u32::MAX;
        self.points_per_minute = None;
        self.max_concurrent = None;
        self.content_per_minute = None;
        self.content_per_hour = None;
        self
    }
}
