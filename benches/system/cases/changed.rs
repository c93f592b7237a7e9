//! A pass after one issue changed.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{Backend, Bench, Row};
use crate::{
    server::{Server, Site},
    sim::{Sim, World},
    spread::{Spread, count},
};

#[derive(Default)]
struct Passes {
    requests: Spread<u64>,
    paid: Spread<u64>,
    wall: Spread<Duration>,
    /// Passes that named exactly the issue that had changed.
    right: usize,
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let sim = Sim::start(bench, World::usual(10)).await?;
    let site = Site::new(bench, backend, &sim).await?.with("DISPATCH_SYNC_MAX_STALENESS_MS", "0");
    let server = Server::start(bench, &site).await?;
    server.load(Duration::from_mins(1)).await?;
    let rounds = bench.options.rounds(11, 5);
    // The first is the warm-up.
    measure(&server, &sim, 0..1).await?;
    let passes = measure(&server, &sim, 1..=rounds).await?;
    drop(server);
    site.remove().await?;
    Ok(vec![
        Row::new("requests to GitHub per pass", passes.requests.counts()),
        Row::new("of these paid", passes.paid.counts()).must_be("1", passes.paid.is_always(1)),
        Row::new(
            "passes whose touchedIssueUrls is that issue",
            format!("{} of {}", count(passes.right as u64), count(rounds as u64)),
        )
        .must_be("all", passes.right == rounds),
        Row::new("wall time", passes.wall.times()),
    ])
}

async fn measure(server: &Server, sim: &Sim, rounds: impl IntoIterator<Item = usize>) -> Result<Passes> {
    let names = sim.world.names();
    let mut passes = Passes::default();
    for round in rounds {
        let repo = &names[round % names.len()];
        let number = 3 + 5 * round;
        let title = format!("Renamed in round {round}");
        sim.mutate(&json!({ "repo": repo, "op": "edit", "number": number, "title": title })).await?;
        sim.reset().await?;
        let (answer, took) = server.good_beat("coder").await?;
        let counters = sim.counters().await?;
        let expected = format!("https://github.com/{repo}/issues/{number}");
        passes.right += usize::from(answer.touched_issue_urls == [expected]);
        passes.requests.add(counters.requests);
        passes.paid.add(counters.paid);
        passes.wall.add(took);
    }
    Ok(passes)
}
