//! What operators do to issues, through the front door (`contract/operations.md` 1.9, 1.10 and 3.3 to 3.9).

#[path = "../support/mod.rs"]
mod support;

mod assignments;
mod comments;
mod failures;
mod field;
mod grooming;
mod labels;
mod lists;
mod moves;
mod races;
mod refusals;
mod stale;
