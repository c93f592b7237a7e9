//! What the board and the overview cost when there is much to show, to a browser that is signed in.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

use super::{Backend, Bench, Row};
use crate::{
    board::Board,
    browser::Browser,
    server::{Server, Site, TOKEN},
    sim::{Sim, World},
    spread::{Spread, size},
};

const RUNS: usize = 20_000;
const WRITERS: usize = 8;
/// Cards of a column: the world fills four.
const SHOW: usize = 250;
const CARDS: usize = 1_000;

const TIME: Duration = Duration::from_millis(20);
const PACKED: usize = 300_000;

pub fn title() -> String {
    format!(
        "Pages over 10 000 issues and {RUNS} runs of 100 agents; the board with {CARDS} visible cards (?show={SHOW})"
    )
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let world = World { issues: 500, latency: Duration::ZERO, ..World::usual(20).without_limits() };
    let sim = Sim::start(bench, world).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_GITHUB_POINTS_PER_MINUTE", "0");
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(10)).await?;
    report(bench, &server, if bench.options.quick { RUNS / 10 } else { RUNS }).await?;
    let browser = Browser::sign_in(&server).await?;
    let rounds = bench.options.rounds(200, 20);
    let path = format!("/board?show={SHOW}");
    let page = browser.page(&path).await?;
    let visible = Board::read(&page)?.cards();
    ensure!(visible >= CARDS, "{visible} cards are visible");
    let (board, packed) = measure(&browser, &path, rounds).await?;
    let (plain, plain_packed) = measure(&browser, "/board", rounds).await?;
    let (overview, overview_packed) = measure(&browser, "/", rounds).await?;
    let overview_page = browser.page("/").await?;
    ensure!(overview_page.matches("class=\"chart\"").count() >= 2, "the overview has its charts");
    let rows = vec![
        Row::new("cards that the board shows", visible.to_string()),
        Row::new("board, packed, to its last byte", board.times())
            .must_be("median under 20 ms", board.is_within(TIME)),
        Row::new("board, unpacked / packed", format!("{} / {}", size(page.len() as u64), kilobytes(packed)))
            .must_be("packed under 300 KB", packed < PACKED),
        Row::new("board as it opens (50 a column)", plain.times()),
        Row::new("board as it opens, packed", kilobytes(plain_packed)),
        Row::new("overview", overview.times()).must_be("median under 20 ms", overview.is_within(TIME)),
        Row::new("overview, packed", kilobytes(overview_packed)),
    ];
    drop(server);
    site.remove().await?;
    Ok(rows)
}

fn kilobytes(bytes: usize) -> String {
    format!("{} KB", bytes.div_ceil(1_000))
}

/// One after the other over one connection, as one person's browser asks; after a warm-up.
async fn measure(browser: &Browser, path: &str, rounds: usize) -> Result<(Spread<Duration>, usize)> {
    let (mut spread, mut most) = (Spread::default(), 0);
    for round in 0..rounds + 5 {
        let began = Instant::now();
        let bytes = browser.packed(path).await?;
        if round >= 5 {
            spread.add(began.elapsed());
            most = most.max(bytes);
        }
    }
    Ok((spread, most))
}

/// Runs of a hundred agents, nine of ten of them heartbeats.
async fn report(bench: &Bench, server: &Server, runs: usize) -> Result<()> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (http, url) = (bench.http.clone(), format!("{}/api/agent-runs", server.url));
        writers.spawn(async move {
            for n in (writer..runs).step_by(WRITERS) {
                let kind = if n % 10 == 0 { "implement" } else { "heartbeat" };
                let status = ["ok", "ok", "ok", "ok", "ok", "ok", "warning", "error"][n % 8];
                let run = json!({
                    "agentName": format!("agent-{}", n % 100), "runType": kind, "status": status,
                    "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:02Z",
                    "summary": "Looked at ten repositories; nothing was to be done",
                    "touchedIssueUrls": ["https://github.com/acme/repo-01/issues/1"],
                });
                http.post(&url).bearer_auth(TOKEN).json(&run).send().await?.error_for_status()?;
            }
            anyhow::Ok(())
        });
    }
    writers.join_all().await.into_iter().collect()
}
