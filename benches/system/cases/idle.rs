//! What a server takes that has nothing to do: memory, time to start, space.

use std::{fs, time::Duration};

use anyhow::Result;
use tokio::time::sleep;

use super::{Backend, Bench, Row};
use crate::{
    server::{Server, Site},
    sim::{Sim, World},
    spread::{Spread, size, time},
};

/// Starts that are measured, after one that is not.
const STARTS: usize = 7;

/// So long may a graceful stop take.
const STOP: Duration = Duration::from_secs(15);

const MEMORY: u64 = 40_000_000;
const READY: Duration = Duration::from_millis(150);

const fn rest(quick: bool) -> Duration {
    Duration::from_secs(if quick { 5 } else { 30 })
}

pub fn title(quick: bool) -> String {
    format!("At rest: {} s after the load of 10 repositories x 100 issues", rest(quick).as_secs())
}

pub async fn run(bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    let sim = Sim::start(bench, World::usual(10)).await?;
    let site = Site::new(bench, backend, &sim).await?;
    let mut server = Server::start(bench, &site).await?;
    let first_start = server.started_in;
    let fresh = server.program.resident()?;
    server.load(Duration::from_mins(1)).await?;
    sleep(rest(bench.options.quick)).await;
    let resident = server.program.resident()?;
    server.program.stop(STOP).await?;
    let (starts, stops) = restart(bench, &site).await?;
    let binary = fs::metadata(&bench.options.dispatch)?.len();
    site.remove().await?;
    Ok(vec![
        Row::new("resident memory", size(resident)).must_be("at most 40 MB", resident <= MEMORY),
        Row::new("resident memory before the load", size(fresh)),
        Row::new("start to first healthy answer, existing database", starts.times())
            .must_be("at most 150 ms", starts.is_within(READY)),
        Row::new("start to first healthy answer, no database yet", time(first_start)),
        Row::new("graceful stop", stops.times()),
        Row::new("size of the program", size(binary)).must_be("printed", true),
    ])
}

async fn restart(bench: &Bench, site: &Site) -> Result<(Spread<Duration>, Spread<Duration>)> {
    let (mut starts, mut stops) = (Spread::default(), Spread::default());
    for round in 0..=STARTS {
        let mut server = Server::start(bench, site).await?;
        let stopped = server.program.stop(STOP).await?;
        if round > 0 {
            starts.add(server.started_in);
            stops.add(stopped);
        }
    }
    Ok((starts, stops))
}
