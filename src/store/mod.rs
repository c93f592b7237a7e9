//! SQL and nothing else: each function is one use of a table and takes the transaction it belongs to.
//!
//! The house subset of SQL that both databases accept is written down in `ARCHITECTURE.md`.

pub mod activity;
pub mod agents;
pub mod audit;
pub mod backup;
pub mod board;
pub mod changes;
pub mod ci_failures;
pub mod claimed;
pub mod claims;
pub mod conditional;
pub mod db;
pub mod deliveries;
pub mod dependencies;
pub mod examine;
mod fault;
pub mod fleet;
pub mod followed;
pub mod gauges;
pub mod hints;
pub mod hooks;
pub mod idempotency;
pub mod instances;
pub mod issue_facts;
pub mod issue_list;
pub mod issues;
pub mod label_edits;
pub mod lanes;
pub mod leases;
pub mod migrate;
pub mod notify;
pub mod outbox;
pub mod outbox_fields;
pub mod outbox_list;
pub mod outbox_pulls;
pub mod overview;
pub mod pr_fix;
pub mod pr_fix_notes;
pub mod pull_health;
pub mod pull_links;
pub mod pulls;
pub mod queue;
pub mod reads;
pub mod repo_list;
pub mod reports;
pub mod repos;
pub mod runs;
pub mod said;
pub mod sessions;
pub mod sync_state;
pub mod timeline;
pub mod tokens;
pub mod turns;
pub mod work;

pub use db::{Db, Error, ReadTx, Result, WriteTx};
