//! The command line: arguments, what is printed, and the exit code.

mod backup;
mod client;
mod data_dir;
mod demo;
mod doctor;
mod first_start;
mod greeting;
mod heartbeat;
mod log;
mod open;
mod progress;
mod records;
mod repo;
pub mod serve;
mod show;
mod token;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

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
    /// Shows Dispatch at work: a simulated GitHub, the server, and a few agents.
    Demo(demo::Demo),
    /// Runs one heartbeat of an agent: on a server, or --local.
    Heartbeat(heartbeat::Heartbeat),
    /// Tracked repositories: add, remove, list, sync.
    Repo(repo::Repo),
    /// Lists runs of agents.
    Runs(records::Runs),
    /// Lists the audit log.
    Audit(records::Audit),
    /// Tokens: create, list, revoke.
    Token(token::Token),
    /// Checks the set-up and says what to mend.
    Doctor(doctor::Doctor),
    /// Copies the embedded database to a file, while the server runs.
    Backup(backup::Backup),
    /// Prints completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
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
            Command::Demo(demo) => demo.run().await,
            Command::Heartbeat(heartbeat) => heartbeat.run().await,
            Command::Repo(repo) => repo.run().await,
            Command::Runs(runs) => runs.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::Token(token) => token.run().await,
            Command::Doctor(doctor) => doctor.run().await,
            Command::Backup(backup) => backup.run().await,
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "dispatch", &mut std::io::stdout());
                Ok(ExitCode::SUCCESS)
            }
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
