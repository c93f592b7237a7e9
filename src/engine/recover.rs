//! The `recover` verb: takes back expired claims, of any agent.

use super::Engine;
use crate::{domain::notice::Notice, store};

/// What was taken back.
#[derive(Debug, Default)]
pub struct Recovered {
    pub claims: u64,
    pub notices: Vec<Notice>,
}

/// Takes back expired claims. There are no claims yet, so it finds none.
#[expect(
    clippy::unused_async,
    reason = "a verb like the others: with claims and the outbox it asks the database"
)]
pub async fn recover(_engine: &Engine) -> store::Result<Recovered> {
    Ok(Recovered::default())
}
