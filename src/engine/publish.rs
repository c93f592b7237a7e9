//! The `publish` verb: sends pending label edits to GitHub, one issue after the other, at the pace that GitHub bears.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, oneshot};

use super::{Engine, Writes, failpoint::failpoint, labels, pace::Pace};
use crate::{
    clock::Clock,
    domain::{
        ids::IssueId,
        notice::{Code, Notice, Phase, Subject},
        time::Timestamp,
    },
    github::Error as GitHubError,
    store::{
        self, issue_facts,
        label_edits::{self, Due, Sending},
    },
};

/// What was sent, and what waits.
#[derive(Debug, Default)]
pub struct Published {
    pub sent: u64,
    pub pending: u64,
    pub notices: Vec<Notice>,
}

/// How long a request waits for its own writes.
const PATIENCE: Duration = Duration::from_secs(2);
/// Nobody else sends the edits of an issue for so long; longer than a request may take.
const SENDING: Duration = Duration::from_mins(2);
/// Issues looked up at once.
const BATCH: i64 = 50;
/// After a refused permission everything waits this long.
const FORBIDDEN_PAUSE: Duration = Duration::from_hours(1);
/// The first pause after a failure; doubled each time, up to a quarter of an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// What senders share: GitHub asks for one write at a time.
pub struct Outbox {
    enabled: bool,
    pace: Pace,
    turn: Arc<Turn<()>>,
    /// Somebody wanted to send while another did.
    more: AtomicBool,
    /// Writing is not allowed; tried again then.
    forbidden_until: Mutex<Option<Timestamp>>,
}

