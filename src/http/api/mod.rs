//! The JSON API, one file per resource: bodies, handlers, and what they refuse.

#![expect(unused_qualifications, reason = "`utoipa::path` writes whole paths to the types of parameters")]

pub mod actions;
pub mod active_work;
pub mod assignments;
pub mod audit;
pub mod automation;
pub mod ci_failures;
pub mod claims;
pub mod deliveries;
pub mod events;
pub mod grooming;
pub mod health;
pub mod heartbeat;
pub mod hooks;
pub mod issues;
pub mod lanes;
pub mod login_links;
pub mod metrics;
pub mod operators;
pub mod outbox;
pub mod pr_fix;
pub mod pr_fix_changes;
pub mod pr_fix_handouts;
pub mod pr_followup;
pub mod pr_health;
pub mod pr_reconcile;
pub mod queue;
pub mod reports;
pub mod repos;
pub mod runs;
pub mod sync;
pub mod tokens;
pub mod triage;
pub mod webhook;
pub mod why;
pub mod work;
