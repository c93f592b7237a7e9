//! `dispatch doctor`: looks at everything that a server needs, changes nothing, and says what to mend.

mod access;
mod configuration;
mod database;
mod directory;
mod files;
mod github;
mod port;
mod report;
mod repositories;
mod rights;
mod webhooks;
mod words;

use std::process::ExitCode;

use clap::Args;

use self::report::Report;
use super::{log, progress::spinner, show::Format};
use crate::{
    clock::Clock,
    config::{Draft, Settings},
};

/// What `dispatch doctor --help` ends with.
pub const MORE: &str = "\
It changes nothing and may run beside a live server. Run it as the server's user and with its environment. Each line \
is ok, warning or error, and ends with what to do.

Examples:
  dispatch doctor
  dispatch doctor --json --strict

Exit codes: 0 nothing is wrong, or only warnings; 1 a warning, with --strict; 2 something is an error.";

/// Checks the set-up: configuration, data directory, database, port, tokens, GitHub and each repository.
#[derive(Args)]
pub struct Doctor {
    /// A warning ends with exit code 1.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    settings: Settings,
}

impl Doctor {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        // What goes wrong is what the report is about.
        log::start("off", self.settings.logging());
        let mut report = Report::default();
        examine(&self.settings, &mut report).await;
        report.print(self.format)?;
        Ok(report.exit_code(self.strict))
    }
}

async fn examine(settings: &Settings, report: &mut Report) {
    let draft = Draft::read(settings);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    configuration::check(&draft, names, report);
    directory::check(&draft, report);
    files::check(&draft, report);
    let clock = Clock::System;
    let mut seen = database::Seen::default();
    if let Some(database) = &draft.database {
        let progress = spinner("looking at the database");
        seen = database::check(database, &clock, report).await;
        progress.finish_and_clear();
    }
    if let Some(bind) = draft.bind {
        port::check(bind, report).await;
    }
    access::check(&draft, &seen, report);
    let receives = draft.receives_webhooks();
    if let Some(settings) = draft.github {
        let repos = repositories::union(seen.tracked, draft.repositories.unwrap_or_default());
        let progress = spinner("asking GitHub");
        github::check(settings, &repos, &clock, receives, report).await;
        progress.finish_and_clear();
    }
}
