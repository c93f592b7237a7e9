//! The outbox through the front door (`design.md` section 3): every kind of write, every way in which it can fail.

#[path = "../support/mod.rs"]
mod support;

mod burst;
mod crash;
mod done;
mod failures;
mod field;
mod lost;
mod operate;
mod order;
mod overlay;
mod tries;
