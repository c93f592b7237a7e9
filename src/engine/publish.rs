//! The `publish` verb: sends pending writes to GitHub, one after the other, at the pace that GitHub bears.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, oneshot};

use super::{
    Engine, Writes,
    outbox::{
        failure::{FAILURES_MAX, FORBIDDEN_PAUSE, Failure, REFUSALS_MAX, pause_after},
        labels, writes,
    },
    pace::Pace,
};
use crate::{
    clock::Clock,
    domain::{
        ids::{IssueId, IssueNumber, OutboxId},
        notice::{Code, Notice, Phase, Subject},
        outbox::Kind,
        repo::RepoName,
        time::Timestamp,
    },
    github::Error as GitHubError,
    store::{
        self, label_edits,
        outbox::{self, Which},
    },
};

/// What was sent, and what waits.
#[derive(Debug, Default)]
pub struct Published {
    pub sent: u64,
    /// Taken for sending.
    pub(super) tried: u64,
    pub pending: u64,
    pub notices: Vec<Notice>,
}

/// How long a request waits for its own writes.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nobody else sends an entry for so long; longer than a request may take.
pub(super) const SENDING: Duration = Duration::from_mins(2);
/// Entries looked up at once.
const BATCH: i64 = 50;
/// GitHub bears 500 new comments and issues an hour: one goes out in so many intervals of other writes.
const POST_INTERVALS: u32 = 8;

/// What senders share: GitHub asks for one write at a time.
pub struct Outbox {
    enabled: bool,
    pub(super) pace: Pace,
    /// New comments and issues have a slower pace besides.
    pub(super) posts: Pace,
    turn: Arc<Turn<()>>,
    /// Somebody wanted to send while another did.
    more: AtomicBool,
    /// Writing is not allowed; tried again then.
    forbidden_until: Mutex<Option<Timestamp>>,
}

impl Outbox {
    /// May this entry go out, as far as its own kind's pace is concerned?
    pub(super) fn has_room_for(&self, due: &outbox::Due) -> bool {
        matches!(due.kind, Kind::Edit | Kind::Label) || self.posts.has_room()
    }

    pub fn new(writes: Writes, clock: &Clock) -> Self {
        Self {
            enabled: writes.enabled,
            pace: Pace::new(writes.interval, clock.clone()),
            posts: Pace::new(writes.interval * POST_INTERVALS, clock.clone()),
            turn: Arc::default(),
            more: AtomicBool::new(false),
            forbidden_until: Mutex::default(),
        }
    }

    /// So many processes write with the same credentials.
    pub(super) fn share(&self, sharers: u32) {
        self.pace.share(sharers);
        self.posts.share(sharers);
    }

    /// Somebody says that it may be tried again: what was forbidden is tried, too.
    pub(super) fn encourage(&self) {
        *self.forbidden_until.lock() = None;
    }
}

/// May the next entry be sent?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    On,
    /// Yes, but nothing more to this issue: what waited for it is parked.
    Over,
    /// The pace, a limit or a refusal stands against it.
    No,
}

/// Sends what is due, as far as the pace allows now.
pub async fn publish(engine: &Engine) -> store::Result<Published> {
    let mut published = Published { pending: count(engine).await?, ..Published::default() };
    if published.pending == 0 || !engine.outbox.enabled {
        return Ok(published);
    }
    if let Some(notice) = forbidden(engine) {
        published.notices.push(notice);
        return Ok(published);
    }
    let Ok(_turn) = engine.outbox.turn.try_lock() else {
        engine.outbox.more.store(true, Ordering::Release);
        return Ok(published);
    };
    send_due(engine, &mut published).await?;
    published.pending = count(engine).await?;
    Ok(published)
}

/// What somebody waits for.
enum Own {
    Issue(IssueId),
    Pull(RepoName, IssueNumber),
    Entry(OutboxId),
}

/// Sends what waits for one issue at once if nobody else is sending and the pace allows it; waits a little for that.
/// What is not sent now is left to [`publish`].
pub async fn now(engine: &Engine, issue: &IssueId) {
    at_once(engine, Own::Issue(issue.clone())).await;
}

/// As [`now`], for a pull request, by the present name of its repository.
pub async fn pull_now(engine: &Engine, repo: &RepoName, number: IssueNumber) {
    at_once(engine, Own::Pull(repo.clone(), number)).await;
}

/// As [`now`], but one entry only: an issue to be opened has no id yet.
pub async fn entry_now(engine: &Engine, entry: &OutboxId) {
    at_once(engine, Own::Entry(entry.clone())).await;
}

async fn at_once(engine: &Engine, own: Own) {
    if !engine.outbox.enabled || forbidden(engine).is_some() {
        return;
    }
    let Ok(turn) = Arc::clone(&engine.outbox.turn).try_lock_owned() else {
        engine.outbox.more.store(true, Ordering::Release);
        return;
    };
    let (done, sent) = oneshot::channel();
    let sender = engine.clone();
    engine.tasks.spawn(async move {
        let mut published = Published::default();
        let outcome = match &own {
            Own::Issue(issue) => send_issue(&sender, issue, &mut published).await,
            Own::Pull(repo, number) => {
                send_writes(&sender, Which::OfPull(repo, *number), &mut published).await
            }
            Own::Entry(entry) => send_writes(&sender, Which::One(entry), &mut published).await,
        };
        // Whoever waited may be gone.
        let _ = done.send(());
        let outcome = match outcome {
            Ok(Went::On | Went::Over) => send_more(&sender, &mut published).await,
            Ok(Went::No) => Ok(()),
            Err(error) => Err(error),
        };
        drop(turn);
        if let Err(error) = outcome {
            tracing::error!(%error, "pending writes could not be read or settled");
        }
    });
    // Only the waiting ends; the task goes on.
    let _ = tokio::time::timeout(PATIENCE, sent).await;
}

