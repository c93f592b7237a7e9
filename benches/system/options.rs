//! The command line of the benchmark.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures a release build against the simulated GitHub, each as a process of its own.
#[derive(Parser)]
#[command(name = "scripts/bench")]
pub struct Options {
    /// What to measure
    group: Group,
    /// Fewer and shorter rounds, and a smaller cold load
    #[arg(long)]
    pub quick: bool,
    /// Only this case; may be given several times
    #[arg(long, value_name = "CASE")]
    only: Vec<Case>,
    /// Only this database
    #[arg(long, value_name = "DATABASE")]
    db: Option<Backend>,
    /// Run the fleet of a hundred agents for so many minutes
    #[arg(long, value_name = "MINUTES")]
    pub long: Option<u64>,
    /// The program `dispatch`, built for release
    #[arg(long, value_name = "FILE", env = "BENCH_DISPATCH", hide = true)]
    pub dispatch: PathBuf,
    /// The program `github-sim`, built for release
    #[arg(long, value_name = "FILE", env = "BENCH_GITHUB_SIM", hide = true)]
    pub github_sim: PathBuf,
    /// A PostgreSQL where databases may be created: postgres://user@host:port
    #[arg(long, value_name = "URL", env = "BENCH_POSTGRES", hide = true)]
    pub postgres: Option<String>,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// One pass and many: issue 2's table
    Heartbeat,
    /// Asking for work and claiming it: issue 4's table
    Queue,
    /// What GitHub delivers by itself: issue 6's table
    Webhooks,
    /// What operators look at: issue 7's table
    Board,
}

/// A row of an issue's table, or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Nothing changed in 10 repositories
    Unchanged,
    /// Nothing changed in 100 repositories
    UnchangedMany,
    /// One issue changed in one of 10 repositories
    Changed,
    /// A thousand heartbeats at once
    Crowd,
    /// Heartbeats at a steady rate
    Steady,
    /// The first load of many large repositories
    Cold,
    /// A hundred agents, each at its own time
    Fleet,
    /// What an unchanged world costs a GitHub App in three hours
    Hours,
    /// Memory at rest, time to start, size
    Idle,
    /// Agents ask for their next task at a steady rate
    Polls,
    /// A hundred agents ask an idle queue once a second
    IdlePolls,
    /// Claims of distinct issues over 16 connections
    Claims,
    /// Ten thousand deliveries at a steady rate, some of them astray, and a kill in their middle
    Deliveries,
    /// The board and the overview of a large fleet
    Pages,
    /// Fifty open boards while issues change
    Boards,
}

impl Case {
    const fn group(self) -> Group {
        match self {
            Self::Polls | Self::IdlePolls | Self::Claims => Group::Queue,
            Self::Deliveries => Group::Webhooks,
            Self::Pages | Self::Boards => Group::Board,
            _ => Group::Heartbeat,
        }
    }
}

/// A database of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

impl Options {
    pub fn cases(&self) -> Vec<Case> {
        let named = |case: &Case| self.only.is_empty() || self.only.contains(case);
        let wanted = |case: &&Case| case.group() == self.group && named(case);
        Case::value_variants().iter().filter(wanted).copied().collect()
    }

    pub fn backends(&self) -> Vec<Backend> {
        let wanted = |backend: &&Backend| self.db.is_none_or(|only| only == **backend);
        Backend::value_variants().iter().filter(wanted).copied().collect()
    }

    /// Measured rounds: `full` of them, or `quick`.
    pub const fn rounds(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}
