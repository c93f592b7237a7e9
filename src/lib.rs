//! Dispatch turns GitHub issues into claimable work for coding agents and keeps the record.
//!
//! Modules are layers. Who may use whom (guarded by `tests/architecture`):
//!
//! ```text
//! main -> cli -> {http, scheduler} -> engine -> {store, github} -> domain
//! ```
//!
//! `store` and `github` do not see each other. `http` reads through `store` for lists and writes only
//! through `engine`. `clock` and `metrics` stand below the others; `config` is read by `cli` alone.

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod github;
pub mod http;
pub mod metrics;
pub mod scheduler;
pub mod store;
