//! The simulator as a process of its own, for demonstrations and benchmarks.

use std::io;
use std::time::Duration;

use clap::Parser;
use github_sim::{Seeding, Sim, SimConfig};
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
}

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
    sim.populate(&Seeding {
        owner: args.owner,
        repos: args.repos,
        issues: args.issues,
        closed: args.closed,
        active: args.active,
    });
    announce(&sim);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "one line for the script that started us")]
fn announce(sim: &Sim) {
    println!("github-sim {} token {}", sim.url(), sim.token());
}
