//! Claims through the front door (`design.md` section 3, `contract/agents.md` 7).

#[path = "../support/mod.rs"]
mod support;

mod crash;
mod field;
mod grant;
mod lease;
mod matrix;
mod outbox;
mod race;
