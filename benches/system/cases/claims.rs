//! Claims of distinct issues, as fast as 16 connections can.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{Backend, Bench, Row};
use crate::{
    bench,
    server::{Server, Site, TOKEN},
    sim::{Sim, World},
    spread::{count, time},
};

const CONNECTIONS: usize = 16;
/// All labels are on GitHub by then.
const SETTLED: Duration = Duration::from_mins(5);

const fn claims(quick: bool) -> usize {
    if quick { 200 } else { 2_000 }
}

pub fn title(quick: bool) -> String {
    format!(
        "{} claims of distinct issues over {CONNECTIONS} connections, write interval 0, repositories just confirmed",
        claims(quick)
    )
}

/// A cached issue, as far as this looks at it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issue {
    id: String,
    number: u64,
    labels: Vec<String>,
    #[serde(skip)]
    repo: String,
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let world = World { issues: 500, latency: Duration::ZERO, ..World::usual(10).without_limits() };
    let sim = Sim::start(bench, world).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0");
    let site = site.with("DISPATCH_GITHUB_WRITE_INTERVAL_MS", "0");
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(1)).await?;
    let ready = ready(&server, &sim, claims(bench.options.quick)).await?;
    server.good_beat("loader").await?;
    sim.reset().await?;
    let race = claim_all(&server, &ready).await?;
    let settled = settle(&server).await?;
    let unlabelled = unlabelled(&sim, &race.claimed).await?;
    let writes = sim.counters().await?.by_kind.into_iter().filter(|(kind, _)| kind.starts_with("labels."));
    let writes: u64 = writes.map(|(_, count)| count).sum();
    drop(server);
    site.remove().await?;
    let [p50, p99] =
        [0.5, 0.99].map(|quantile| Duration::from_micros(race.latency.value_at_quantile(quantile)));
    let per_second =
        f64::from(u32::try_from(race.claimed.len()).unwrap_or(u32::MAX)) / race.lasted.as_secs_f64();
    Ok(vec![
        Row::new("claims per second", format!("{per_second:.0}")).node("Paperclip: 75 to 79"),
        Row::new("p50 / p99", format!("{} / {}", time(p50), time(p99))).node("Paperclip: p50 200 ms"),
        Row::new("refused", race.refused.to_string()).must_be("0", race.refused == 0),
        Row::new("label requests to GitHub", count(writes)),
        Row::new("all labels on GitHub after another", time(settled)),
        Row::new("claimed issues without their labels on GitHub", unlabelled.to_string())
            .must_be("0", unlabelled == 0),
    ])
}

/// Issues that anybody may claim.
async fn ready(server: &Server, sim: &Sim, wanted: usize) -> Result<Vec<Issue>> {
    let mut ready = Vec::new();
    for repo in sim.world.names() {
        let url = format!("{}/api/issues?repo={repo}", server.url);
        let answer = bench::client(true)?.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?;
        let issues: Vec<Issue> = answer.json().await?;
        let free =
            issues.into_iter().filter(|issue| issue.labels.iter().any(|label| label == "status/ready"));
        ready.extend(free.map(|issue| Issue { repo: repo.clone(), ..issue }));
    }
    ensure!(ready.len() >= wanted, "only {} issues are ready", ready.len());
    ready.truncate(wanted);
    Ok(ready)
}

/// What the claims came to.
struct Claims {
    latency: Histogram<u64>,
    lasted: Duration,
    claimed: Vec<(Issue, String)>,
    refused: usize,
}

async fn claim_all(server: &Server, issues: &[Issue]) -> Result<Claims> {
    let next = Arc::new(AtomicUsize::new(0));
    let issues = Arc::new(issues.to_vec());
    let mut claiming = JoinSet::new();
    let began = Instant::now();
    for n in 0..CONNECTIONS {
        let (next, issues, url) = (next.clone(), issues.clone(), format!("{}/api/issues/claim", server.url));
        // A client of its own is a connection of its own.
        let (client, agent) = (bench::client(true)?, format!("agent-{n}"));
        claiming.spawn(async move {
            let mut done = Vec::new();
            while let Some(issue) = issues.get(next.fetch_add(1, Ordering::Relaxed)) {
                let body = json!({ "issueId": issue.id, "repoFullName": issue.repo, "issueNumber": issue.number,
                    "agentName": agent, "lease": true });
                let began = Instant::now();
                let answer = client.post(&url).bearer_auth(TOKEN).json(&body).send().await?;
                let is_ours = answer.status() == 200;
                answer.bytes().await?;
                done.push((began.elapsed(), is_ours.then(|| (issue.clone(), agent.clone()))));
            }
            Ok::<_, reqwest::Error>(done)
        });
    }
    let outcomes = claiming.join_all().await;
    let lasted = began.elapsed();
    let mut claims = Claims { latency: Histogram::new(3)?, lasted, claimed: Vec::new(), refused: 0 };
    for outcome in outcomes {
        for (took, claimed) in outcome? {
            claims.latency.record(u64::try_from(took.as_micros())?)?;
            claims.refused += usize::from(claimed.is_none());
            claims.claimed.extend(claimed);
        }
    }
    Ok(claims)
}

/// Beats until nothing waits to be written; says how long that took.
async fn settle(server: &Server) -> Result<Duration> {
    let began = Instant::now();
    loop {
        let (answer, _) = server.beat("loader").await?;
        if answer.summary.ends_with(" 0 pending") {
            return Ok(began.elapsed());
        }
        if began.elapsed() > SETTLED {
            bail!("labels still wait after {SETTLED:?}: {answer:?}");
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// How many claimed issues lack their labels at GitHub.
async fn unlabelled(sim: &Sim, claimed: &[(Issue, String)]) -> Result<usize> {
    let mut labels = HashMap::new();
    for repo in sim.world.names() {
        for (number, names) in sim.labels(&repo).await? {
            labels.insert((repo.clone(), number), names);
        }
    }
    let is_right = |(issue, agent): &&(Issue, String)| {
        let names = labels.get(&(issue.repo.clone(), issue.number)).map_or(&[][..], Vec::as_slice);
        let has = |label: &str| names.iter().any(|name| name == label);
        has("status/in-progress") && has(&format!("agent/{agent}")) && !has("status/ready")
    };
    Ok(claimed.iter().filter(|claim| !is_right(claim)).count())
}
