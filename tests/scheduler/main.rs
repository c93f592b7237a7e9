//! What runs by itself: when, on which process, and at what cost.

#[path = "../support/mod.rs"]
mod support;

mod drive;
mod jobs;
mod lead;
mod locks;
mod processes;
mod verbs;

const API: &str = "acme/api";
