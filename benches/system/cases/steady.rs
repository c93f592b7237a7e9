//! Heartbeats at a steady rate, in an open loop.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Backend, Bench, Row};
use crate::{
    load::{self, Connections, Load, Outcome},
    server::{Server, Site},
    sim::{Counters, Sim, World},
    spread::{count, size, time},
};

const PER_SECOND: u32 = 32;
const WARM_UP_SECONDS: u32 = 3;

/// Memory may move by so much and still count as flat: what an allocator keeps comes and goes in such steps.
const FLAT: u64 = 4_000_000;

const fn seconds(quick: bool) -> u32 {
    if quick { 10 } else { 60 }
}

pub fn title(quick: bool) -> String {
    format!(
        "{PER_SECOND} heartbeats/s for {} s, open loop; 10 repositories x 100 issues, 80 ms",
        seconds(quick)
    )
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let usual = World::usual(10);
    let mut rows = Vec::new();
    let one = measure(bench, backend, usual, Connections::OnePerCall).await?;
    rows.extend(one.rows("a connection per call, as agents do"));
    let kept = measure(bench, backend, usual, Connections::KeptAlive).await?;
    rows.extend(kept.rows("connections kept"));
    let eager = measure(bench, backend, usual.without_limits(), Connections::KeptAlive).await?;
    rows.extend(eager.rows(
        "connections kept, each beat wants a read that begins after it arrived (staleness 0, limits off)",
    ));
    Ok(rows)
}

/// What a minute of load came to.
struct Minute {
    outcome: Outcome,
    /// Resident memory after a sixth, the half and all of it.
    resident: [u64; 3],
    counters: Counters,
}

/// Without limits every beat wants a read of its own; with limits one of the last 5 s will do.
async fn measure(bench: &Bench, backend: Backend, world: World, connections: Connections) -> Result<Minute> {
    let sim = Sim::start(bench, world).await?;
    let mut site = Site::new(bench, backend, &sim).await?;
    if !world.has_limits {
        site =
            site.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0").with("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    }
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(1)).await?;
    let every = Duration::from_secs(1) / PER_SECOND;
    let load = |seconds: u32| Load { count: PER_SECOND * seconds, every, agents: 50, connections };
    load::run(&server, load(WARM_UP_SECONDS)).await?;
    sim.reset().await?;
    let seconds = seconds(bench.options.quick);
    let lasting = Duration::from_secs(seconds.into());
    let (outcome, resident) = tokio::join!(load::run(&server, load(seconds)), watch(&server, lasting));
    let minute = Minute { outcome: outcome?, resident: resident?, counters: sim.counters().await? };
    drop(server);
    site.remove().await?;
    Ok(minute)
}

async fn watch(server: &Server, lasting: Duration) -> Result<[u64; 3]> {
    sleep(lasting / 6).await;
    let early = server.program.resident()?;
    sleep(lasting / 3).await;
    let middle = server.program.resident()?;
    sleep(lasting / 2).await;
    Ok([early, middle, server.program.resident()?])
}

impl Minute {
    fn rows(&self, name: &str) -> Vec<Row> {
        let outcome = &self.outcome;
        let [early, middle, end] = self.resident.map(size);
        let is_flat = self.resident[2] <= self.resident[0] + FLAT;
        let latency = [0.5, 0.99, 1.0].map(|quantile| time(outcome.timing.latency(quantile))).join(" / ");
        let lag = [0.99, 1.0].map(|quantile| time(outcome.timing.lag(quantile))).join(" / ");
        let (requests, limited) = (self.counters.requests, self.counters.secondary_limited);
        vec![
            Row::section(name),
            Row::new("  errors, warnings", outcome.mishaps.to_string())
                .must_be("0 errors", outcome.mishaps.errors == 0),
            Row::new("  p50 / p99 / max", latency).must_be("printed", true),
            Row::new("  resident after 1/6, 1/2, all", format!("{early}, {middle}, {end}"))
                .must_be("flat", is_flat),
            Row::new("  requests to GitHub, limit trips", format!("{}, {limited}", count(requests))),
            Row::new("  client's own lag p99 / max", lag),
            Row::new("  processor, server / client", outcome.timing.business()),
        ]
    }
}
