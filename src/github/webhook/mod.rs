//! What GitHub sends by itself: whether it is GitHub who sent it, and what it says.

mod payload;
mod pulls;
mod signature;
#[cfg(test)]
mod tests;

pub use payload::{Payload, PayloadRepo, Said, Unreadable, event_name, read};
pub use signature::{Secrets, SecretsFault};
