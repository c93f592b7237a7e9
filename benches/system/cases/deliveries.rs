//! Deliveries of webhooks at a steady rate: some lost, doubled and overtaken, and `kill -9` in their middle.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Backend, Bench, Row};
use crate::{
    server::{Server, Site, TOKEN},
    sim::{Sim, World},
    spread::time,
};

const REPO: &str = "acme/repo-01";
const ISSUES: u64 = 500;
const RATE: u64 = 200;
const SECRET: &str = "a-secret-of-the-benchmark";
/// How long GitHub has to deliver again what was asked for (`engine::hooks::mend`), and a little.
const GRACE: Duration = Duration::from_secs(62);
/// Everything is applied, and looked at once more, by then.
const SETTLED: Duration = Duration::from_mins(5);

const fn deliveries(quick: bool) -> u64 {
    if quick { 1_000 } else { 10_000 }
}

pub fn title(quick: bool) -> String {
    let count = deliveries(quick);
    format!("{count} deliveries at {RATE}/s, 5 % doubled, 5 % reordered, 1 % lost, one SIGKILL in the middle")
}

/// What the simulator counted.
#[derive(Deserialize)]
struct Counted {
    events: u64,
    sent: u64,
    lost: u64,
    failed: u64,
    waiting: u64,
}

#[derive(Deserialize)]
struct Attempt {
    code: u16,
    duration_ms: u64,
}

/// An issue on either side, as far as deliveries tell of it.
#[derive(Debug, Deserialize, PartialEq)]
struct Issue {
    number: u64,
    title: String,
    state: String,
    labels: Vec<String>,
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let issues = usize::try_from(ISSUES)?;
    let world = World { issues, active: 0, latency: Duration::ZERO, ..World::usual(1).without_limits() };
    let sim = Sim::start(bench, world).await?;
    let site = Site::new(bench, backend, &sim).await?.with("WEBHOOK_SECRET", SECRET);
    // Nothing reads the repository but what makes up for deliveries.
    let site = site.with("DISPATCH_SYNC_INTERVAL_MS", "0").with("DISPATCH_DELIVERIES_INTERVAL_MS", "2000");
    let site = site.with("DISPATCH_SCHEDULER_STARTUP_DELAY_MS", "0");
    let mut server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(1)).await?;
    let add = json!({ "op": "add", "repo": REPO, "url": receiver(&server), "secret": SECRET });
    let hook = sim.webhooks(&add).await?["id"].clone();
    let faults =
        json!({ "op": "faults", "seed": 7, "lost": 0.01, "doubled": 0.05, "reordered": 0.05, "at_once": 16 });
    sim.webhooks(&faults).await?;
    let wanted = deliveries(bench.options.quick);
    change(&sim, 0, wanted / 2).await?;
    drop(server);
    server = Server::start(bench, &site).await?;
    let moved = json!({ "op": "move", "repo": REPO, "id": hook, "url": receiver(&server) });
    sim.webhooks(&moved).await?;
    change(&sim, wanted / 2, wanted).await?;
    let repaired = repair(&server, &sim).await?;
    let counted: Counted = sim.read("webhooks").await?;
    let attempts: Vec<Attempt> = sim.read("webhooks/deliveries").await?;
    let mut latency = Histogram::<u64>::new(3)?;
    for attempt in attempts.iter().filter(|attempt| attempt.code == 202) {
        latency.record(attempt.duration_ms)?;
    }
    let differing = differing(bench, &server, &sim).await?;
    drop(server);
    site.remove().await?;
    let quantile = |quantile| Duration::from_millis(latency.value_at_quantile(quantile));
    let p99 = quantile(0.99);
    Ok(vec![
        Row::new("events / requests", format!("{} / {}", counted.events, counted.sent)),
        Row::new("lost, or refused by nobody being there", format!("{} + {}", counted.lost, counted.failed)),
        Row::new("receiver p50 / p99", format!("{} / {}", time(quantile(0.5)), time(p99)))
            .must_be("p99 under 50 ms", p99 < Duration::from_millis(50)),
        Row::new("all applied and made up for after", time(repaired)),
        Row::new("issues that differ", differing.to_string()).must_be("0", differing == 0),
    ])
}

fn receiver(server: &Server) -> String {
    format!("{}/api/github/webhook", server.url)
}

/// Somebody changes titles, one after the other at the rate.
async fn change(sim: &Sim, from: u64, to: u64) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(RATE)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for serial in from..to {
        ticks.tick().await;
        let (number, title) = (1 + serial * 7 % ISSUES, format!("Title {serial}"));
        sim.mutate(&json!({ "repo": REPO, "op": "edit", "number": number, "title": title })).await?;
    }
    Ok(())
}

/// Waits until everything was attempted and applied, and what did not come is made up for; says how long that took.
async fn repair(server: &Server, sim: &Sim) -> Result<Duration> {
    let began = Instant::now();
    while sim.read::<Counted>("webhooks").await?.waiting > 0 {
        sleep(Duration::from_millis(20)).await;
    }
    // What was asked for and did not come is looked after a minute later, so that a look counts which began then.
    let mut since = None;
    loop {
        let status = status(server).await?;
        if since.is_none() && began.elapsed() > GRACE {
            since = Some(status["lookedAt"].clone());
        }
        let is_looked = since.as_ref().is_some_and(|since| status["lookedAt"] != *since);
        if is_looked && status["waiting"] == 0 && pending(server).await? == 0 {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < SETTLED, "not made up for after {SETTLED:?}: {status}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn status(server: &Server) -> Result<Value> {
    ask(server, &format!("/api/webhooks/{REPO}")).await
}

async fn pending(server: &Server) -> Result<usize> {
    let rows = ask(server, "/api/deliveries?state=pending&limit=10").await?;
    Ok(rows.as_array().context("a list")?.len())
}

async fn ask(server: &Server, path: &str) -> Result<Value> {
    let request = crate::bench::client(true)?.get(format!("{}{path}", server.url)).bearer_auth(TOKEN);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

/// How many issues are not in the cache as they are on GitHub.
async fn differing(bench: &Bench, server: &Server, sim: &Sim) -> Result<usize> {
    let url = format!("{}/api/issues?repo={REPO}", server.url);
    let answer = bench.http.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?;
    let cached = by_number(answer.json().await?);
    let there = by_number(sim.read(&format!("issues?repo={REPO}")).await?);
    Ok(there.iter().filter(|(number, issue)| cached.get(number) != Some(issue)).count())
}

fn by_number(issues: Vec<Issue>) -> BTreeMap<u64, Issue> {
    let sorted = |mut issue: Issue| {
        issue.labels.sort_unstable();
        (issue.number, issue)
    };
    issues.into_iter().map(sorted).collect()
}
