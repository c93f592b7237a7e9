//! `dispatch selftest`: what must never fail, tried on a running server.

mod course;
mod race;
mod tally;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub const MORE: &str = "\
Examples:
  dispatch selftest claim-race --yes
  dispatch selftest claim-race --agents 64 --rounds 1000 --issue acme/api#7 --yes --json

Exit codes: 0 it holds; 1 it does not, and the summary says how; 2 error: it could not be tried.";

/// Tries on a running server what must never fail.
#[derive(Args)]
pub struct Selftest {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Let many agents claim one issue at once, round after round: in each exactly one may get it.
    #[command(after_help = race::MORE)]
    ClaimRace(race::ClaimRace),
}

impl Selftest {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::ClaimRace(race) => race.run().await,
        }
    }
}
