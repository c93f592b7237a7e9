//! Agents that ask for their next task at a steady rate, over queues of three sizes.

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
    format!("GET next-task {PER_SECOND} times/s for {} s, open loop, {AGENTS} agents", seconds(quick))
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let sizes = if bench.options.quick { &SIZES[..2] } else { &SIZES };
    let mut rows = Vec::new();
    let mut first = None;
    for (repos, issues) in sizes {
        let (poll, held) = measure(bench, backend, *repos, *issues).await?;
        let smallest = *first.get_or_insert(poll.timing.latency(0.5));
        rows.extend(poll.rows(repos * issues, held, smallest, backend));
    }
    Ok(rows)
}

/// What a rate came to.
struct Polling {
    timing: Timing,
    errors: usize,
    tasks: usize,
}

async fn measure(
    bench: &Bench,
    backend: Backend,
    repos: usize,
    issues: usize,
) -> Result<(Polling, Option<u32>)> {
    let world = World { issues, latency: Duration::ZERO, ..World::usual(repos).without_limits() };
    let sim = Sim::start(bench, world).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0");
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(10)).await?;
    let client = bench::client(true)?;
    poll(&server, &client, Pace::steady(PER_SECOND, 2)).await?;
    let steady = poll(&server, &client, Pace::steady(PER_SECOND, seconds(bench.options.quick))).await?;
    let mut held = None;
    for rate in RATES {
        let faster = poll(&server, &client, Pace::steady(rate, 5)).await?;
        if faster.errors > 0 || faster.timing.latency(0.99) > P99 {
            break;
        }
        held = Some(rate);
    }
    drop(server);
    site.remove().await?;
    Ok((steady, held))
}

async fn poll(server: &Server, client: &reqwest::Client, pace: Pace) -> Result<Polling> {
    let (timing, answers) = open_loop::run(&server.program, pace, |n| {
        let url = format!("{}/api/agents/agent-{}/next-task", server.url, n % AGENTS);
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
    fn rows(&self, issues: usize, held: Option<u32>, smallest: Duration, backend: Backend) -> Vec<Row> {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|quantile| self.timing.latency(quantile));
        let ratio = p50.div_duration_f64(smallest);
        let latency = format!("{:.2} / {:.2} / {:.1} ms", millis(p50), millis(p99), millis(most));
        let is_good = p50 < P50 && p99 < P99;
        let lag = [0.5, 0.99].map(|quantile| time(self.timing.lag(quantile))).join(" / ");
        let goal = if backend == Sqlite { "p50 < 1 ms, p99 < 10 ms" } else { "printed" };
        let issues = u64::try_from(issues).unwrap_or(u64::MAX);
        vec![
            Row::section(&format!("{} open issues", count(issues))),
            Row::new("  p50 / p99 / max", latency).must_be(goal, is_good || backend != Sqlite),
            Row::new("  p50 against that of the smallest", format!("{ratio:.2} x"))
                .must_be("at most 2 x", ratio <= 2.0),
            Row::new("  errors, answers without a task", format!("{}, {}", self.errors, self.idle()))
                .must_be("0, 0", self.errors == 0 && self.idle() == 0),
            Row::new("  client's own lag p50 / p99", lag),
            Row::new("  processor, server / client", self.timing.business()),
            Row::new(
                "  highest rate held for 5 s (p99 < 10 ms)",
                held.map_or_else(|| "none above".to_owned(), |rate| format!("{rate}/s")),
            ),
        ]
    }

    fn idle(&self) -> usize {
        self.timing.count().saturating_sub(self.tasks + self.errors)
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
