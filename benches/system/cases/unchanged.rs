//! A pass over repositories where nothing changed.

use std::time::Duration;

use anyhow::Result;

use super::{Backend, Bench, Row};
use crate::{
    server::{Server, Site},
    sim::{Sim, World},
    spread::{Spread, count, time},
};

/// Heartbeats before those that count.
const WARM_UP: usize = 2;

/// Loading 100 repositories with every limit on takes a second or two.
const LOADING: Duration = Duration::from_mins(2);

pub fn title(repos: usize) -> String {
    format!("Unchanged pass: {repos} repositories x 100 open issues (20 active), 80 ms to GitHub")
}

/// 10 repositories, with GitHub's limits and ours.
pub async fn few(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let sim = Sim::start(bench, World::usual(10)).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    let server = Server::start(bench, &site).await?;
    let (loading, _) = server.load(LOADING).await?;
    let passes = measure(&server, &sim, bench.options.rounds(11, 5)).await?;
    sim.set_latency(0).await?;
    let near = measure(&server, &sim, bench.options.rounds(11, 5)).await?;
    let limit = Duration::from_millis(200);
    let mut rows = passes.costs("210 to 220");
    rows.push(
        Row::new("wall time", passes.wall.times())
            .must_be("median at most 200 ms", passes.wall.is_within(limit))
            .node("19 s"),
    );
    rows.push(Row::new("wall time at 0 ms to GitHub", near.wall.times()).node("1.2 to 1.9 s"));
    rows.push(Row::new("bodies read from GitHub per pass", passes.bytes.sizes()).node("3.7 to 64 MB"));
    rows.push(Row::new("first pass, empty cache", time(loading)));
    drop(server);
    site.remove().await?;
    Ok(rows)
}

/// 100 repositories; a pass is 100 points, so a measurement of several within a minute needs limits off.
pub async fn many(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let sim = Sim::start(bench, World::usual(100).without_limits()).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    let site = site.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0").with("DISPATCH_GITHUB_CONCURRENCY", "8");
    let server = Server::start(bench, &site).await?;
    let (loading, _) = server.load(LOADING).await?;
    let passes = measure(&server, &sim, bench.options.rounds(11, 5)).await?;
    let ideal = sim.world.latency.mul_f64(100.0 / 8.0);
    let ratio = passes.wall.median().unwrap_or_default().div_duration_f64(ideal);
    let mut rows = passes.costs("");
    rows.push(Row::new("wall time", passes.wall.times()));
    rows.push(
        Row::new(format!("median against 100/8 round trips ({})", time(ideal)), format!("{ratio:.2} x"))
            .must_be("at most 1.5 x", ratio <= 1.5),
    );
    rows.push(Row::new("most requests at once", passes.at_once.counts()));
    rows.push(Row::new("first pass, empty cache", time(loading)));
    drop(server);
    site.remove().await?;
    Ok(rows)
}

/// What the measured passes cost.
#[derive(Default)]
struct Passes {
    repos: u64,
    requests: Spread<u64>,
    not_modified: Spread<u64>,
    quota: Spread<u64>,
    bytes: Spread<u64>,
    at_once: Spread<u64>,
    wall: Spread<Duration>,
}

async fn measure(server: &Server, sim: &Sim, rounds: usize) -> Result<Passes> {
    for _ in 0..WARM_UP {
        server.good_beat("coder").await?;
    }
    let mut passes = Passes { repos: sim.world.repos as u64, ..Passes::default() };
    for _ in 0..rounds {
        sim.reset().await?;
        let (_, took) = server.good_beat("coder").await?;
        let counters = sim.counters().await?;
        passes.wall.add(took);
        passes.requests.add(counters.requests);
        passes.not_modified.add(counters.not_modified);
        passes.quota.add(counters.quota_spent);
        passes.bytes.add(counters.body_bytes);
        passes.at_once.add(counters.max_in_flight);
    }
    Ok(passes)
}

impl Passes {
    fn costs(&self, node_requests: &'static str) -> Vec<Row> {
        let all = count(self.repos);
        vec![
            Row::new("requests to GitHub per pass", self.requests.counts())
                .must_be(&all, self.requests.is_always(self.repos))
                .node(node_requests),
            Row::new("of these answered 304", self.not_modified.counts())
                .must_be("all", self.not_modified.is_always(self.repos)),
            Row::new("quota spent per pass", self.quota.counts()).must_be("0", self.quota.is_always(0)),
        ]
    }
}
