//! The simulator as a process of its own, for demonstrations and benchmarks.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use github_sim::{Permission, Seeding, Sim, SimConfig};
use tokio::signal::unix::{SignalKind, signal};

/// A GitHub that runs on this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// Repositories, named OWNER/repo-01 and on
    #[arg(long, default_value_t = 10)]
    repos: usize,
    /// Open issues in each repository
    #[arg(long, default_value_t = 100)]
    issues: usize,
    /// Closed issues in each repository, on top
    #[arg(long, default_value_t = 0)]
    closed: usize,
    /// Open issues that an agent works on, over all repositories
    #[arg(long, default_value_t = 0)]
    active: usize,
    /// Owner of every repository
    #[arg(long, default_value = "acme")]
    owner: String,
    /// Milliseconds each answer waits before it leaves
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// The same seed gives the same token and the same issues
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Turn primary and secondary limits off
    #[arg(long)]
    no_limits: bool,
    /// Register a GitHub App, install it on the owner, and write its private key to this file
    #[arg(long, value_name = "FILE")]
    app: Option<PathBuf>,
}

/// The id of the App of `--app`.
const APP: u64 = 1;

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut config = SimConfig {
        port: args.port,
        seed: args.seed,
        latency: Duration::from_millis(args.latency_ms),
        ..SimConfig::default()
    };
    if args.no_limits {
        config = config.without_limits();
    }
    // Handlers first: a signal that comes while the issues are made up must end the process too.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let sim = Sim::start_with(config).await;
    let installation = args.app.as_deref().map(|key| install(&sim, &args.owner, key)).transpose()?;
    sim.populate(&Seeding {
        owner: args.owner,
        repos: args.repos,
        issues: args.issues,
        closed: args.closed,
        active: args.active,
    });
    announce(&sim, installation);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

/// Registers the App, writes its key where only its owner reads it, and installs it.
#[expect(clippy::disallowed_methods, reason = "the file that the command line names")]
fn install(sim: &Sim, owner: &str, key: &Path) -> io::Result<u64> {
    let app = sim.create_app(APP);
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(key)?;
    file.write_all(app.private_key_pem().as_bytes())?;
    Ok(app.install(owner, Permission::Write))
}

#[expect(clippy::print_stdout, reason = "one line for the script that started us")]
fn announce(sim: &Sim, installation: Option<u64>) {
    let app = installation.map(|id| format!(" app {APP} installation {id}")).unwrap_or_default();
    println!("github-sim {} token {}{app}", sim.url(), sim.token());
}
