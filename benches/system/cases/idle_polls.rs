//! A fleet that has nothing to do asks again and again.

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{StatusCode, header};

use super::{Backend, Bench, Row};
use crate::{
    bench,
    open_loop::{self, Pace},
    server::{Server, Site, TOKEN},
    sim::{Sim, World},
    spread::time,
};

const AGENTS: u32 = 100;
/// Of one core.
const BUSY: f64 = 0.02;

const fn seconds(quick: bool) -> u32 {
    if quick { 10 } else { 60 }
}

pub fn title(quick: bool) -> String {
    format!("{AGENTS} agents poll an idle queue once a second with If-None-Match, for {} s", seconds(quick))
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    // Every issue is somebody else's.
    let world = World { active: 100, ..World::usual(10) };
    let sim = Sim::start(bench, world).await?;
    let site = Site::new(bench, backend, &sim).await?;
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(1)).await?;
    let client = bench::client(true)?;
    let tag = tag(&server, &client).await?;
    let pace = Pace::steady(AGENTS, seconds(bench.options.quick));
    let (timing, answers) = open_loop::run(&server.program, pace, |n| {
        let url = format!("{}/api/agents/agent-{}/next-task", server.url, n % AGENTS);
        let request = client.get(url).bearer_auth(TOKEN).header(header::IF_NONE_MATCH, tag.clone());
        async move {
            let answer = request.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?.len()))
        }
    })
    .await?;
    let empty = |answer: &Result<(StatusCode, usize), _>| matches!(answer, Ok((StatusCode::NOT_MODIFIED, 0)));
    let others = answers.iter().filter(|answer| !empty(answer)).count();
    let busy = timing.server_business();
    let latency = [0.5, 0.99].map(|quantile| time(timing.latency(quantile))).join(" / ");
    let resident = server.program.resident()?;
    drop(server);
    site.remove().await?;
    Ok(vec![
        Row::new("answers other than an empty 304", others.to_string()).must_be("0", others == 0),
        Row::new("processor of the server, of one core", format!("{:.2} %", 100.0 * busy))
            .must_be("under 2 %", busy < BUSY),
        Row::new("p50 / p99", latency),
        Row::new("resident", crate::spread::size(resident)),
    ])
}

/// The tag of "nothing to do".
async fn tag(server: &Server, client: &reqwest::Client) -> Result<header::HeaderValue> {
    let url = format!("{}/api/agents/agent-0/next-task", server.url);
    let answer = client.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?;
    let tag = answer.headers().get(header::ETAG).cloned();
    let body = answer.text().await?;
    anyhow::ensure!(body.contains(r#""type":"idle""#), "the queue is not idle: {body}");
    tag.context("an answer without ETag")
}
