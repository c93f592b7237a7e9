//! Agreement with GitHub's own description of its API: what Dispatch's client sends, and what the simulator
//! answers. `scripts/test` fetches the description; without it these tests fail, and never skip.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod check;
mod client;
mod controls;
mod description;
mod exceptions;
mod hooked;
mod repair;
mod script;
mod told;

use github_sim::{Exchange, Operation};

/// The operation of an exchange.
#[track_caller]
fn operation(exchange: &Exchange) -> Operation {
    let found = github_sim::operations().find(|operation| operation.kind == exchange.kind);
    found.unwrap_or_else(|| panic!("{} {} is no operation", exchange.method, exchange.path))
}
