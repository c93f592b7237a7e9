//! The `sync` verb: brings the cache up to date with GitHub, repository by repository. Callers share reads:
//! per repository one runs and one waits (`design.md` sections 1 and 2).

pub mod apply;
pub mod blockers;
mod lines;
mod load;
mod read;
mod sweep;
mod vanish;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

pub use lines::Reads;
use lines::{Line, Order};

use super::{Engine, flight::Seat, flight::Waiter};
use crate::{
    domain::{
        ids::ReadId,
        notice::{Code, Notice, Severity},
        repo::TrackedRepo,
        time::Timestamp,
    },
    github::{Backoff, BackoffKind, Point},
};

/// A repository looked at this lately is no reason to warn when it must wait for the next pass.
const LEFT_OUT_QUIETLY: Duration = Duration::from_mins(1);

/// What a caller of the verb wants.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// When its request was received.
    pub arrival: Timestamp,
    /// Until when it waits; the reads themselves go on.
    pub wait_until: Instant,
    /// How long it will have waited then, for the message.
    pub patience: Duration,
    /// Read every open issue, to find what vanished unseen.
    pub sweep: bool,
}

/// How one read of a repository ended.
#[derive(Debug)]
pub struct ReadEnd {
    /// Why it did not get to its end; what it applied before stays applied.
    pub failure: Option<Code>,
    pub touched: Touched,
}

/// What a read touched; empty for one that found nothing new.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    pub read: Option<ReadId>,
    /// Sorted, the first [`crate::domain::heartbeat::TOUCHED_MAX`].
    pub urls: Vec<String>,
    pub count: u64,
}

/// What the verb did for one repository, as its caller sees it.
#[derive(Debug)]
pub struct RepoReport {
    pub repo: TrackedRepo,
    pub outcome: Outcome,
    /// What the read touched that this caller waited for.
    pub touched: Touched,
}

/// See [`RepoReport`].
#[derive(Debug)]
pub enum Outcome {
    /// Confirmed: by a read that found nothing new, or by one that had ended when the caller arrived.
    Unchanged,
    Changed,
    Failed(Code),
    /// Not read to its end within this call; the reason, when it is worth a warning.
    Left(Option<Code>),
}

/// What the verb did.
#[derive(Debug, Default)]
pub struct Report {
    pub repos: Vec<RepoReport>,
    pub notices: Vec<Notice>,
}

/// Brings `repos` up to date, or learns that they are.
pub async fn sync(engine: &Engine, repos: Vec<TrackedRepo>, wish: Wish) -> Report {
    let mut report = Report::default();
    if engine.github.is_anonymous() {
        report.notices.push(Notice::sync_whole(Code::Anonymous));
    }
    let booked = book(engine, repos, wish);
    for (repo, booking) in booked.bookings {
        let (outcome, touched) = settle(engine, booking, wish).await;
        report.repos.push(RepoReport { repo, outcome, touched });
    }
    report.repos.sort_by_key(|report| report.repo.name.key());
    let of_repos = notices_of(engine, &report.repos);
    for notice in booked.pauses.iter().filter_map(Pause::notice).chain(of_repos) {
        say(&mut report.notices, notice);
    }
    report
}

/// Waits for a read of one repository that began at `fresh_since` or later; a failed one does not count. Claims come
/// before ordinary reads: the reserve of points and quota is theirs.
pub async fn read_now(
    engine: &Engine,
    repo: TrackedRepo,
    fresh_since: Timestamp,
    wait_until: Instant,
) -> Result<(), Code> {
    let line = engine.reads.line(&repo.id);
    let arrival = engine.clock.now();
    let wish = Wish { arrival, wait_until, patience: engine.settings.live_check_patience, sweep: false };
    let mut began_since = fresh_since;
    loop {
        let admit = || engine.github.admit_first(&repo.name);
        let booking = take_seat(engine, &line, &repo, began_since, false, admit);
        let booking = booking.map_err(|refusal| refusal.code())?;
        let failed_before = matches!(&booking, Booking::Ended(end) if end.failure.is_some());
        if failed_before && began_since <= arrival {
            // That one failed; the next begins after it.
            began_since = arrival.plus(Duration::from_millis(1));
            continue;
        }
        return match settle(engine, booking, wish).await.0 {
            Outcome::Unchanged | Outcome::Changed => Ok(()),
            Outcome::Failed(code) | Outcome::Left(Some(code)) => Err(code),
            Outcome::Left(None) => Err(Code::StillReading { waited_ms: 0 }),
        };
    }
}

