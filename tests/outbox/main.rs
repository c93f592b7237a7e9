//! The outbox through the front door (`design.md` section 3): every kind of write, every way in which it can fail.

#[path = "../support/mod.rs"]
mod support;

mod field;
mod lost;
mod overlay;
