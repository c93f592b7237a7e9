//! One read of one repository, from its first request to the state that it leaves behind.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{
    ReadEnd, Touched,
    apply::{self, Applied},
    blockers::{self, ListError},
    lines::{Line, Order},
    load, sweep, vanish,
};
use crate::{
    clock::Ids,
    domain::{
        heartbeat::TOUCHED_MAX,
        ids::{IssueNumber, ReadId},
        issue::RemoteItem,
        notice::{Code, Notice, Phase},
        repo::{LoadPhase, SyncState, TrackedRepo},
        time::Timestamp,
    },
    engine::{Engine, dependencies, failpoint::failpoint, heard, reconcile},
    github::{self, IssuePage, Point, Probe, Validator},
    metrics::Stopwatch,
    store::{self, pr_fix, reads, repos, sync_state},
};

/// A read that lasts longer stops after the page it is at; the next goes on there.
const READ_LIMIT: Duration = Duration::from_mins(5);

/// A mark taken from GitHub's `Date` is set back by this much: the answer was made before it was dated.
pub(super) const DATE_SLACK: Duration = Duration::from_secs(10);

/// Why a read stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    GitHub(#[from] github::Error),
    #[error("the database failed")]
    Database(#[from] store::Error),
    #[error("stopped")]
    Stopped(Code),
}

impl From<ListError> for ReadError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::GitHub(error) => Self::GitHub(error),
            ListError::Database(error) => Self::Database(error),
        }
    }
}

impl ReadError {
    fn code(&self) -> Code {
        match self {
            Self::GitHub(error) => error.code(),
            Self::Database(_) => Code::DatabaseFailed,
            Self::Stopped(code) => code.clone(),
        }
    }
}

/// A read under way.
pub(super) struct Reading<'e> {
    pub engine: &'e Engine,
    ids: Ids,
    pub repo: TrackedRepo,
    pub state: SyncState,
    began: Timestamp,
    stop_at: Instant,
    urls: BTreeSet<String>,
    count: u64,
    moved: bool,
}

/// What the catching up came to.
pub(super) enum CaughtUp {
    /// A 304: nothing to write.
    Confirmed,
    /// Everything is applied; the probe's ETag stands for it, if all that vanished could be looked up.
    Applied { etag: Option<Validator> },
}

/// Reads a repository; never fails, because the next in line must go on.
pub(super) async fn read(engine: &Engine, line: &Line, order: Order, began: Timestamp) -> ReadEnd {
    let Order { point, sweep, ids, repo } = order;
    let state = line.state(&repo.sync);
    let mut reading = Reading {
        engine,
        ids,
        repo,
        state,
        began,
        stop_at: Instant::now() + READ_LIMIT,
        urls: BTreeSet::new(),
        count: 0,
        moved: false,
    };
    let outcome = reading.run(point, sweep).await;
    let (failure, touched) = reading.close(outcome).await;
    line.remember(failure.is_none().then_some(reading.state));
    ReadEnd { failure, touched }
}

