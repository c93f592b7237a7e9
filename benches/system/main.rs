//! The benchmarks of the heartbeat, the queue, webhooks and the board (issues 2, 4, 6 and 7, "It must show"): the release program and the
//! simulated GitHub as processes of their own, over both databases. `scripts/bench` builds and starts what they need.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark starts the programs that it measures, reads their logs and /proc, and has a real clock"
)]

mod bench;
mod board;
mod browser;
mod cases;
mod database;
mod load;
mod open_loop;
mod options;
mod process;
mod report;
mod server;
mod sim;
mod spread;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use self::{
    bench::Bench,
    options::{Case, Options},
    report::{load_average, progress, say},
};

const NOTE: &str = "\nFigures are `median (least..most)` of the measured rounds after a warm-up; latencies of a load \
are counted from the time\nat which a request was meant to go out. 100 % of the processor is one core; client, server, \
simulator and PostgreSQL\nshare the same cores. How many statements a pass sends is not visible from outside: the tests \
count them (at most 10\nbesides the run record; the Node edition 2 000 to 3 000). The Node edition's figures are those \
of issue 2; its crowd was\n32 heartbeats. MB are millions of bytes.";

#[tokio::main]
async fn main() -> Result<()> {
    let bench = Bench::new(Options::parse())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Whatever ends it, dropping ends the programs that it started and removes its folder.
    tokio::select! {
        outcome = run(&bench) => outcome,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn run(bench: &Bench) -> Result<()> {
    let cores = std::thread::available_parallelism()?;
    say(&format!("{cores} cores, load average {}{}", load_average(), mode(bench)));
    let mut failed = 0;
    for case in bench.options.cases() {
        failed += usize::from(!measure(case, bench).await);
    }
    say(NOTE);
    if failed > 0 {
        bail!("{failed} cases could not be measured");
    }
    Ok(())
}

fn mode(bench: &Bench) -> &'static str {
    if bench.options.quick { "; --quick: few and short rounds" } else { "" }
}

/// Runs a case over each database and prints its table; false when it could not be measured.
async fn measure(case: Case, bench: &Bench) -> bool {
    let title = cases::title(case, bench);
    let busy = load_average();
    let mut columns = Vec::new();
    let mut is_whole = true;
    for backend in bench.options.backends() {
        progress(&format!("  {title}: {}", backend.name()));
        let outcome = cases::run(case, bench, backend).await;
        match outcome.with_context(|| format!("{title}: {}", backend.name())) {
            Ok(rows) => columns.push((backend, rows)),
            Err(error) => {
                is_whole = false;
                say(&format!("\nNOT MEASURED: {error:?}"));
            }
        }
    }
    report::print(&format!("{title}  [load average before: {busy}]"), &columns);
    is_whole
}
