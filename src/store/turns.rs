//! Turns: of transactions whose rows would lock each other out, one runs at a time, in whichever process.

use crate::store::{Result, WriteTx, db::Dialect};

/// What only one transaction does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Changing who waits for whom: of two that do at once, neither would see what the other did.
    Dependencies,
    /// Forgetting what is old: issues are named by runs, claims and decisions, which are forgotten in an order of
    /// their own.
    Forgetting,
}

impl Turn {
    /// Numbers of ours, which mean nothing.
    const fn lock(self) -> &'static str {
        match self {
            Self::Dependencies => "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7216405)) AS held",
            Self::Forgetting => "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7216406)) AS held",
        }
    }
}

/// Waits for its turn, which lasts until the transaction ends. SQLite has one writer anyway.
pub async fn take(tx: &mut WriteTx, turn: Turn) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        let _: (i32,) = tx.query(turn.lock()).fetch_one().await?;
    }
    Ok(())
}
