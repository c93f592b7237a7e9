//! What every test of the running product needs: a real server on a free port over a real database, with
//! the simulated GitHub behind it.

#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    clippy::disallowed_types,
    clippy::unused_async,
    reason = "each test file uses its own part of the support"
)]

pub mod answers;
pub mod app;
pub mod child;
pub mod database;
pub mod pulls;
pub mod spec;
pub mod table;
pub mod world;

pub use answers::Answer;
pub use app::{App, AppBuilder};
pub use database::TestDb;

/// The token of the maintainer in all tests; no log or answer may ever hold it.
pub const MAINTAINER: &str = "maintainer-secret-5e0f";
/// A worker token bound to the agent `bound`.
pub const BOUND: &str = "bound-secret-77ab";
/// The legacy worker token, bound to nobody.
pub const UNBOUND: &str = "unbound-secret-91cd";
/// The time at which manual clocks start: 2026-01-01T00:00:00Z.
pub const START_MS: i64 = 1_767_225_600_000;

/// Runs each test on both databases. A missing PostgreSQL fails the test, never skips it.
#[macro_export]
macro_rules! each_db {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident) $body:block)+) => {
        mod sqlite {
            use super::*;
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                let $db = $crate::support::TestDb::sqlite().await;
                $body
            })+
        }
        mod postgres {
            use super::*;
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                let $db = $crate::support::TestDb::postgres().await;
                $body
            })+
        }
    };
}
