//! Issues that should have been in a read and were not: deleted, transferred, or just changed again.

use std::collections::HashSet;

use super::read::{ReadError, Reading};
use crate::{
    domain::{ids::IssueNumber, issue::RemoteItem, time::Timestamp},
    engine::{claims, dependencies},
    github::Lookup,
    store::issues::{self, Unseen},
};

/// At most this many are looked up in one read; the next read goes on.
const LOOKUPS_MAX: usize = 100;

/// Cached issues last changed in `after..=until` that are not among `seen`; an open end is none.
pub(super) async fn unseen(
    reading: &Reading<'_>,
    after: Option<Timestamp>,
    until: Option<Timestamp>,
    seen: &HashSet<IssueNumber>,
) -> Result<Vec<Unseen>, ReadError> {
    let mut tx = reading.engine.db.read_once().await?;
    let after = after.unwrap_or(Timestamp(i64::MIN));
    let until = until.unwrap_or(Timestamp(i64::MAX));
    let mut cached = issues::list_in_window(&mut tx, &reading.repo.id, after, until).await?;
    cached.retain(|issue| !seen.contains(&issue.number));
    Ok(cached)
}

/// Asks GitHub about each; false when some are left for the next read.
pub(super) async fn look_up(reading: &mut Reading<'_>, unseen: Vec<Unseen>) -> Result<bool, ReadError> {
    let all = unseen.len() <= LOOKUPS_MAX;
    for issue in unseen.into_iter().take(LOOKUPS_MAX) {
        reading.may_go_on()?;
        look_up_one(reading, issue).await?;
    }
    Ok(all)
}

async fn look_up_one(reading: &mut Reading<'_>, cached: Unseen) -> Result<(), ReadError> {
    match reading.engine.github.issue(&reading.repo.name, cached.number).await? {
        Lookup::Issue(issue) => reading.apply(&[RemoteItem::Issue(*issue)], None).await,
        Lookup::Pull(_) | Lookup::Gone | Lookup::Moved => {
            let mut tx = reading.engine.db.write().await?;
            let left = dependencies::leaving(&mut tx, &reading.repo.id, &cached.id, cached.number).await?;
            let removed = issues::remove(&mut tx, &cached.id, reading.engine.clock.now()).await?;
            left.write(&mut tx).await?;
            claims::issue_is_gone(reading.engine, &mut tx, &cached.id).await?;
            tx.commit().await?;
            reading.touch(removed.then_some(cached.url));
            Ok(())
        }
    }
}