impl Outbox {
    pub fn new(writes: Writes, clock: &Clock) -> Self {
        Self {
            enabled: writes.enabled,
            pace: Pace::new(writes.interval, clock.clone()),
            turn: Arc::default(),
            more: AtomicBool::new(false),
            forbidden_until: Mutex::default(),
        }
    }
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

/// Sends the edits of one issue at once if nobody else is sending and the pace allows it; waits a little for that.
/// What is not sent now is left to [`publish`].
pub async fn now(engine: &Engine, issue: &IssueId) {
    if !engine.outbox.enabled || forbidden(engine).is_some() {
        return;
    }
    let Ok(turn) = Arc::clone(&engine.outbox.turn).try_lock_owned() else {
        engine.outbox.more.store(true, Ordering::Release);
        return;
    };
    let (done, sent) = oneshot::channel();
    let (sender, issue) = (engine.clone(), issue.clone());
    engine.tasks.spawn(async move {
        let mut published = Published::default();
        let outcome = send_one(&sender, &issue, &mut published).await;
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
    Ok(u64::try_from(label_edits::count_pending(&mut tx).await?).unwrap_or(0))
}

/// Nothing may be written at present; says why.
fn forbidden(engine: &Engine) -> Option<Notice> {
    let until = (*engine.outbox.forbidden_until.lock()).filter(|until| *until > engine.clock.now())?;
    Some(Notice::new(Phase::Publish, Subject::GitHub, Code::WritesForbidden { until }))
}

/// May the next issue be sent?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    On,
    /// Yes, but no more of this one: its edits are parked.
    Over,
    /// The pace, a limit or a refusal stands against it.
    No,
}

async fn send_due(engine: &Engine, published: &mut Published) -> store::Result<()> {
    loop {
        let mut tx = engine.db.read_once().await?;
        let due = label_edits::list_due(&mut tx, engine.clock.now(), BATCH).await?;
        drop(tx);
        if due.is_empty() {
            return Ok(());
        }
        for issue in due {
            if engine.tasks.stopping().is_cancelled() || send(engine, &issue, published).await? == Went::No {
                return Ok(());
            }
        }
    }
}

async fn send_one(engine: &Engine, issue: &IssueId, published: &mut Published) -> store::Result<Went> {
    let mut tx = engine.db.read_once().await?;
    let due = label_edits::find_due(&mut tx, issue).await?;
    drop(tx);
    match due {
        Some(due) => send(engine, &due, published).await,
        None => Ok(Went::On),
    }
}

/// Sends the edits of one issue: all additions in one request, each removal in its own.
async fn send(engine: &Engine, due: &Due, published: &mut Published) -> store::Result<Went> {
    if !engine.outbox.pace.has_room() {
        return Ok(Went::No);
    }
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let edits = label_edits::take(&mut tx, &due.issue_id, &engine.instance, now, now.plus(SENDING)).await?;
    tx.commit().await?;
    failpoint!("outbox.taken");
    let (adds, removals): (Vec<Sending>, Vec<Sending>) = edits.into_iter().partition(|edit| edit.wanted);
    let mut went = Went::On;
    if !adds.is_empty() {
        engine.outbox.pace.take();
        let names: Vec<&str> = adds.iter().map(|edit| edit.label.as_str()).collect();
        let outcome = engine.github.add_labels(&due.full_name, due.number, &names).await;
        went = settle(engine, due, &adds, outcome, published).await?;
    }
    for edit in removals {
        let outcome = match went {
            Went::Over => break,
            Went::No => Err(None),
            Went::On => {
                engine.outbox.pace.take();
                let removed = engine.github.remove_label(&due.full_name, due.number, &edit.label).await;
                removed.map_err(Some)
            }
        };
        let edit = std::slice::from_ref(&edit);
        match outcome {
            Ok(()) => went = settle(engine, due, edit, Ok(()), published).await?,
            Err(Some(error)) => went = settle(engine, due, edit, Err(error), published).await?,
            Err(None) => put_off(engine, due, edit, "not tried yet", engine.clock.now()).await?,
        }
    }
    Ok(went)
}

/// Writes down what became of a request.
async fn settle(
    engine: &Engine,
    due: &Due,
    edits: &[Sending],
    outcome: Result<(), GitHubError>,
    published: &mut Published,
) -> store::Result<Went> {
    failpoint!("outbox.sent");
    let now = engine.clock.now();
    let subject = || Subject::Issue(format!("{}#{}", due.full_name, due.number));
    let error = match outcome {
        Ok(()) => {
            let mut tx = engine.db.write().await?;
            for edit in edits {
                label_edits::settle(&mut tx, &due.issue_id, edit, now).await?;
            }
            tx.commit().await?;
            engine.unheard.add(&due.full_name);
            failpoint!("outbox.settled");
            published.sent += edits.len() as u64;
            return Ok(Went::On);
        }
        Err(error) => error,
    };
    let what = error.code().what();
    match judge(&error) {
        Failure::Hopeless => {
            park(engine, due, &what).await?;
            published.notices.push(Notice::new(Phase::Publish, subject(), Code::WriteRefused));
            Ok(Went::Over)
        }
        Failure::Forbidden => {
            let until = now.plus(FORBIDDEN_PAUSE);
            *engine.outbox.forbidden_until.lock() = Some(until);
            put_off(engine, due, edits, &what, now).await?;
            published.notices.extend(forbidden(engine));
            Ok(Went::No)
        }
        Failure::NotNow { until } => {
            put_off(engine, due, edits, &what, until.unwrap_or(now)).await?;
            published.notices.push(Notice::new(Phase::Publish, Subject::GitHub, error.code()));
            Ok(Went::No)
        }
        Failure::Passing => {
            let tries = edits.iter().map(|edit| edit.attempts).max().unwrap_or(1);
            put_off(engine, due, edits, &what, now.plus(pause_after(tries))).await?;
            published.notices.push(Notice::new(Phase::Publish, subject(), error.code()));
            Ok(Went::On)
        }
    }
}

/// What a failed write means for the others and for its next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The issue is gone, or GitHub refuses what is sent.
    Hopeless,
    /// The credentials may not write.
    Forbidden,
    /// Nothing may be sent until then.
    NotNow {
        until: Option<Timestamp>,
    },
    Passing,
}

fn judge(error: &GitHubError) -> Failure {
    match error {
        GitHubError::NotFound
        | GitHubError::IssuesDisabled
        | GitHubError::UnavailableForLegalReasons
        | GitHubError::Unexpected { status: 400..=499 } => Failure::Hopeless,
        GitHubError::Forbidden => Failure::Forbidden,
        GitHubError::Backoff(backoff) => Failure::NotNow { until: Some(backoff.until) },
        GitHubError::Unauthorized | GitHubError::App(_) | GitHubError::NoInstallation => {
            Failure::NotNow { until: None }
        }
        _ => Failure::Passing,
    }
}

fn pause_after(tries: i64) -> Duration {
    let doublings = u32::try_from(tries.clamp(1, 12) - 1).unwrap_or(0);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

async fn put_off(
    engine: &Engine,
    due: &Due,
    edits: &[Sending],
    error: &str,
    next_try_at: Timestamp,
) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    for edit in edits {
        label_edits::put_off(&mut tx, &due.issue_id, edit, error, next_try_at).await?;
    }
    tx.commit().await
}

/// The edits of this issue can never be made: the cache shows what GitHub says again.
async fn park(engine: &Engine, due: &Due, error: &str) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    label_edits::park(&mut tx, &due.issue_id, error).await?;
    if let Some(issue) = issue_facts::find(&mut tx, &due.issue_id).await? {
        labels::edit(engine, &mut tx, &issue, &[]).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::{Backoff, BackoffKind};

    #[test]
    fn what_a_failure_means() {
        let until = Timestamp(5);
        let backoff = GitHubError::Backoff(Backoff { kind: BackoffKind::Secondary, until });
        let cases = [
            (GitHubError::NotFound, Failure::Hopeless),
            (GitHubError::IssuesDisabled, Failure::Hopeless),
            (GitHubError::Unexpected { status: 422 }, Failure::Hopeless),
            (GitHubError::Unexpected { status: 304 }, Failure::Passing),
            (GitHubError::Forbidden, Failure::Forbidden),
            (GitHubError::Unauthorized, Failure::NotNow { until: None }),
            (backoff, Failure::NotNow { until: Some(until) }),
            (GitHubError::TimedOut, Failure::Passing),
            (GitHubError::Failed { status: 502 }, Failure::Passing),
        ];
        for (error, want) in cases {
            assert_eq!(judge(&error), want, "{error:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = [0, 1, 2, 3, 8, 9, 99].map(|tries| pause_after(tries).as_secs()).to_vec();
        assert_eq!(seconds, [5, 5, 10, 20, 640, 900, 900]);
    }
}
