//! The command line: arguments, what is printed, and the exit code.

mod agent;
mod audit;
mod backup;
mod client;
mod data_dir;
mod demo;
mod doctor;
mod first_start;
mod greeting;
mod heartbeat;
mod issue_actions;
mod log;
mod login_link;
mod open;
mod outbox;
mod progress;
mod records;
mod repo;
mod selftest;
pub mod serve;
mod show;
mod stream;
mod token;
mod usage;
mod watch;
mod webhook;

use std::process::ExitCode;

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    builder::styling::{AnsiColor, Styles},
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Turns GitHub issues into claimable work for coding agents, and keeps the record.
#[derive(Parser)]
#[command(
    name = "dispatch",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100,
    styles = STYLES,
    after_help = "\
Try it:
  dispatch demo                                               needs nothing beside itself
  dispatch heartbeat me --local --repo octocat/hello-world    one pass over a public repository

Exit codes: 0 done; 2 error, said in a line or two on standard error, with --json too (standard output \
then stays empty); 3 there is nothing to do (`next`); 4 the issue is another's, or the claim is lost (`claim`, `checkpoint`, \
`release`, `heartbeat`). Each command's help says which are its own."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until Ctrl-C or SIGTERM.
    #[command(after_help = serve::MORE)]
    Serve(serve::Serve),
    /// Show Dispatch at work: a simulated GitHub, the server, and a few agents.
    #[command(after_help = demo::MORE)]
    Demo(demo::Demo),
    /// Run one heartbeat of an agent: on a server, or --local.
    #[command(after_help = heartbeat::MORE)]
    Heartbeat(heartbeat::Heartbeat),
    /// Ask what an agent does next.
    #[command(after_help = agent::next::MORE)]
    Next(agent::next::Next),
    /// Claim an issue for an agent.
    #[command(after_help = agent::claim::MORE_OF_CLAIM)]
    Claim(agent::claim::Claim),
    /// Give an issue up.
    #[command(after_help = agent::claim::MORE_OF_RELEASE)]
    Release(agent::claim::Release),
    /// Tell how far an agent is; renews its claim.
    #[command(after_help = agent::checkpoint::MORE)]
    Checkpoint(agent::checkpoint::Say),
    /// Report what came of a task.
    #[command(after_help = agent::report::MORE)]
    Report(agent::report::Report),
    /// List what an agent is served, first things first.
    #[command(after_help = agent::queue::MORE_OF_QUEUE)]
    Queue(agent::queue::Queue),
    /// Say why an issue is in the queue of an agent, or what keeps it out.
    #[command(after_help = agent::queue::MORE_OF_WHY)]
    Why(agent::queue::Why),
    /// Tracked repositories: add, remove, list, sync.
    #[command(after_help = repo::MORE)]
    Repo(repo::Repo),
    /// List runs of agents, newest first.
    #[command(after_help = records::MORE_OF_RUNS)]
    Runs(records::Runs),
    /// List the audit log, newest first.
    #[command(after_help = audit::MORE)]
    Audit(audit::Audit),
    /// Say what changes while it changes.
    #[command(after_help = watch::MORE)]
    Watch(watch::Watch),
    /// Webhooks of repositories on GitHub: add, status, remove.
    #[command(after_help = webhook::MORE)]
    Webhook(webhook::Webhook),
    /// Writes to GitHub that wait, were made or failed: list, retry, discard.
    #[command(after_help = outbox::MORE)]
    Outbox(outbox::Outbox),
    /// Move an issue to another column of the board.
    #[command(after_help = issue_actions::MORE_OF_MOVE)]
    Move(issue_actions::Move),
    /// Add a label to an issue.
    #[command(after_help = issue_actions::MORE_OF_LABEL)]
    Label(issue_actions::Label),
    /// Remove a label from an issue.
    #[command(after_help = issue_actions::MORE_OF_UNLABEL)]
    Unlabel(issue_actions::Unlabel),
    /// Comment on an issue.
    #[command(after_help = issue_actions::MORE_OF_COMMENT)]
    Comment(issue_actions::Comment),
    /// Assign an issue to an agent or to a person.
    #[command(after_help = issue_actions::MORE_OF_ASSIGN)]
    Assign(issue_actions::Assign),
    /// Take an issue from whoever it is assigned to.
    #[command(after_help = issue_actions::MORE_OF_UNASSIGN)]
    Unassign(issue_actions::Unassign),
    /// Record what grooming an issue came to.
    #[command(after_help = issue_actions::MORE_OF_GROOM)]
    Groom(issue_actions::Groom),
    /// Tokens: create, list, revoke.
    #[command(after_help = token::MORE)]
    Token(token::Token),
    /// Make a link that signs a person in at the board, once.
    #[command(after_help = login_link::MORE)]
    LoginLink(login_link::LoginLink),
    /// Check the set-up and say what to mend.
    #[command(after_help = doctor::MORE)]
    Doctor(doctor::Doctor),
    /// Try on a running server what must never fail.
    #[command(after_help = selftest::MORE)]
    Selftest(selftest::Selftest),
    /// Copy the embedded database to a file, while the server runs.
    #[command(after_help = backup::MORE)]
    Backup(backup::Backup),
    /// Print completions for a shell.
    #[command(after_help = MORE_OF_COMPLETIONS)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

