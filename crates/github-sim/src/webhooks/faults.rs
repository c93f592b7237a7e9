//! What may go wrong with deliveries, by chance that a seed repeats.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How deliveries go astray; the default is that none does. Redeliveries and pings are not touched by chance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookFaults {
    /// The same seed loses the same deliveries.
    pub seed: u64,
    /// Share, from 0 to 1, that never arrives; the list of deliveries shows each as failed.
    pub lost: f64,
    /// Share that comes twice, as the same delivery.
    pub doubled: f64,
    /// Share that others overtake, up to eight of them.
    pub reordered: f64,
    /// How long one waits to be overtaken when nothing else comes.
    #[serde(rename = "patience_ms", deserialize_with = "millis")]
    pub patience: Duration,
    /// Waited before each is sent.
    #[serde(rename = "delay_ms", deserialize_with = "millis")]
    pub delay: Duration,
    /// Most under way at once; with one they arrive in the order of what happened.
    pub at_once: usize,
}

impl Default for WebhookFaults {
    fn default() -> Self {
        Self {
            seed: 1,
            lost: 0.0,
            doubled: 0.0,
            reordered: 0.0,
            patience: Duration::from_millis(100),
            delay: Duration::ZERO,
            at_once: 1,
        }
    }
}

fn millis<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    Ok(Duration::from_millis(u64::deserialize(value)?))
}

/// What became of the deliveries since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WebhookCounters {
    /// Events that were told to somebody, pings included; each has a GUID of its own.
    pub events: u64,
    /// Deliveries that are or were to be sent, redeliveries included; an event that two hooks hear makes two.
    pub deliveries: u64,
    /// Requests that went out.
    pub sent: u64,
    /// Deliveries answered with 2xx.
    pub accepted: u64,
    /// Deliveries answered otherwise, or not at all, without those lost by a fault.
    pub failed: u64,
    /// Deliveries lost by a fault.
    pub lost: u64,
    /// Deliveries sent twice by a fault.
    pub doubled: u64,
    /// Deliveries overtaken by a fault.
    pub reordered: u64,
    /// Deliveries that were asked for again.
    pub redeliveries: u64,
    /// Deliveries that are not sent yet, or not answered.
    pub waiting: u64,
}
