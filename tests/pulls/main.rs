//! Pull requests through the front door: which issues they are about, how they fare, and what agents are given
//! (`contract/agents.md` 3.2 to 3.4, `contract/operations.md` 1.8 and 3.11).

#[path = "../support/mod.rs"]
mod support;

mod cost;
mod course;
mod field;
mod health;
mod heard;
mod links;
mod refresh;
mod tasks;