impl Reading<'_> {
    async fn run(&mut self, point: Point, sweep: bool) -> Result<CaughtUp, ReadError> {
        failpoint!("sync.read", ReadError::Stopped(Code::ReadAborted));
        if self.repo.github_id.is_none() {
            self.describe().await?;
        }
        let caught_up = self.catch_up(point).await?;
        if self.moved {
            self.describe().await?;
        }
        if sweep {
            sweep::sweep(self).await?;
        }
        let watch = Stopwatch::start();
        reconcile::reconcile(self.engine, &self.repo, &self.state.rules).await?;
        self.engine.meters.heartbeats.phase(Phase::Reconcile.as_str(), watch.elapsed());
        self.state.rules = self.engine.settings.rules.key();
        let changed = heard::hear(self.engine, &self.repo, self.began).await?;
        self.touch(changed);
        Ok(caught_up)
    }

    /// Probe, and whatever the probe shows to be needed.
    async fn catch_up(&mut self, point: Point) -> Result<CaughtUp, ReadError> {
        match self.state.phase {
            LoadPhase::Loaded { mark } => {
                let held = self.state.etag.as_ref();
                match self.engine.github.probe(&self.repo.name, held, point).await? {
                    Probe::NotModified { moved, .. } => {
                        self.moved |= moved;
                        Ok(CaughtUp::Confirmed)
                    }
                    Probe::Changed { etag, page } => self.delta(mark, etag, page).await,
                }
            }
            LoadPhase::New => match self.engine.github.probe(&self.repo.name, None, point).await? {
                Probe::Changed { etag, page } if page.next.is_none() => {
                    let mark = page.at.whole_second().minus(DATE_SLACK);
                    self.delta(mark, etag, page).await
                }
                _ => self.load_and_probe().await,
            },
            LoadPhase::Open { .. } | LoadPhase::Closed { .. } => self.load_and_probe().await,
        }
    }

    async fn load_and_probe(&mut self) -> Result<CaughtUp, ReadError> {
        let mark = load::first_load(self).await?;
        let (etag, page) = self.engine.github.first_page(&self.repo.name).await?;
        self.delta(mark, etag, page).await
    }

    /// A changed probe: the page is the whole delta if it reaches back past the mark; else reads forward.
    async fn delta(
        &mut self,
        mark: Timestamp,
        etag: Option<Validator>,
        page: IssuePage,
    ) -> Result<CaughtUp, ReadError> {
        self.moved |= page.moved;
        let oldest = page.items.last().map(RemoteItem::updated_at);
        let whole = page.next.is_none();
        // A page full of changes of this very second: one more may stand behind it and leave it as it is.
        let crowded = !whole && oldest > Some(page.at.whole_second().minus(DATE_SLACK));
        let unseen = if whole || oldest.is_some_and(|oldest| oldest < mark) {
            let newest = page.items.first().map_or(mark, |item| item.updated_at().max(mark));
            self.apply(&page.items, Some(LoadPhase::Loaded { mark: newest })).await?;
            let after = if whole { None } else { oldest };
            vanish::unseen(self, after, None, &numbers(&page.items)).await?
        } else {
            let passage = load::forward_from_mark(self, mark).await?;
            vanish::unseen(self, Some(passage.since), Some(passage.newest), &passage.seen).await?
        };
        let all_known = vanish::look_up(self, unseen).await?;
        // Without an ETag the next probe is a 200, and finds the rest.
        Ok(CaughtUp::Applied { etag: etag.filter(|_| all_known && !crowded) })
    }

    /// Applies items in one transaction, with the phase that they lead to.
    pub(super) async fn apply(
        &mut self,
        items: &[RemoteItem],
        phase: Option<LoadPhase>,
    ) -> Result<(), ReadError> {
        let listed = blockers::list(self.engine, &self.repo, items, || self.may_go_on()).await?;
        failpoint!("sync.page.fetched");
        let mut tx = self.engine.db.write().await?;
        let applied =
            apply::apply(self.engine, &self.ids, &mut tx, &self.repo, (items, &listed), self.began).await?;
        if let Some(phase) = phase {
            let changed = (!applied.is_empty()).then(|| self.engine.clock.now());
            sync_state::advance(&mut tx, &self.repo.id, phase, changed).await?;
        }
        failpoint!("sync.page.written");
        tx.commit().await?;
        failpoint!("sync.page.committed");
        self.state.phase = phase.unwrap_or(self.state.phase);
        self.touch(applied.into_iter().map(|Applied { url, .. }| url));
        Ok(())
    }

    pub(super) fn touch(&mut self, urls: impl IntoIterator<Item = String>) {
        for url in urls {
            if self.urls.insert(url) {
                self.count += 1;
            }
            if self.urls.len() > TOUCHED_MAX {
                self.urls.pop_last();
            }
        }
    }

    /// Is it time to stop? Asked between pages, where stopping loses nothing.
    pub(super) fn may_go_on(&self) -> Result<(), ReadError> {
        if self.engine.tasks.stopping().is_cancelled() {
            return Err(ReadError::Stopped(Code::Stopping));
        }
        if Instant::now() >= self.stop_at {
            return Err(ReadError::Stopped(Code::ReadTooLong));
        }
        Ok(())
    }

    /// Learns the repository's number and present name.
    async fn describe(&mut self) -> Result<(), ReadError> {
        let remote = self.engine.github.repository(&self.repo.name).await?;
        if self.repo.github_id.is_some_and(|known| known != remote.github_id) {
            return Err(ReadError::Stopped(Code::RepoReplaced));
        }
        if !remote.has_issues {
            return Err(ReadError::Stopped(Code::IssuesDisabled));
        }
        let now = self.engine.clock.now();
        let mut tx = self.engine.db.write().await?;
        dependencies::turn(&mut tx).await?;
        let named = repos::describe(
            &mut tx,
            &self.repo,
            remote.github_id,
            &remote.full_name,
            &remote.default_branch,
            now,
        )
        .await?;
        if !named {
            return Err(ReadError::Stopped(Code::RenamedToTracked));
        }
        dependencies::repo_renamed(&mut tx, &self.repo.name, &remote.full_name).await?;
        if self.repo.name.key() != remote.full_name.key() {
            pr_fix::rename(&mut tx, &self.repo.name, &remote.full_name).await?;
        }
        if self.repo.github_id.is_none() {
            // The first contact: no issue is cached that could follow other label rules.
            self.state.rules = self.engine.settings.rules.key();
            sync_state::follow_rules(&mut tx, &self.repo.id, &self.state.rules).await?;
        }
        tx.commit().await?;
        self.repo.github_id = Some(remote.github_id);
        self.repo.name = remote.full_name;
        Ok(())
    }

    /// Leaves behind what the read came to.
    async fn close(&mut self, outcome: Result<CaughtUp, ReadError>) -> (Option<Code>, Touched) {
        let touched = self.touched();
        let failure = match self.write_end(outcome, &touched).await {
            Ok(failure) => failure,
            Err(error) => Some(self.log(&error.into())),
        };
        (failure, touched)
    }

    async fn write_end(
        &mut self,
        outcome: Result<CaughtUp, ReadError>,
        touched: &Touched,
    ) -> store::Result<Option<Code>> {
        let (etag, failure) = match outcome {
            Ok(CaughtUp::Confirmed) if touched.count == 0 => {
                self.state.confirmed_at = Some(self.began);
                self.engine.confirmations.add(&self.repo.id, self.began);
                return Ok(None);
            }
            Ok(CaughtUp::Confirmed) => (self.state.etag.clone(), None),
            Ok(CaughtUp::Applied { etag }) => (etag, None),
            Err(error) => (None, Some(self.log(&error))),
        };
        let mut tx = self.engine.db.write().await?;
        match &failure {
            None => self.write_success(&mut tx, etag).await?,
            Some(code) if code.is_patience() => {}
            Some(code) => {
                let account = self.engine.github.account(&self.repo.name);
                let words = Notice::sync(&self.repo.name, code.clone()).seen_by(account).to_string();
                sync_state::fail(&mut tx, &self.repo.id, &words, self.engine.clock.now()).await?;
            }
        }
        if let Some(read) = &touched.read {
            self.write_touched(&mut tx, read, touched).await?;
        }
        tx.commit().await?;
        Ok(failure)
    }

    async fn write_success(&mut self, tx: &mut store::WriteTx, etag: Option<Validator>) -> store::Result<()> {
        sync_state::complete(tx, &self.repo.id, etag.as_ref(), self.began).await?;
        self.state.etag = etag;
        self.state.confirmed_at = Some(self.began);
        Ok(())
    }

    async fn write_touched(
        &self,
        tx: &mut store::WriteTx,
        id: &ReadId,
        touched: &Touched,
    ) -> store::Result<()> {
        let read = reads::NewRead {
            id,
            repo: &self.repo.id,
            began_at: self.began,
            ended_at: self.engine.clock.now(),
            touched: &touched.urls,
            touched_count: i64::try_from(touched.count).unwrap_or(i64::MAX),
        };
        reads::insert(tx, &read).await
    }

    fn touched(&mut self) -> Touched {
        let read = (self.count > 0).then(|| ReadId(self.ids.next()));
        Touched { read, urls: std::mem::take(&mut self.urls).into_iter().collect(), count: self.count }
    }

    fn log(&self, error: &ReadError) -> Code {
        let code = error.code();
        tracing::warn!(repo = %self.repo.name, code = code.name(), error = ?error, "a read stopped");
        code
    }
}

/// The numbers of these items.
pub(super) fn numbers(items: &[RemoteItem]) -> std::collections::HashSet<IssueNumber> {
    items.iter().map(RemoteItem::number).collect()
}
