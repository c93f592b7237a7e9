//! The first load of many large repositories: as fast as the concurrency allows, within GitHub's limits,
//! and killed in the middle.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use super::{Backend, Bench, Row};
use crate::{
    process::LOOK_AGAIN,
    report::progress,
    server::{Server, Site},
    sim::{Counters, Sim, World},
    spread::{Spread, count, time},
};

/// `DISPATCH_GITHUB_CONCURRENCY`, its default.
const CONCURRENCY: f64 = 8.0;

/// `DISPATCH_GITHUB_POINTS_PER_MINUTE`, its default.
const POINTS: f64 = 600.0;

/// A load that takes longer has failed.
const LOADING: Duration = Duration::from_mins(15);

fn world(quick: bool) -> World {
    let (repos, issues) = if quick { (20, 500) } else { (100, 1_000) };
    World { issues, ..World::usual(repos) }
}

pub fn title(quick: bool) -> String {
    let World { repos, issues, .. } = world(quick);
    format!("Cold load: {repos} repositories x {} issues, 80 ms to GitHub", count(issues as u64))
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let world = world(bench.options.quick);
    let mut rows = free(bench, backend, world).await?;
    rows.extend(limited(bench, backend, world).await?);
    Ok(rows)
}

/// Limits off on both sides: whole loads, then loads that are killed.
async fn free(bench: &Bench, backend: Backend, world: World) -> Result<Vec<Row>> {
    let sim = Sim::start(bench, world.without_limits()).await?;
    let mut whole = Loads::default();
    // The first is the warm-up: the simulator and the page cache are cold too.
    load(bench, backend, &sim).await?;
    for round in 0..bench.options.rounds(5, 2) {
        progress(&format!("    whole load {}", round + 1));
        whole.add(&load(bench, backend, &sim).await?);
    }
    let mut killed = Loads::default();
    let kill_after = whole.pages.median().unwrap_or(0) / 3;
    for round in 0..bench.options.rounds(3, 1) {
        progress(&format!("    killed load {}", round + 1));
        killed.add(&load_killed(bench, backend, &sim, kill_after).await?);
    }
    let mut rows = whole.free_rows(&world);
    rows.extend(killed.killed_rows(&world, &whole));
    Ok(rows)
}

/// Limits on, on both sides; once, because it takes minutes.
async fn limited(bench: &Bench, backend: Backend, world: World) -> Result<Vec<Row>> {
    progress("    load within limits");
    let sim = Sim::start(bench, world).await?;
    let loaded = load(bench, backend, &sim).await?;
    let trips = loaded.counters.secondary_limited + loaded.counters.primary_limited;
    let requests = loaded.counters.requests;
    let asked = |requests: u64| Duration::from_mins(requests).div_f64(POINTS);
    Ok(vec![
        Row::section("limits on, one load"),
        Row::new("  limit trips", count(trips)).must_be("0", trips == 0),
        Row::new("  requests, pages", pair(requests, loaded.counters.pages())),
        Row::new("  time", time(loaded.took)).must_be(
            format!("pages/600 minutes: {}", time(asked(loaded.counters.pages()))),
            loaded.took <= asked(loaded.counters.pages()),
        ),
        Row::new("  issues in the cache", count(loaded.issues))
            .must_be(count(world.all_issues()), loaded.issues == world.all_issues()),
    ])
}

fn pair(one: u64, other: u64) -> String {
    format!("{}, {}", count(one), count(other))
}

/// One load that came to its end.
struct Loaded {
    took: Duration,
    counters: Counters,
    issues: u64,
    peak: u64,
}

/// Everything but the way to a running server: beats until all is there, and counts.
async fn finish(server: &Server, sim: &Sim, began: Instant) -> Result<Loaded> {
    server.load(LOADING).await?;
    let took = began.elapsed();
    let counters = sim.counters().await?;
    let peak = server.program.resident_peak()?;
    let issues = server.cached_issues(&sim.world.names()).await?;
    Ok(Loaded { took, counters, issues, peak })
}

