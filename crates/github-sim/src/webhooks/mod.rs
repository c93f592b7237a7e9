//! Webhooks: what changes is told to those who asked for it (docs.github.com/webhooks).
//!
//! A change of the state makes its payloads at once, while the state is what they tell; the courier sends
//! them afterwards, over real HTTP, so that nobody who changes something waits for who listens.

mod book;
mod courier;
mod delivery;
mod faults;
mod hook;
mod telling;

pub use delivery::WebhookDelivery;
pub use faults::{WebhookCounters, WebhookFaults};

pub(crate) use book::{Next, Webhooks};
pub(crate) use courier::run;
pub(crate) use delivery::{Delivery, Outcome, Parcel};
pub(crate) use hook::{ContentType, Hook, Listener};
