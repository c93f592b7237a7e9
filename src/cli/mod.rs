//! The command line: arguments, what is printed, and the exit code.

mod data_dir;
mod heartbeat;
mod log;
mod open;
pub mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Turns GitHub issues into claimable work for coding agents, and keeps the record.
#[derive(Parser)]
#[command(name = "dispatch", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server until Ctrl-C or SIGTERM.
    Serve(serve::Serve),
    /// Runs one heartbeat of an agent and prints its answer as JSON.
    Heartbeat(heartbeat::Heartbeat),
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime could not start")),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => serve.run().await,
            Command::Heartbeat(heartbeat) => heartbeat.run().await,
        }
    });
    // What still blocks (a stuck disk, a name look-up) does not hold up the end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| fail(&error))
}

#[expect(clippy::print_stderr, reason = "the last words of a command go to the terminal, not to the log")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("dispatch: {error:#}");
    ExitCode::from(2)
}
