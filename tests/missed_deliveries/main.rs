//! Webhooks at GitHub: set up through the front door, and made up for where their deliveries did not come.

#[path = "../support/mod.rs"]
mod support;

mod hooked;
mod looks;
mod setup;
mod stretch;
