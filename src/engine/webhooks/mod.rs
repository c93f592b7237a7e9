//! Webhooks: a delivery is stored when it comes, and applied in the background, each GUID once. What was stored and not
//! applied when a process ended is applied by the next one.

mod apply;
mod inbox;
mod issues;
mod looks;
mod operate;
mod receive;

use tokio::sync::Notify;

pub use operate::retry;
pub use receive::{Incoming, Receipt, Received, Refusal, receive};

use super::Engine;
use crate::github::webhook::{self, Secrets};

/// Whose deliveries are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// Nobody's.
    #[default]
    Closed,
    /// Those that are signed with one of these.
    Signed(Secrets),
    /// Those of a gateway that has checked the signature itself, and shows a maintainer's token.
    Gateway,
}

/// What this process has under way.
#[derive(Debug, Default)]
pub struct Webhooks {
    inbox: inbox::Inbox,
    looks: looks::Looks,
    arrived: Notify,
}

/// Starts applying; the first thing is what earlier processes left.
pub fn start(engine: &Engine) {
    let applying = engine.clone();
    engine.tasks.spawn(async move { apply::run(applying).await });
}

/// Something may be due: what waited for another try, or what another process left.
pub fn wake(engine: &Engine) {
    engine.webhooks.arrived.notify_one();
}

/// The event as metrics name it.
pub fn event_name(event: &str) -> &'static str {
    webhook::event_name(event)
}
