//! Webhooks at GitHub: set up through the front door, and made up for where their deliveries did not come.

#[path = "../support/mod.rs"]
mod support;

mod flood;
mod hooked;
mod looks;
mod pulls;
mod setup;
mod stretch;
