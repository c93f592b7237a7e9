//! How periodic jobs fare in this process, for whoever looks after it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use crate::domain::time::Timestamp;

/// No job runs longer where all is well: a sync waits five minutes at most, and many sweeps one after the other do not.
const LONGEST_RUN: Duration = Duration::from_mins(30);

/// A job that is switched on.
#[derive(Clone, Debug)]
pub struct JobState {
    pub name: &'static str,
    pub interval: Duration,
    /// When its last run ended here.
    pub last_run_at: Option<Timestamp>,
    /// When it runs next here; nothing while it runs, and where another process leads.
    pub next_run_at: Option<Timestamp>,
    /// Why its last run failed, in words that name no repository.
    pub last_error: Option<String>,
    /// Since when it has been running here.
    began_at: Option<Timestamp>,
}

impl JobState {
    /// Is its next run late by more than two intervals here, or does this one take longer than any should?
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let late = |at: Option<Timestamp>, by| at.is_some_and(|at| now.since(at) > by);
        let most = 2 * self.interval;
        late(self.next_run_at, most) || late(self.began_at, most.max(LONGEST_RUN))
    }
}

/// All jobs that are switched on.
#[derive(Debug, Default)]
pub struct Jobs {
    states: Mutex<Vec<JobState>>,
    leads: AtomicBool,
}

impl Jobs {
    /// A job exists; whether it runs here is said later.
    pub fn announce(&self, name: &'static str, interval: Duration) {
        let state = JobState {
            name,
            interval,
            last_run_at: None,
            next_run_at: None,
            last_error: None,
            began_at: None,
        };
        self.states.lock().push(state);
    }

    /// It runs here, next at this time.
    pub fn plan(&self, name: &str, at: Timestamp) {
        self.change(name, |job| job.next_run_at = Some(at));
    }

    pub fn begin(&self, name: &str, at: Timestamp) {
        self.change(name, |job| (job.next_run_at, job.began_at) = (None, Some(at)));
    }

    pub fn end(&self, name: &str, at: Timestamp, error: Option<String>) {
        self.change(name, |job| (job.last_run_at, job.last_error, job.began_at) = (Some(at), error, None));
    }

    /// It runs here no more.
    pub fn drop(&self, name: &str) {
        self.change(name, |job| (job.next_run_at, job.began_at) = (None, None));
    }

    pub fn lead(&self, leads: bool) {
        self.leads.store(leads, Ordering::Relaxed);
    }

    /// Does this process run the jobs that only one may run?
    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }

    pub fn list(&self) -> Vec<JobState> {
        self.states.lock().clone()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut JobState)) {
        if let Some(job) = self.states.lock().iter_mut().find(|job| job.name == name) {
            change(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overdue_is_what_should_have_begun_or_ended_here_long_ago() {
        let jobs = Jobs::default();
        jobs.announce("sync", Duration::from_millis(100));
        let overdue = |at| jobs.list()[0].is_overdue(Timestamp(at));
        assert!(!overdue(9_999), "nobody planned it here");
        jobs.plan("sync", Timestamp(50));
        assert_eq!((overdue(250), overdue(251)), (false, true), "its first run, too");
        jobs.begin("sync", Timestamp(52));
        assert_eq!((overdue(1_800_052), overdue(1_800_053)), (false, true), "it hangs");
        jobs.end("sync", Timestamp(60), Some("the database failed".to_owned()));
        jobs.plan("sync", Timestamp(160));
        assert_eq!((overdue(360), overdue(361)), (false, true));
        jobs.drop("sync");
        assert!(!overdue(9_999), "another process runs it");
        assert_eq!(jobs.list()[0].last_error.as_deref(), Some("the database failed"));
    }
}