/// One repository's place in a read.
enum Booking {
    Seat {
        waiter: Waiter<ReadEnd>,
    },
    Ended(Arc<ReadEnd>),
    /// No read may begin now; the whole report says why.
    Left,
    /// No read may begin, for a reason that this repository shares with few.
    Refused(Code),
}

struct Booked {
    bookings: Vec<(TrackedRepo, Booking)>,
    pauses: Vec<Pause>,
}

/// Credentials that rest.
struct Pause {
    /// Where there are several: whose.
    account: Option<String>,
    refusal: Backoff,
    /// Repositories that nobody looked at lately.
    left_out: usize,
}

impl Pause {
    /// Running out of points is worth a warning only for repositories that waited long already.
    fn notice(&self) -> Option<Notice> {
        let code = match (self.refusal.kind, self.left_out) {
            (BackoffKind::Points { .. }, 0) => return None,
            (BackoffKind::Points { .. }, left_out) => Code::PointsUsedUp { left_out },
            _ => self.refusal.code(),
        };
        Some(Notice::sync_whole(code).seen_by(self.account.as_deref()))
    }
}

impl Booked {
    /// A repository that must wait.
    fn leave(&mut self, engine: &Engine, repo: TrackedRepo, refusal: Backoff, lately: bool) {
        let code = refusal.code();
        if !code.is_patience() && code.severity() == Severity::Warning {
            self.bookings.push((repo, Booking::Refused(code)));
            return;
        }
        let account = engine.github.account(&repo.name);
        let left_out = usize::from(!lately);
        match self.pauses.iter_mut().find(|pause| pause.account.as_deref() == account) {
            Some(pause) => {
                pause.refusal = refusal;
                pause.left_out += left_out;
            }
            None => self.pauses.push(Pause { account: account.map(str::to_owned), refusal, left_out }),
        }
        self.bookings.push((repo, Booking::Left));
    }
}

/// Books a read for each repository without waiting for any, longest unchecked first: when the points of
/// this minute run out, the freshest are left to the next pass.
fn book(engine: &Engine, mut repos: Vec<TrackedRepo>, wish: Wish) -> Booked {
    // Once for each: reads that end meanwhile change it, and an order that changes is none.
    repos.sort_by_cached_key(|repo| (engine.reads.checked_at(repo), repo.name.key()));
    // A sweep is never shared with a read that began without it.
    let fresh_since =
        if wish.sweep { Timestamp(i64::MAX) } else { wish.arrival.minus(engine.settings.sync_max_staleness) };
    let mut booked = Booked { bookings: Vec::with_capacity(repos.len()), pauses: Vec::new() };
    for repo in repos {
        let line = engine.reads.line(&repo.id);
        let checked = engine.reads.checked_at(&repo);
        let admit = || engine.github.admit(&repo.name);
        match take_seat(engine, &line, &repo, fresh_since, wish.sweep, admit) {
            Ok(booking) => booked.bookings.push((repo, booking)),
            Err(refusal) => {
                let lately = checked.is_some_and(|at| wish.arrival.since(at) <= LEFT_OUT_QUIETLY);
                booked.leave(engine, repo, refusal, lately);
            }
        }
    }
    booked
}

fn take_seat(
    engine: &Engine,
    line: &Arc<Line>,
    repo: &TrackedRepo,
    fresh_since: Timestamp,
    sweep: bool,
    admit: impl FnOnce() -> Result<Point, Backoff>,
) -> Result<Booking, Backoff> {
    let order = |point| Order { point, sweep, ids: engine.ids.fork(), repo: repo.clone() };
    let admit = || admit().map(order);
    let seat = line.flight.seat(fresh_since, engine.clock.now(), |order| order.sweep |= sweep, admit)?;
    Ok(match seat {
        Seat::Ended(end) => Booking::Ended(end),
        Seat::Waiting(waiter) => Booking::Seat { waiter },
        Seat::First(waiter) => {
            start(engine, line);
            Booking::Seat { waiter }
        }
    })
}

