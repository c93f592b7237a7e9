//! The words and rules of Dispatch: plain values and plain functions, no async, no IO.

pub mod access;
pub mod address;
pub mod audit;
pub mod ci_failure;
pub mod claim;
pub mod dependencies;
pub mod digest;
pub mod event;
pub mod grooming;
pub mod heartbeat;
pub mod ids;
pub mod issue;
pub mod labels;
pub mod lane;
pub mod notice;
pub mod outbox;
pub mod page;
pub mod place;
pub mod pr_fix;
pub mod queue;
pub mod repo;
pub mod report;
pub mod run;
mod subject;
pub mod task;
pub mod time;
pub mod version;
