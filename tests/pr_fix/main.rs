//! The PR-fix queue through the front door (`contract/agents.md` sections 3, 4.2, 5 and 10, `design.md` section 4).

#[path = "../support/mod.rs"]
mod support;

mod ack;
mod call;
mod closed;
mod crash;
mod enqueue;
mod field;
mod handout;
mod lists;
mod mark;
mod model;
mod queue;
mod race;
mod refusals;
mod refused;
mod reports;
mod requeue;
mod sweep;
mod waiting;
