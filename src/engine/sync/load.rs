//! Reading forward, oldest change first: the first load of a repository, and deltas longer than a page.
//! What changes meanwhile moves ahead of the reader, so nothing is missed.

use std::{collections::HashSet, time::Duration};

use super::read::{DATE_SLACK, ReadError, Reading};
use crate::{
    domain::{ids::IssueNumber, issue::RemoteItem, repo::LoadPhase, time::Timestamp},
    engine::failpoint::failpoint,
    github::{IssuePage, ListQuery, Order, StateFilter},
};

/// `since` is inclusive on GitHub and has whole seconds; starting a second early also suits servers where
/// it is not.
const OVERLAP: Duration = Duration::from_secs(1);

/// Page numbers skip items when something leaves an earlier page meanwhile: a second that fills pages is read
/// again until a reading finds nothing new, so often at most.
const REREADS: usize = 3;

/// Open issues, then those closed within retention; ends with the mark from which deltas go on.
pub(super) async fn first_load(reading: &mut Reading<'_>) -> Result<Timestamp, ReadError> {
    let (began, open_cursor) = match reading.state.phase {
        LoadPhase::Open { began, cursor } => (began, Some(cursor)),
        LoadPhase::Closed { began, .. } => (began, None),
        // The page that told the time is applied already: the load goes on behind it.
        LoadPhase::New | LoadPhase::Loaded { .. } => {
            let (began, first) = begin(reading).await?;
            (began, Some(first))
        }
    };
    if let Some(cursor) = open_cursor {
        let phase = |cursor| LoadPhase::Open { began, cursor: Some(cursor) };
        let since = cursor.map(|at| at.minus(OVERLAP));
        forward(reading, StateFilter::Open, since, phase).await?;
    }
    let oldest = began.minus(reading.engine.settings.closed_retention);
    let since = match reading.state.phase {
        LoadPhase::Closed { cursor, .. } => cursor.minus(OVERLAP),
        _ => oldest,
    };
    let phase = |cursor| LoadPhase::Closed { began, cursor };
    forward(reading, StateFilter::Closed, Some(since), phase).await?;
    let mark = began;
    reading.apply(&[], Some(LoadPhase::Loaded { mark })).await?;
    Ok(mark)
}

/// Applies the first page and fixes the time from which changes will be read once the load is through.
async fn begin(reading: &mut Reading<'_>) -> Result<(Timestamp, Option<Timestamp>), ReadError> {
    let query = ListQuery { state: StateFilter::Open, order: Order::UpdatedAsc, since: None };
    let page = reading.engine.github.list(&reading.repo.name, &query).await?;
    let began = page.at.whole_second().minus(DATE_SLACK);
    let last = page.items.last().map(RemoteItem::updated_at);
    reading.apply(&page.items, Some(LoadPhase::Open { began, cursor: last })).await?;
    Ok((began, last))
}

/// What a delta read forward covered.
pub(super) struct Passage {
    /// Exclusive lower end of the window.
    pub since: Timestamp,
    pub newest: Timestamp,
    pub seen: HashSet<IssueNumber>,
}

/// Everything that changed since the mark, whatever its state.
pub(super) async fn forward_from_mark(
    reading: &mut Reading<'_>,
    mark: Timestamp,
) -> Result<Passage, ReadError> {
    let since = mark.minus(OVERLAP);
    let phase = |at: Timestamp| LoadPhase::Loaded { mark: at.max(mark) };
    let (newest, seen) = forward(reading, StateFilter::All, Some(since), phase).await?;
    Ok(Passage { since, newest: newest.unwrap_or(mark), seen })
}

/// Reads and applies pages until there is no more, each page with the phase that its last item leads to.
async fn forward(
    reading: &mut Reading<'_>,
    state: StateFilter,
    since: Option<Timestamp>,
    phase: impl Fn(Timestamp) -> LoadPhase,
) -> Result<(Option<Timestamp>, HashSet<IssueNumber>), ReadError> {
    let mut stretch = Stretch { state, since, newest: None, seen: HashSet::new(), chain: None };
    let mut page = stretch.first(reading).await?;
    loop {
        reading.may_go_on()?;
        stretch.note(&page);
        if let Some(last) = page.items.last() {
            reading.apply(&page.items, Some(phase(last.updated_at()))).await?;
        }
        failpoint!("sync.forward");
        match stretch.next(reading, &page).await? {
            Some(next) => page = next,
            None => return Ok((stretch.newest, stretch.seen)),
        }
    }
}

/// The place of a forward reader.
struct Stretch {
    state: StateFilter,
    since: Option<Timestamp>,
    newest: Option<Timestamp>,
    seen: HashSet<IssueNumber>,
    /// Following page numbers within one second.
    chain: Option<Chain>,
}

/// The readings of one second.
#[derive(Default)]
struct Chain {
    rereads: usize,
    /// How many items were seen when the last reading ended.
    seen: Option<usize>,
}

impl Chain {
    /// A reading has ended; must there be another?
    fn again(&mut self, seen: usize) -> bool {
        let news = self.seen.replace(seen) != Some(seen) && self.rereads < REREADS;
        self.rereads += usize::from(news);
        news
    }
}

impl Stretch {
    async fn first(&self, reading: &Reading<'_>) -> Result<IssuePage, ReadError> {
        let query = ListQuery { state: self.state, order: Order::UpdatedAsc, since: self.since };
        Ok(reading.engine.github.list(&reading.repo.name, &query).await?)
    }

    fn note(&mut self, page: &IssuePage) {
        self.seen.extend(page.items.iter().map(RemoteItem::number));
        self.newest = self.newest.max(page.items.last().map(RemoteItem::updated_at));
    }

    async fn next(
        &mut self,
        reading: &Reading<'_>,
        page: &IssuePage,
    ) -> Result<Option<IssuePage>, ReadError> {
        let further = page.next.as_ref().zip(page.items.last());
        let since = further.map(|(_, last)| last.updated_at().minus(OVERLAP));
        let stays = since.is_some() && self.since.is_some() && since <= self.since;
        if let (true, Some((link, _))) = (stays, further) {
            // The whole page bears one second, so `since` cannot move: only the link leads on.
            self.chain.get_or_insert_default();
            return Ok(Some(reading.engine.github.next(&reading.repo.name, link).await?));
        }
        if self.chain.as_mut().is_some_and(|chain| chain.again(self.seen.len())) {
            return self.first(reading).await.map(Some);
        }
        self.chain = None;
        if since.is_none() {
            return Ok(None);
        }
        self.since = since;
        self.first(reading).await.map(Some)
    }
}
