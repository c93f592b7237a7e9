//! The sweep: a full list of what should be cached, to find what vanished without a trace.

use std::collections::HashSet;

use super::{
    read::{ReadError, Reading, numbers},
    vanish,
};
use crate::{
    domain::ids::IssueNumber,
    github::{IssuePage, ListQuery, Order, StateFilter},
    store::{issues, sync_state},
};

/// Reads every open issue and those closed within retention; judges only after the last page.
pub(super) async fn sweep(reading: &mut Reading<'_>) -> Result<(), ReadError> {
    let cutoff = reading.engine.clock.now().minus(reading.engine.settings.closed_retention);
    let mut seen = HashSet::new();
    let open = ListQuery { state: StateFilter::Open, order: Order::CreatedAsc, since: None };
    read_all(reading, &open, &mut seen).await?;
    let closed = ListQuery { state: StateFilter::Closed, order: Order::CreatedAsc, since: Some(cutoff) };
    read_all(reading, &closed, &mut seen).await?;
    let mut tx = reading.engine.db.read_once().await?;
    let mut unseen = issues::list_present(&mut tx, &reading.repo.id, cutoff).await?;
    drop(tx);
    unseen.retain(|issue| !seen.contains(&issue.number));
    while !unseen.is_empty() {
        let rest = unseen.split_off(unseen.len().min(100));
        vanish::look_up(reading, unseen).await?;
        unseen = rest;
    }
    let mut tx = reading.engine.db.write().await?;
    sync_state::swept(&mut tx, &reading.repo.id, reading.engine.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Pages shift when an issue is deleted meanwhile; what is missed so is looked up and found alive.
async fn read_all(
    reading: &mut Reading<'_>,
    query: &ListQuery,
    seen: &mut HashSet<IssueNumber>,
) -> Result<(), ReadError> {
    let mut page: IssuePage = reading.engine.github.list(&reading.repo.name, query).await?;
    loop {
        reading.may_go_on()?;
        seen.extend(numbers(&page.items));
        reading.apply(&page.items, None).await?;
        match &page.next {
            Some(link) => page = reading.engine.github.next(&reading.repo.name, link).await?,
            None => return Ok(()),
        }
    }
}
