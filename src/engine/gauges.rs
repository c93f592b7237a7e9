//! The `expose` verb: all metrics, those that run all the time and those that are read now.

use std::time::Duration;

use super::Engine;
use crate::{
    domain::time::Timestamp,
    metrics::Gauges,
    store::{
        self,
        deliveries::{self, Backlog},
        gauges::{self, Depth, Freshness, LiveClaims},
    },
};

/// Whoever asks for metrics gives up after about ten seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the database holds at this moment.
struct Stock {
    repos: Vec<Freshness>,
    claims: LiveClaims,
    outbox: Vec<Depth>,
    queue: Vec<(String, i64)>,
    webhooks: Backlog,
}

/// Everything there is to measure, as OpenMetrics text. Without the database what this process knows by itself is told.
pub async fn expose(engine: &Engine) -> Result<String, std::fmt::Error> {
    let now = engine.clock.now();
    let mut gauges = Gauges::default();
    let reader = engine.clone();
    // Only the waiting is cut off, never the statement.
    let reading = engine.tasks.spawn(async move { read(&reader, now).await });
    let stock = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(Ok(stock))) => Some(stock),
        Ok(Ok(Err(error))) => {
            tracing::warn!(%error, "the database could not be read for metrics");
            None
        }
        Ok(Err(_)) | Err(_) => None,
    };
    let is_up = if stock.is_some() { 1.0 } else { 0.0 };
    gauges.set("database_up", "Whether the database answered this request", is_up);
    if let Some(stock) = stock {
        tell_stock(engine, &mut gauges, stock, now);
    }
    tell_github(engine, &mut gauges, now);
    tell_jobs(engine, &mut gauges, now);
    engine.meters.expose(&gauges)
}

async fn read(engine: &Engine, now: Timestamp) -> store::Result<Stock> {
    let mut tx = engine.db.read().await?;
    Ok(Stock {
        repos: gauges::list_freshness(&mut tx).await?,
        claims: gauges::count_claims(&mut tx, now).await?,
        outbox: gauges::list_outbox(&mut tx).await?,
        queue: gauges::list_queue(&mut tx).await?,
        webhooks: deliveries::backlog(&mut tx).await?,
    })
}

fn tell_stock(engine: &Engine, gauges: &mut Gauges, stock: Stock, now: Timestamp) {
    let Stock { repos, claims, outbox, queue, webhooks } = stock;
    let lag = repos.iter().map(|repo| {
        let confirmed = engine.confirmations.find(&repo.id).max(Some(repo.known_since()));
        (repo.full_name.to_string(), seconds(since(confirmed, now)))
    });
    let help = "Seconds since GitHub last confirmed the cache of a repository";
    gauges.set_each("sync_lag_seconds", help, "repository", lag);
    let failures = repos.iter().map(|repo| (repo.full_name.to_string(), number(repo.failures)));
    gauges.set_each("sync_failures", "Reads of a repository that failed in a row", "repository", failures);
    let LiveClaims { live, stale } = claims;
    let claims = [("live", live), ("stale", stale)].map(|(state, count)| (state.to_owned(), number(count)));
    gauges.set_each("claims", "Claims that have not ended, and those of them that ran out", "state", claims);
    let each =
        |of: fn(&Depth) -> i64| outbox.iter().map(move |depth| (depth.kind.clone(), number(of(depth))));
    gauges.set_each(
        "outbox_pending",
        "Writes that wait to be sent to GitHub",
        "kind",
        each(|depth| depth.pending),
    );
    gauges.set_each(
        "outbox_parked",
        "Writes that GitHub refused for good",
        "kind",
        each(|depth| depth.parked),
    );
    let oldest = outbox.iter().map(|depth| (depth.kind.clone(), seconds(since(depth.oldest, now))));
    gauges.set_each("outbox_oldest_seconds", "Seconds that the oldest pending write waits", "kind", oldest);
    let lanes = queue.into_iter().map(|(lane, count)| (lane, number(count)));
    gauges.set_each("queue_issues", "Issues that are served to anybody who asks", "lane", lanes);
    gauges.set("webhook_pending", "Deliveries of webhooks that wait to be applied", number(webhooks.pending));
    let oldest = seconds(since(webhooks.oldest, now));
    gauges.set("webhook_oldest_seconds", "Seconds that the oldest pending delivery waits", oldest);
}

/// What GitHub grants an account of ours.
#[derive(Clone, Debug)]
pub struct Allowed {
    pub account: String,
    /// Requests in an hour, and what is left of them.
    pub limit: u32,
    pub left: u32,
}

/// What GitHub grants, as far as it has told.
pub fn allowed(engine: &Engine) -> Vec<Allowed> {
    let now = engine.clock.now();
    let told = engine.github.allowances().into_iter().filter_map(|one| {
        let quota = one.quota?;
        let account = one.account.unwrap_or_else(|| "default".to_owned());
        Some(Allowed { account, limit: quota.limit, left: quota.left(now) })
    });
    told.collect()
}

fn tell_github(engine: &Engine, gauges: &mut Gauges, now: Timestamp) {
    let all = engine.github.allowances();
    let name = |account: &Option<String>| account.clone().unwrap_or_else(|| "default".to_owned());
    let quotas = || all.iter().filter_map(|one| Some((name(&one.account), one.quota?)));
    let limits = quotas().map(|(account, quota)| (account, f64::from(quota.limit)));
    gauges.set_each("github_quota_limit", "Requests that GitHub grants in an hour", "account", limits);
    let left = quotas().map(|(account, quota)| (account, f64::from(quota.left(now))));
    gauges.set_each("github_quota_remaining", "Requests that GitHub grants until the reset", "account", left);
    let points = all.iter().filter_map(|one| Some((name(&one.account), f64::from(one.points_left?))));
    gauges.set_each("github_points_left", "Points that may be used at this moment", "account", points);
    let pauses = all.iter().map(|one| {
        let pause = one.paused_until.map_or(Duration::ZERO, |until| until.since(now));
        (name(&one.account), seconds(pause))
    });
    gauges.set_each("github_pause_seconds", "Seconds until ordinary reads may go on", "account", pauses);
}

fn tell_jobs(engine: &Engine, gauges: &mut Gauges, now: Timestamp) {
    let jobs = engine.jobs.list();
    let overdue = jobs.iter().map(|job| (job.name.to_owned(), f64::from(u8::from(job.is_overdue(now)))));
    gauges.set_each(
        "job_overdue",
        "Whether a job of this process has not run for two intervals",
        "job",
        overdue,
    );
}

fn since(then: Option<Timestamp>, now: Timestamp) -> Duration {
    then.map_or(Duration::ZERO, |then| now.since(then))
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "rows that are counted are fewer than 2^52")]
fn number(count: i64) -> f64 {
    count as f64
}
