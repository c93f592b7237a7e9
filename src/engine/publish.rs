//! The `publish` verb: sends pending writes to GitHub.

use super::Engine;
use crate::{domain::notice::Notice, store};

/// What was sent, and what waits.
#[derive(Debug, Default)]
pub struct Published {
    pub sent: u64,
    pub pending: u64,
    pub notices: Vec<Notice>,
}

/// Sends pending writes. There is no outbox yet, so it finds none.
#[expect(
    clippy::unused_async,
    reason = "a verb like the others: with claims and the outbox it asks the database"
)]
pub async fn publish(_engine: &Engine) -> store::Result<Published> {
    Ok(Published::default())
}
