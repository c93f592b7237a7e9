//! When periodic verbs run. A lone server keeps itself fresh; agents' heartbeats call the same verbs.

pub mod jobs;
mod repeat;
mod term;

use std::{collections::BTreeMap, time::Duration};

use crate::engine::{Engine, lead::Office};
use jobs::{JOBS, Job, Verb};

/// What runs by itself, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Off: nothing but what the record needs.
    pub enabled: bool,
    /// No job begins before; that GitHub and the database are not met by all at once, each waits a little longer.
    pub startup_delay: Duration,
    /// By the job's name; zero is never.
    pub intervals: BTreeMap<&'static str, Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        let intervals = JOBS.iter().map(|job| (job.name, job.every)).collect();
        Self { enabled: true, startup_delay: Duration::from_secs(5), intervals }
    }
}

impl Settings {
    /// How often the job runs from now on; zero is never.
    pub fn set(&mut self, job: &Job, every: Duration) {
        self.intervals.insert(job.name, every);
    }

    /// How often the job runs; `None` is never.
    pub fn interval(&self, job: &Job) -> Option<Duration> {
        let every = self.intervals.get(job.name).copied().unwrap_or(job.every);
        ((self.enabled || job.is_needed) && !every.is_zero()).then_some(every)
    }
}

/// Starts the periodic verbs; they end when the server stops.
pub fn start(engine: &Engine, settings: &Settings) {
    let begin = engine.clock().now().plus(settings.startup_delay);
    let (mut record, mut scheduled) = (Vec::new(), Vec::new());
    for job in &JOBS {
        let Some(every) = settings.interval(job) else { continue };
        engine.jobs().announce(job.name, every);
        match job.verb {
            Verb::Everywhere(verb) => repeat::everywhere(engine, (job.name, every), verb),
            Verb::Led(verb) => {
                let jobs = if job.is_needed { &mut record } else { &mut scheduled };
                jobs.push(repeat::Led { name: job.name, every, verb });
            }
        }
    }
    for (office, jobs) in [(Office::Record, record), (Office::Scheduler, scheduled)] {
        if jobs.is_empty() {
            continue;
        }
        let candidate = engine.clone();
        engine.tasks().spawn(async move { term::stand(candidate, office, jobs, begin).await });
    }
}