async fn site(bench: &Bench, backend: Backend, sim: &Sim) -> Result<Site> {
    let site = Site::new(bench, backend, sim).await?;
    let site = site.with("DISPATCH_HEARTBEAT_DEADLINE_MS", LOADING.as_millis().to_string());
    if sim.world.has_limits {
        return Ok(site);
    }
    Ok(site.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0"))
}

async fn load(bench: &Bench, backend: Backend, sim: &Sim) -> Result<Loaded> {
    let site = site(bench, backend, sim).await?;
    let server = Server::start(bench, &site).await?;
    sim.reset().await?;
    let loaded = finish(&server, sim, Instant::now()).await?;
    drop(server);
    site.remove().await?;
    Ok(loaded)
}

/// SIGKILL after so many pages, a new start on what is there, and on to the end.
async fn load_killed(bench: &Bench, backend: Backend, sim: &Sim, pages: u64) -> Result<Loaded> {
    let site = site(bench, backend, sim).await?;
    let mut server = Server::start(bench, &site).await?;
    sim.reset().await?;
    let began = Instant::now();
    tokio::select! {
        answer = server.beat("killed") => bail!("it was loaded before it could be killed: {answer:?}"),
        reached = reach(sim, pages) => reached?,
    }
    server.program.kill();
    let server = Server::start(bench, &site).await?;
    let loaded = finish(&server, sim, began).await?;
    drop(server);
    site.remove().await?;
    Ok(loaded)
}

async fn reach(sim: &Sim, pages: u64) -> Result<()> {
    while sim.counters().await?.pages() < pages {
        sleep(LOOK_AGAIN * 5).await;
    }
    Ok(())
}

/// Several loads.
#[derive(Default)]
struct Loads {
    took: Spread<Duration>,
    requests: Spread<u64>,
    pages: Spread<u64>,
    bytes: Spread<u64>,
    at_once: Spread<u64>,
    issues: Spread<u64>,
    peak: Spread<u64>,
}

impl Loads {
    fn add(&mut self, loaded: &Loaded) {
        self.took.add(loaded.took);
        self.requests.add(loaded.counters.requests);
        self.pages.add(loaded.counters.pages());
        self.bytes.add(loaded.counters.body_bytes);
        self.at_once.add(loaded.counters.max_in_flight);
        self.issues.add(loaded.issues);
        self.peak.add(loaded.peak);
    }

    fn free_rows(&self, world: &World) -> Vec<Row> {
        let least_pages = world.all_issues() / 100;
        let round_trips = self.requests.median().unwrap_or(0);
        let ideal = Duration::from_millis(80 * round_trips).div_f64(CONCURRENCY);
        let ratio = self.took.median().unwrap_or_default().div_duration_f64(ideal);
        let pages = self.pages.median().unwrap_or(0);
        vec![
            Row::section("limits off"),
            Row::new("  time until all is loaded", self.took.times()),
            Row::new(
                format!("  median against requests/8 round trips ({})", time(ideal)),
                format!("{ratio:.2} x"),
            )
            .must_be("bounded by concurrency", ratio <= 1.5),
            Row::new("  requests", self.requests.counts()),
            Row::new("  pages of issues", self.pages.counts())
                .must_be(count(least_pages), pages <= least_pages),
            Row::new("  bodies read from GitHub", self.bytes.sizes()),
            Row::new("  most requests at once", self.at_once.counts())
                .must_be("at most 8", self.at_once.most().is_some_and(|most| most <= 8)),
            self.issues_row(world),
            Row::new("  most resident memory", self.peak.sizes()),
        ]
    }

    fn killed_rows(&self, world: &World, whole: &Self) -> Vec<Row> {
        let unkilled = whole.pages.median().unwrap_or(0);
        vec![
            Row::section("limits off, SIGKILL after a third of the pages, started again"),
            Row::new("  pages in total", self.pages.counts())
                .must_be(format!("near {} of a whole load", count(unkilled)), true),
            self.issues_row(world),
            Row::new("  time, restart included", self.took.times()),
        ]
    }

    fn issues_row(&self, world: &World) -> Row {
        let all = world.all_issues();
        Row::new("  issues in the cache", self.issues.counts())
            .must_be(count(all), self.issues.is_always(all))
    }
}
