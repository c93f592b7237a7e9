//! Agents that ask for their next task at a steady rate, over queues of three sizes. Every request comes from an agent that
//! never asked before, so that none is answered from memory; a fleet whose answers may be is measured beside it.

use std::time::Duration;

use anyhow::Result;

use super::{Backend, Bench, Row};
use crate::{
    bench,
    open_loop::{self, Pace, Timing},
    options::Backend::Sqlite,
    server::{Server, Site, TOKEN},
    sim::{Sim, World},
    spread::{count, time},
};

const PER_SECOND: u32 = 500;
/// The fleet that asks again and again.
const AGENTS: u32 = 50;
const P50: Duration = Duration::from_millis(1);
const P99: Duration = Duration::from_millis(10);

/// Repositories, and open issues in each.
const SIZES: [(usize, usize); 3] = [(10, 100), (10, 1_000), (100, 1_000)];

/// Rates that are tried one after the other, until one is not held.
const RATES: [u32; 6] = [1_000, 1_500, 2_000, 3_000, 4_000, 6_000];

const fn seconds(quick: bool) -> u32 {
    if quick { 5 } else { 30 }
}

pub fn title(quick: bool) -> String {
    format!("GET next-task {PER_SECOND} times/s for {} s, open loop, each time another agent", seconds(quick))
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let sizes = if bench.options.quick { &SIZES[..2] } else { &SIZES };
    let mut rows = Vec::new();
    let mut first = None;
    for (repos, issues) in sizes {
        let size = measure(bench, backend, *repos, *issues).await?;
        let smallest = *first.get_or_insert(size.steady.timing.latency(0.5));
        rows.extend(size.rows(repos * issues, smallest, backend));
    }
    Ok(rows)
}

/// What a rate came to.
struct Polling {
    timing: Timing,
    errors: usize,
    tasks: usize,
}

/// What a queue of one size came to.
struct Size {
    steady: Polling,
    /// The same agents again and again.
    fleet: Polling,
    held: Option<u32>,
}

async fn measure(bench: &Bench, backend: Backend, repos: usize, issues: usize) -> Result<Size> {
    let world = World { issues, latency: Duration::ZERO, ..World::usual(repos).without_limits() };
    let sim = Sim::start(bench, world).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0");
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(10)).await?;
    let client = bench::client(true)?;
    let seconds = seconds(bench.options.quick);
    poll(&server, &client, Pace::steady(PER_SECOND, 2), Who::Fleet).await?;
    let steady = poll(&server, &client, Pace::steady(PER_SECOND, seconds), Who::Strangers("steady")).await?;
    let fleet = poll(&server, &client, Pace::steady(PER_SECOND, seconds), Who::Fleet).await?;
    let mut held = None;
    for rate in RATES {
        let who = Who::Strangers("faster");
        let faster = poll(&server, &client, Pace::steady(rate, 5), who).await?;
        if faster.errors > 0 || faster.timing.latency(0.99) > P99 {
            break;
        }
        held = Some(rate);
    }
    drop(server);
    site.remove().await?;
    Ok(Size { steady, fleet, held })
}

/// Who asks.
#[derive(Clone, Copy)]
enum Who {
    Strangers(&'static str),
    Fleet,
}

async fn poll(server: &Server, client: &reqwest::Client, pace: Pace, who: Who) -> Result<Polling> {
    let (timing, answers) = open_loop::run(&server.program, pace, |n| {
        let agent = match who {
            Who::Strangers(name) => format!("{name}-{}-{n}", pace.count),
            Who::Fleet => format!("agent-{}", n % AGENTS),
        };
        let url = format!("{}/api/agents/{agent}/next-task", server.url);
        let request = client.get(url).bearer_auth(TOKEN);
        async move { request.send().await?.error_for_status()?.text().await }
    })
    .await?;
    let is_task =
        |answer: &Result<String, _>| answer.as_ref().is_ok_and(|body| body.contains(r#""type":"implement""#));
    let errors = answers.iter().filter(|answer| answer.is_err()).count();
    Ok(Polling { timing, errors, tasks: answers.iter().filter(|answer| is_task(answer)).count() })
}

impl Polling {
    fn latency(&self) -> String {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|quantile| self.timing.latency(quantile));
        format!("{:.2} / {:.2} / {:.1} ms", millis(p50), millis(p99), millis(most))
    }

    fn idle(&self) -> usize {
        self.timing.count().saturating_sub(self.tasks + self.errors)
    }
}

impl Size {
    fn rows(&self, issues: usize, smallest: Duration, backend: Backend) -> Vec<Row> {
        let Self { steady, fleet, held } = self;
        let [p50, p99] = [0.5, 0.99].map(|quantile| steady.timing.latency(quantile));
        let ratio = p50.div_duration_f64(smallest);
        let is_good = p50 < P50 && p99 < P99;
        let lag = [0.5, 0.99].map(|quantile| time(steady.timing.lag(quantile))).join(" / ");
        let (errors, idle) = (steady.errors + fleet.errors, steady.idle() + fleet.idle());
        let goal = if backend == Sqlite { "p50 < 1 ms, p99 < 10 ms" } else { "printed" };
        let issues = u64::try_from(issues).unwrap_or(u64::MAX);
        vec![
            Row::section(&format!("{} open issues", count(issues))),
            Row::new("  p50 / p99 / max", steady.latency()).must_be(goal, is_good || backend != Sqlite),
            Row::new("  p50 against that of the smallest", format!("{ratio:.2} x"))
                .must_be("at most 2 x", ratio <= 2.0),
            Row::new("  errors, answers without a task", format!("{errors}, {idle}"))
                .must_be("0, 0", errors == 0 && idle == 0),
            Row::new("  client's own lag p50 / p99", lag),
            Row::new("  processor, server / client", steady.timing.business()),
            Row::new(format!("  {AGENTS} agents again and again: p50 / p99 / max"), fleet.latency()),
            Row::new("  processor, server / client", fleet.timing.business()),
            Row::new(
                "  highest rate held for 5 s (p99 < 10 ms)",
                held.as_ref().map_or_else(|| "none above".to_owned(), |rate| format!("{rate}/s")),
            ),
        ]
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
