//! A hundred agents over a hundred repositories for minutes, limits on.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{Backend, Bench, Row};
use crate::{
    server::{Answer, Server, Site, beat},
    sim::{Seen, Sim, World},
    spread::{Spread, count},
};

const AGENTS: u32 = 100;

/// Each repository is looked at at least so often.
const CHECKED_EVERY: Duration = Duration::from_mins(1);

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let Some(minutes) = bench.options.long else {
        let shown = "not run: `--long MINUTES` runs it in real time";
        return Ok(vec![
            Row::new("ten virtual minutes", shown)
                .must_be("shown by the tests, with a clock set by hand", true),
        ]);
    };
    let sim = Sim::start(bench, World::usual(100)).await?;
    let site = Site::new(bench, backend, &sim).await?;
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(5)).await?;
    sim.reset().await?;
    let until = Instant::now() + Duration::from_mins(minutes);
    let mut agents = JoinSet::new();
    for n in 0..AGENTS {
        // They do not all begin at once.
        let first = Instant::now() + Duration::from_mins(1) * n / AGENTS;
        agents.spawn(live(bench.http.clone(), server.url.clone(), format!("agent-{n}"), first, until));
    }
    let lives: Result<Vec<Life>> = agents.join_all().await.into_iter().collect();
    let rows = rows(&lives?, &sim).await?;
    drop(server);
    site.remove().await?;
    Ok(rows)
}

/// What one agent met.
#[derive(Default)]
struct Life {
    beats: u64,
    warned: u64,
    failed: u64,
    latencies: Vec<Duration>,
}

async fn live(
    http: reqwest::Client,
    url: String,
    agent: String,
    first: Instant,
    until: Instant,
) -> Result<Life> {
    let mut life = Life::default();
    let mut next = first;
    while next < until {
        tokio::time::sleep_until(next).await;
        let began = Instant::now();
        let answer = beat(&http, &url, &agent).await.map_err(anyhow::Error::msg)?;
        life.latencies.push(began.elapsed());
        life.beats += 1;
        life.warned += u64::from(answer.status == "warning");
        life.failed += u64::from(answer.status == "error");
        next = Instant::now() + until_next(&answer)?;
    }
    sleep(until.saturating_duration_since(Instant::now())).await;
    Ok(life)
}

fn until_next(answer: &Answer) -> Result<Duration> {
    let at: Timestamp = answer.next_heartbeat_at.parse().context("nextHeartbeatAt")?;
    Ok(Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default())
}

async fn rows(lives: &[Life], sim: &Sim) -> Result<Vec<Row>> {
    let counters = sim.counters().await?;
    let trips = counters.secondary_limited + counters.primary_limited;
    let sum = |part: fn(&Life) -> u64| lives.iter().map(part).sum::<u64>();
    let latency: Spread<Duration> = lives.iter().flat_map(|life| life.latencies.iter().copied()).collect();
    let gap = longest_gap(&sim.requests().await?, sim.world.repos);
    Ok(vec![
        Row::new("heartbeats", count(sum(|life| life.beats))),
        Row::new("errors, warnings", format!("{}, {}", sum(|life| life.failed), sum(|life| life.warned)))
            .must_be("0 errors", sum(|life| life.failed) == 0),
        Row::new("limit trips", count(trips)).must_be("0", trips == 0),
        Row::new("requests to GitHub", count(counters.requests)),
        Row::new("quota spent", count(counters.quota_spent)).must_be("0", counters.quota_spent == 0),
        Row::new("longest time between two looks at a repository", format!("{:.1} s", gap.as_secs_f64()))
            .must_be("at most 60 s", gap <= CHECKED_EVERY),
        Row::new("answer", latency.times()),
    ])
}

/// The longest time between two lists of one repository; a repository that was never listed counts in full.
fn longest_gap(requests: &[Seen], repos: usize) -> Duration {
    let mut last: HashMap<&str, i64> = HashMap::new();
    let mut longest = 0;
    for seen in requests.iter().filter(|seen| seen.kind == "issues.list") {
        if let Some(before) = last.insert(seen.repo.as_deref().unwrap_or_default(), seen.at_ms) {
            longest = longest.max(seen.at_ms - before);
        }
    }
    if last.len() < repos {
        return Duration::MAX;
    }
    Duration::from_millis(u64::try_from(longest).unwrap_or(0))
}