const MORE_OF_COMPLETIONS: &str = "\
Examples:
  dispatch completions bash > ~/.local/share/bash-completion/completions/dispatch
  dispatch completions zsh > ~/.zfunc/_dispatch
  dispatch completions fish > ~/.config/fish/completions/dispatch.fish";

/// Every command with its arguments and help, as this program reads them.
pub fn command() -> clap::Command {
    without_values(Cli::command()).mut_subcommands(|command| match command.get_name() {
        "heartbeat" => heartbeat::shorten_help(command),
        _ => command,
    })
}

/// Help never shows what a variable is set to: it may be a secret.
fn without_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(without_values)
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime could not start")),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Serve(serve) => serve.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::Heartbeat(heartbeat) => Box::pin(heartbeat.run()).await,
            Command::Next(next) => next.run().await,
            Command::Claim(claim) => claim.run().await,
            Command::Release(release) => release.run().await,
            Command::Checkpoint(say) => say.run().await,
            Command::Report(report) => report.run().await,
            Command::Queue(queue) => queue.run().await,
            Command::Why(why) => why.run().await,
            Command::Repo(repo) => repo.run().await,
            Command::Runs(runs) => runs.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::Watch(watch) => watch.run().await,
            Command::Webhook(webhook) => webhook.run().await,
            Command::Outbox(outbox) => outbox.run().await,
            Command::Move(move_issue) => move_issue.run().await,
            Command::Label(label) => label.run().await,
            Command::Unlabel(unlabel) => unlabel.run().await,
            Command::Comment(comment) => comment.run().await,
            Command::Assign(assign) => assign.run().await,
            Command::Unassign(unassign) => unassign.run().await,
            Command::Groom(groom) => groom.run().await,
            Command::Token(token) => token.run().await,
            Command::LoginLink(login_link) => login_link.run().await,
            Command::Doctor(doctor) => Box::pin(doctor.run()).await,
            Command::Selftest(selftest) => selftest.run().await,
            Command::Backup(backup) => backup.run().await,
            Command::Completions { shell } => {
                let mut script = Vec::new();
                // Into memory: it panics where it cannot write.
                clap_complete::generate(shell, &mut command(), "dispatch", &mut script);
                show::script(&script)
            }
        }
    });
    // What still blocks (a stuck disk, a name look-up) does not hold up the end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| fail(&error))
}

#[expect(clippy::print_stderr, reason = "the last words of a command go to the terminal, not to the log")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("dispatch: {}", without_numbers(&format!("{error:#}")));
    ExitCode::from(2)
}

/// Drops the numbers that the system gives its errors: the words before them say the same.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once(')').map_or(part, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_stay_and_its_numbers_go() {
        assert_eq!(without_numbers("x: in use (os error 98); y (os error 2)"), "x: in use; y");
        assert_eq!(without_numbers("x (a) b"), "x (a) b");
    }
}
