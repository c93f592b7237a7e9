//! Many heartbeats at once.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::time::sleep;

use super::{Backend, Bench, Row};
use crate::{
    load::{self, Connections, Load, Mishaps, Outcome},
    server::{Server, Site},
    sim::{Sim, World},
    spread::{Spread, count},
};

/// How old a read may be that serves a heartbeat; between two rounds it must have grown older.
const STALENESS: Duration = Duration::from_secs(5);

/// `DISPATCH_HEARTBEAT_DEADLINE_MS`.
const DEADLINE: Duration = Duration::from_secs(25);

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let thousand =
        Load { count: 1_000, every: Duration::ZERO, agents: 50, connections: Connections::OnePerCall };
    let few = Load { count: 32, agents: 32, ..thousand };
    let rounds = bench.options.rounds(5, 3);
    let sim = Sim::start(bench, World::usual(10)).await?;
    let site = Site::new(bench, backend, &sim).await?;
    let server = Server::start(bench, &site).await?;
    let cold = measure(&server, &sim, thousand, 0..1).await?;
    let crowd = measure(&server, &sim, thousand, 0..rounds).await?;
    let small = measure(&server, &sim, few, 0..rounds).await?;
    drop(server);
    site.remove().await?;
    let eager = eager(bench, backend, thousand, rounds).await?;
    let mut rows = crowd.rows("1 000 at once", true);
    rows.extend(small.rows("32 at once", false));
    rows.extend(cold.rows("1 000 at once, empty cache, the first that this server meets (one round)", false));
    rows.extend(eager.rows(
        "1 000 at once, each wants a read that begins after it arrived (staleness 0, limits off)",
        false,
    ));
    Ok(rows)
}

/// Each heartbeat wants a read that began after it arrived.
async fn eager(bench: &Bench, backend: Backend, load: Load, rounds: usize) -> Result<Crowds> {
    let sim = Sim::start(bench, World::usual(10).without_limits()).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    let site = site.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0");
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(1)).await?;
    let crowds = measure(&server, &sim, load, 0..rounds).await?;
    drop(server);
    site.remove().await?;
    Ok(crowds)
}

/// What several crowds came to.
#[derive(Default)]
struct Crowds {
    requests: Spread<u64>,
    reads_per_repo: Spread<u64>,
    slowest: Spread<Duration>,
    middle: Spread<Duration>,
    lag: Spread<Duration>,
    mishaps: Mishaps,
    sent: u64,
    recorded: u64,
    business: String,
}

async fn measure(
    server: &Server,
    sim: &Sim,
    load: Load,
    rounds: impl IntoIterator<Item = usize>,
) -> Result<Crowds> {
    let mut crowds = Crowds::default();
    for _ in rounds {
        sleep(STALENESS + Duration::from_millis(200)).await;
        sim.reset().await?;
        let outcome = load::run(server, load).await?;
        crowds.requests.add(sim.counters().await?.requests);
        crowds.reads_per_repo.add(most_reads(sim).await?);
        crowds.sent += u64::from(load.count);
        crowds.recorded += recorded(server, &outcome).await?;
        crowds.take(outcome);
    }
    Ok(crowds)
}

/// The most lists that one repository was asked for.
async fn most_reads(sim: &Sim) -> Result<u64> {
    let mut reads: HashMap<String, u64> = HashMap::new();
    for request in sim.requests().await?.into_iter().filter(|request| request.kind == "issues.list") {
        *reads.entry(request.repo.unwrap_or_default()).or_default() += 1;
    }
    Ok(reads.into_values().max().unwrap_or(0))
}

/// How many of the answered runs are on record as finished, each as a run of its own.
async fn recorded(server: &Server, outcome: &Outcome) -> Result<u64> {
    let runs = server.runs().await?;
    if let Some(run) = runs.iter().find(|run| run.status == "running") {
        bail!("a run is left running: {run:?}");
    }
    let finished: HashSet<_> =
        runs.iter().filter(|run| run.finished_at.is_some()).map(|run| &run.id).collect();
    let answered: HashSet<_> = outcome.answers.iter().filter_map(|answer| answer.run_id.as_ref()).collect();
    Ok(answered.intersection(&finished).count() as u64)
}

impl Crowds {
    fn take(&mut self, outcome: Outcome) {
        self.slowest.add(outcome.timing.latency(1.0));
        self.middle.add(outcome.timing.latency(0.5));
        self.lag.add(outcome.timing.lag(1.0));
        self.business = outcome.timing.business();
        self.mishaps.add(outcome.mishaps);
    }

    fn rows(&self, name: &str, has_goals: bool) -> Vec<Row> {
        let slowest = self.slowest.most().unwrap_or_default();
        let reads = Row::new("  lists per repository, most", self.reads_per_repo.counts());
        let answers = Row::new("  slowest answer", self.slowest.times())
            .must_be("within the deadline (25 s)", slowest <= DEADLINE);
        let small = name.starts_with("32");
        vec![
            Row::section(name),
            Row::new("  errors, warnings", self.mishaps.to_string())
                .must_be("0 errors", self.mishaps.errors == 0),
            Row::new("  requests to GitHub", self.requests.counts()).node(if small {
                "6 700 to 7 000"
            } else {
                ""
            }),
            if has_goals {
                reads.must_be("at most 2", self.reads_per_repo.most().is_some_and(|most| most <= 2))
            } else {
                reads
            },
            Row::new(
                "  answered runs on record",
                format!("{} of {}", count(self.recorded), count(self.sent)),
            )
            .must_be("all", self.recorded == self.sent),
            Row::new("  median answer", self.middle.times()),
            answers.node(if small { "18 to 42 s" } else { "" }),
            Row::new("  client's own lag, worst", self.lag.times()),
            Row::new("  processor, server / client", &self.business),
        ]
    }
}