/// Reads in a task of the server: the caller's time-out ends the waiting, never the read.
fn start(engine: &Engine, line: &Arc<Line>) {
    let (engine, line) = (engine.clone(), Arc::clone(line));
    engine.clone().tasks.spawn(async move {
        let work = |order: Order, began| read::read(&engine, &line, order, began);
        line.flight.fly(|| engine.clock.now(), work).await;
    });
}

async fn settle(engine: &Engine, booking: Booking, wish: Wish) -> (Outcome, Touched) {
    match booking {
        Booking::Left => (Outcome::Left(None), Touched::default()),
        Booking::Refused(code) => (Outcome::Failed(code), Touched::default()),
        // It had ended when the caller arrived: what it touched is not this caller's news.
        Booking::Ended(end) => (Outcome::of(end.failure.as_ref(), 0), Touched::default()),
        Booking::Seat { waiter } => match patiently(engine, waiter, wish).await {
            Ok(end) => (Outcome::of(end.failure.as_ref(), end.touched.count), end.touched.clone()),
            Err(outcome) => (outcome, Touched::default()),
        },
    }
}

/// Waits for a read, but not past the caller's deadline nor the server's stop.
async fn patiently(engine: &Engine, waiter: Waiter<ReadEnd>, wish: Wish) -> Result<Arc<ReadEnd>, Outcome> {
    let waiting = engine.tasks.stopping().run_until_cancelled(waiter.wait());
    match tokio::time::timeout_at(wish.wait_until, waiting).await {
        Ok(Some(Some(end))) => Ok(end),
        Ok(Some(None)) => Err(Outcome::Failed(Code::ReadAborted)),
        Ok(None) => Err(Outcome::Left(Some(Code::Stopping))),
        Err(_) => {
            let waited_ms = u64::try_from(wish.patience.as_millis()).unwrap_or(u64::MAX);
            Err(Outcome::Left(Some(Code::StillReading { waited_ms })))
        }
    }
}

impl Outcome {
    fn of(failure: Option<&Code>, touched: u64) -> Self {
        match failure {
            None if touched == 0 => Self::Unchanged,
            None => Self::Changed,
            // A read that stopped because it was asked to has not failed.
            Some(code) if code.is_patience() => Self::Left(Some(code.clone())),
            Some(code) => Self::Failed(code.clone()),
        }
    }
}

/// Adds what is not said yet. Of two pauses for one reason, learned of at different moments, the longer counts.
fn say(notices: &mut Vec<Notice>, notice: Notice) {
    let is_same = |said: &&mut Notice| {
        let pauses = said.code.until().is_some() && said.code.name() == notice.code.name();
        **said == notice || (pauses && said.subject == notice.subject)
    };
    match notices.iter_mut().find(is_same) {
        Some(said) if said.code.until() < notice.code.until() => *said = notice,
        Some(_) => {}
        None => notices.push(notice),
    }
}

/// The messages about repositories, in the order of their names.
fn notices_of(engine: &Engine, repos: &[RepoReport]) -> Vec<Notice> {
    let mut notices: Vec<Notice> = Vec::new();
    let mut failed = 0;
    let is_read = |report: &RepoReport| matches!(report.outcome, Outcome::Unchanged | Outcome::Changed);
    let any_read = repos.iter().any(is_read);
    for RepoReport { repo, outcome, .. } in repos {
        let code = match outcome {
            Outcome::Failed(code) => {
                failed += 1;
                code
            }
            Outcome::Left(Some(code)) => code,
            Outcome::Unchanged | Outcome::Changed | Outcome::Left(None) => continue,
        };
        let code = match code {
            // The others were read, so the address is right: it is this answer that is wrong.
            Code::NotGitHub if any_read => &Code::AnswerMalformed,
            code => code,
        };
        let account = engine.github.account(&repo.name);
        notices.push(Notice::sync(&repo.name, code.clone()).seen_by(account));
    }
    if failed > 0 && failed == repos.len() {
        notices.push(Notice::sync_whole(Code::EveryRepoFailed { count: failed }));
    }
    notices
}
