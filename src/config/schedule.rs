//! What runs by itself, and how often.

use std::{collections::BTreeMap, time::Duration};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::{
    ConfigError,
    values::{self, millis},
};
use crate::scheduler::{
    self,
    jobs::{JOBS, Job, Setting},
};

const HEADING: &str = "Scheduler";

/// Variables of the scheduler.
#[derive(Args, Clone, Default)]
pub struct Schedule {
    /// `false`: nothing runs by itself; agents' heartbeats and cron jobs do all [default: true]
    #[arg(long, env = "DISPATCH_SCHEDULER_ENABLED", value_name = "BOOL", help_heading = HEADING)]
    scheduler_enabled: Option<String>,
    /// Milliseconds after the start before anything runs by itself; jobs then begin one after the other [default: 5000]
    #[arg(long, env = "DISPATCH_SCHEDULER_STARTUP_DELAY_MS", value_name = "MS", help_heading = HEADING)]
    scheduler_startup_delay_ms: Option<String>,
    /// Milliseconds between syncs of a repository whose webhook is alive, where that is longer than between others; heartbeats look as ever [default: 900000]
    #[arg(long, env = "DISPATCH_SYNC_WEBHOOK_INTERVAL_MS", value_name = "MS", help_heading = HEADING)]
    sync_webhook_interval_ms: Option<String>,
    #[command(flatten)]
    intervals: Intervals,
}

/// One variable for each job that has one: they are made from the table of jobs.
#[derive(Clone, Default)]
struct Intervals(BTreeMap<&'static str, String>);

fn adjustable() -> impl Iterator<Item = (&'static Job, Setting)> {
    JOBS.iter().filter_map(|job| Some((job, job.setting?)))
}

impl FromArgMatches for Intervals {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut intervals = Self::default();
        intervals.update_from_arg_matches(matches)?;
        Ok(intervals)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (_, setting) in adjustable() {
            if let Some(value) = matches.get_one::<String>(setting.variable) {
                self.0.insert(setting.variable, value.clone());
            }
        }
        Ok(())
    }
}

impl Args for Intervals {
    fn augment_args(command: Command) -> Command {
        adjustable().fold(command, |command, (job, setting)| {
            let help = format!("{} [default: {}]", setting.help, job.every.as_millis());
            let arg = Arg::new(setting.variable).long(setting.flag).env(setting.variable);
            command.arg(arg.value_name("MS").help(help).help_heading(HEADING))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Checks every value.
pub fn read(schedule: &Schedule) -> Result<scheduler::Settings, ConfigError> {
    const DELAY: &str = "DISPATCH_SCHEDULER_STARTUP_DELAY_MS";
    let enabled = schedule.scheduler_enabled.as_ref();
    let enabled = values::boolean("DISPATCH_SCHEDULER_ENABLED", enabled, true)?;
    let startup_delay = millis(DELAY, schedule.scheduler_startup_delay_ms.as_ref(), 0, 5_000)?;
    let mut settings = scheduler::Settings { enabled, startup_delay, ..scheduler::Settings::default() };
    for (job, setting) in adjustable() {
        let default = u64::try_from(job.every.as_millis()).unwrap_or(u64::MAX);
        let every = millis(setting.variable, schedule.intervals.0.get(setting.variable), 0, default)?;
        settings.set(job, every);
    }
    Ok(settings)
}

/// How often the scheduler reads repositories whose webhook is alive.
pub fn stretched(schedule: &Schedule) -> Result<Duration, ConfigError> {
    const INTERVAL: &str = "DISPATCH_SYNC_WEBHOOK_INTERVAL_MS";
    millis(INTERVAL, schedule.sync_webhook_interval_ms.as_ref(), 0, 900_000)
}

/// How often claims that ran out are looked for, besides heartbeats; zero is never.
pub fn recovery(settings: &scheduler::Settings) -> Duration {
    settings.interval(&scheduler::jobs::STALE_WORK).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(variable: &'static str, value: &str) -> Result<scheduler::Settings, ConfigError> {
        let intervals = Intervals(BTreeMap::from([(variable, value.to_owned())]));
        read(&Schedule { intervals, ..Schedule::default() })
    }

    #[test]
    fn where_nothing_is_set_the_table_holds() {
        assert_eq!(read(&Schedule::default()).unwrap(), scheduler::Settings::default());
    }

    #[test]
    fn zero_is_never_and_nonsense_is_refused() {
        for (job, setting) in adjustable() {
            assert_eq!(set(setting.variable, "0").unwrap().interval(job), None, "{}", job.name);
            let second = Some(Duration::from_secs(1));
            assert_eq!(set(setting.variable, "1000").unwrap().interval(job), second, "{}", job.name);
            assert_eq!(set(setting.variable, "often").unwrap_err().variable, setting.variable);
        }
    }

    #[test]
    fn what_the_record_needs_runs_where_the_scheduler_is_off() {
        let off = Schedule { scheduler_enabled: Some("false".into()), ..Schedule::default() };
        let settings = read(&off).unwrap();
        let on: Vec<&str> =
            JOBS.iter().filter(|job| settings.interval(job).is_some()).map(|job| job.name).collect();
        assert_eq!(on, ["renew", "retention", "webhooks", "settle"]);
        assert!(read(&Schedule { scheduler_enabled: Some("yes".into()), ..Schedule::default() }).is_err());
    }
}