/// For those who found somebody sending.
async fn send_more(engine: &Engine, published: &mut Published) -> store::Result<()> {
    while engine.outbox.more.swap(false, Ordering::AcqRel) {
        send_due(engine, published).await?;
    }
    Ok(())
}

async fn count(engine: &Engine) -> store::Result<u64> {
    let mut tx = engine.db.read_once().await?;
    Ok(u64::try_from(outbox::count_pending(&mut tx).await?).unwrap_or(0))
}

/// Nothing may be written at present; says why.
fn forbidden(engine: &Engine) -> Option<Notice> {
    let until = (*engine.outbox.forbidden_until.lock()).filter(|until| *until > engine.clock.now())?;
    Some(Notice::new(Phase::Publish, Subject::GitHub, Code::WritesForbidden { until }))
}

/// Something to be sent.
enum Due {
    Labels(label_edits::Due),
    Write(outbox::Due),
}

impl Due {
    fn since(&self) -> Timestamp {
        match self {
            Self::Labels(due) => due.since,
            Self::Write(due) => due.since,
        }
    }
}

/// What has waited longest.
async fn list_due(engine: &Engine) -> store::Result<Vec<Due>> {
    let now = engine.clock.now();
    let mut tx = engine.db.read().await?;
    let labels = label_edits::list_due(&mut tx, now, BATCH).await?;
    let which = Which::All { posts: engine.outbox.posts.has_room(), limit: BATCH };
    let writes = outbox::list_due(&mut tx, which, now).await?;
    let labels = labels.into_iter().map(Due::Labels);
    let mut due: Vec<Due> = labels.chain(writes.into_iter().map(Due::Write)).collect();
    due.sort_by_key(Due::since);
    Ok(due)
}

async fn send_due(engine: &Engine, published: &mut Published) -> store::Result<()> {
    loop {
        let due = list_due(engine).await?;
        let tried = published.tried;
        for one in due {
            if engine.tasks.stopping().is_cancelled() {
                return Ok(());
            }
            let went = match &one {
                Due::Labels(due) => labels::send(engine, due, published).await?,
                Due::Write(due) => writes::send(engine, due, published).await?,
            };
            if went == Went::No {
                return Ok(());
            }
        }
        // Nothing was due, or others have all of it: asking again at once would not change that.
        if published.tried == tried {
            return Ok(());
        }
    }
}

/// Everything that waits for one issue, labels first.
async fn send_issue(engine: &Engine, issue: &IssueId, published: &mut Published) -> store::Result<Went> {
    let mut tx = engine.db.read_once().await?;
    let due = label_edits::find_due(&mut tx, issue, engine.clock.now()).await?;
    drop(tx);
    let Some(due) = due else { return Ok(Went::On) };
    match labels::send(engine, &due, published).await? {
        Went::On => send_writes(engine, Which::OfIssue(issue), published).await,
        went => Ok(went),
    }
}

/// Entries one after the other, as long as there is one to be sent.
async fn send_writes(engine: &Engine, which: Which<'_>, published: &mut Published) -> store::Result<Went> {
    loop {
        let mut tx = engine.db.read_once().await?;
        let due = outbox::list_due(&mut tx, which, engine.clock.now()).await?;
        drop(tx);
        let Some(due) = due.first() else { return Ok(Went::On) };
        if !engine.outbox.has_room_for(due) || engine.tasks.stopping().is_cancelled() {
            return Ok(Went::On);
        }
        match writes::send(engine, due, published).await? {
            Went::On => {}
            went => return Ok(went),
        }
    }
}

/// What a failed write means for whatever waits behind it.
pub(super) struct After {
    pub went: Went,
    /// When this one is tried again; never, unless somebody says so.
    pub next_try_at: Option<Timestamp>,
}

/// Judges a failed write that was tried so often, and tells of it.
pub(super) fn after(
    engine: &Engine,
    subject: Subject,
    error: &GitHubError,
    tries: i64,
    published: &mut Published,
) -> After {
    let now = engine.clock.now();
    let later = Some(now.plus(pause_after(tries)));
    let mut tell = |subject, code| published.notices.push(Notice::new(Phase::Publish, subject, code));
    match Failure::of(error) {
        Failure::Hopeless => {
            tell(subject, Code::WriteRefused);
            After { went: Went::Over, next_try_at: None }
        }
        Failure::Declined => {
            tell(subject, Code::WriteRefused);
            After { went: Went::On, next_try_at: None }
        }
        Failure::Refused if tries >= REFUSALS_MAX => {
            tell(subject, Code::WriteRefused);
            After { went: Went::On, next_try_at: None }
        }
        Failure::Failing if tries >= FAILURES_MAX => {
            tell(subject, Code::WriteRefused);
            After { went: Went::On, next_try_at: None }
        }
        Failure::Forbidden => {
            *engine.outbox.forbidden_until.lock() = Some(now.plus(FORBIDDEN_PAUSE));
            published.notices.extend(forbidden(engine));
            After { went: Went::No, next_try_at: Some(now) }
        }
        Failure::NotNow { until } => {
            tell(Subject::GitHub, error.code());
            After { went: Went::No, next_try_at: Some(until.unwrap_or(now)) }
        }
        Failure::Refused | Failure::Failing | Failure::Passing => {
            tell(subject, error.code());
            After { went: Went::On, next_try_at: later }
        }
    }
}
