//! What is counted and timed: plain meters that every layer may hold and none needs. Nothing here asks anybody, and no
//! label names an issue or an agent: there would be no end to them.

mod gauges;
mod meters;

use std::time::Duration;

use tokio::time::Instant;

pub use gauges::Gauges;
pub use meters::{Access, Database, GitHub, Heartbeats, Http, Jobs, Meters, Step, Webhooks};

/// How long something takes, by the machine's steady clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
