//! One job, again and again: when it is due, whether it may begin, and what its run came to.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use super::jobs::Doing;
use crate::{
    domain::{
        notice::{Notice, Severity},
        time::Timestamp,
    },
    engine::{Engine, lead::Leader},
    metrics::Stopwatch,
    store,
};

/// First runs and takeovers are spread over this much time, or over the job's interval if that is less.
const SPREAD: Duration = Duration::from_mins(1);
/// The first pause after a failure, unless the interval is shorter; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
/// The longest pause after failures, unless the interval is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// A job that the leader runs.
#[derive(Clone, Copy)]
pub struct Led {
    pub name: &'static str,
    pub every: Duration,
    pub verb: fn(Engine, Leader) -> Doing,
}

/// Runs a job of every process, at its interval and no other: others rely on it.
pub fn everywhere(engine: &Engine, (name, every): (&'static str, Duration), verb: fn(Engine) -> Doing) {
    let engine = engine.clone();
    engine.clone().tasks().spawn(async move {
        let stopping = engine.tasks().stopping().clone();
        let mut last = Last::default();
        loop {
            let next = engine.clock().now().plus(every);
            engine.jobs().plan(name, next);
            // Only the waiting is cut off, never the verb.
            if stopping.run_until_cancelled(engine.clock().sleep_until(next)).await.is_none() {
                return;
            }
            run(&engine, name, verb(engine.clone()), &mut last).await;
        }
    });
}

/// Runs a job of the leader until its term is over; what runs then comes to its end.
pub fn as_leader(engine: &Engine, job: Led, leader: &Leader, begin: Timestamp) -> JoinHandle<()> {
    let (engine, leader) = (engine.clone(), leader.clone());
    engine.clone().tasks().spawn(async move {
        let Led { name, every, verb } = job;
        let mut last = Last::default();
        let mut next = begin.max(engine.clock().now()).plus(engine.ids.jitter(every.min(SPREAD)));
        loop {
            engine.jobs().plan(name, next);
            let due = leader.over().run_until_cancelled(engine.clock().sleep_until(next)).await;
            if due.is_none() || !leader.leads() {
                break;
            }
            run(&engine, name, verb(engine.clone(), leader.clone()), &mut last).await;
            let pause = last.pause(every);
            next = engine.clock().now().plus(pause + engine.ids.jitter(pause / 10));
        }
        engine.jobs().drop(name);
    })
}

/// What the last run left to be known.
#[derive(Default)]
struct Last {
    /// Runs that failed in a row.
    failures: u32,
    /// What it warned of: the same again is not news.
    said: Vec<Notice>,
}

impl Last {
    /// How long after its end the next run begins.
    fn pause(&self, every: Duration) -> Duration {
        let Some(doublings) = self.failures.checked_sub(1) else { return every };
        let first = every.min(FIRST_PAUSE);
        first.saturating_mul(1 << doublings.min(16)).min(every.max(LONGEST_PAUSE))
    }
}

async fn run(engine: &Engine, name: &'static str, doing: Doing, last: &mut Last) {
    engine.jobs().begin(name, engine.clock().now());
    tracing::debug!(job = name, "a job begins");
    let watch = Stopwatch::start();
    // A panic is a fault of ours, and still no reason never to run the job again.
    let outcome = AssertUnwindSafe(doing).catch_unwind().await;
    let took = watch.elapsed();
    let failure = if let Ok(outcome) = outcome {
        let failure = judge(name, &outcome);
        tell(name, outcome.unwrap_or_default(), last);
        failure
    } else {
        tracing::error!(job = name, "a periodic job panicked; it is tried again");
        Some("it panicked; the log has the cause".to_owned())
    };
    last.failures = if failure.is_some() { last.failures.saturating_add(1) } else { 0 };
    engine.meters().jobs.ran(name, failure.is_none(), took);
    tracing::debug!(job = name, ms = took.as_millis(), failed = failure.is_some(), "a job ended");
    engine.jobs().end(name, engine.clock().now(), failure);
}

/// Why a run failed, in words that anybody may read: they name no repository.
fn judge(name: &str, outcome: &store::Result<Vec<Notice>>) -> Option<String> {
    match outcome {
        Ok(notices) => {
            let critical = notices.iter().find(|notice| notice.severity() == Severity::Critical)?;
            Some(format!("{}; {}", critical.code.what(), critical.code.remedy()))
        }
        Err(error) => {
            tracing::warn!(%error, job = name, "a periodic job failed; it is tried again");
            Some("the database failed; the log has the cause".to_owned())
        }
    }
}

fn tell(name: &str, notices: Vec<Notice>, last: &mut Last) {
    for notice in &notices {
        if last.said.contains(notice) {
            tracing::debug!(job = name, "{notice}");
        } else {
            tracing::warn!(job = name, "{notice}");
        }
    }
    last.said = notices;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tried_again_soon_and_then_ever_later() {
        let pauses = |every: Duration| -> Vec<u64> {
            let pause = |failures| Last { failures, said: Vec::new() }.pause(every).as_secs();
            [0, 1, 2, 3, 5, 8, 99].map(pause).to_vec()
        };
        assert_eq!(pauses(Duration::from_secs(5)), [5, 5, 10, 20, 80, 640, 900]);
        assert_eq!(pauses(Duration::from_mins(15)), [900, 60, 120, 240, 900, 900, 900]);
        assert_eq!(pauses(Duration::from_hours(24)), [86_400, 60, 120, 240, 960, 7_680, 86_400]);
    }
}
