//! The queue through the front door (`contract/agents.md` 3, 5 and 8, `design.md` section 4).

#[path = "../support/mod.rs"]
mod support;

mod dependencies;
mod field;
mod filters;
mod lanes;
mod native;
mod order;
mod polls;
mod property;
mod wants;
mod why;
