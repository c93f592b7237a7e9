//! The cases, one file each.

mod boards;
mod changed;
mod claims;
mod cold;
mod crowd;
mod deliveries;
mod fleet;
mod hours;
mod idle;
mod idle_polls;
mod pages;
mod polls;
mod steady;
mod unchanged;

use anyhow::Result;

use super::{
    bench::Bench,
    options::{Backend, Case},
    report::Row,
};

/// What a case is called above its table.
pub fn title(case: Case, bench: &Bench) -> String {
    let quick = bench.options.quick;
    match case {
        Case::Unchanged => unchanged::title(10),
        Case::UnchangedMany => unchanged::title(100),
        Case::Changed => "One issue changed in one of 10 repositories".to_owned(),
        Case::Crowd => "Heartbeats at once; 10 repositories x 100 issues, 80 ms".to_owned(),
        Case::Steady => steady::title(quick),
        Case::Cold => cold::title(quick),
        Case::Fleet => "100 repositories, 100 agents, each beating at its nextHeartbeatAt".to_owned(),
        Case::Hours => hours::title(quick),
        Case::Idle => idle::title(quick),
        Case::Polls => polls::title(quick),
        Case::IdlePolls => idle_polls::title(quick),
        Case::Claims => claims::title(quick),
        Case::Deliveries => deliveries::title(quick),
        Case::Pages => pages::title(),
        Case::Boards => boards::title(quick),
    }
}

/// Runs a case over one database.
pub async fn run(case: Case, bench: &Bench, backend: Backend) -> Result<Vec<Row>> {
    match case {
        Case::Unchanged => unchanged::few(bench, backend).await,
        Case::UnchangedMany => unchanged::many(bench, backend).await,
        Case::Changed => changed::run(bench, backend).await,
        Case::Crowd => crowd::run(bench, backend).await,
        Case::Steady => steady::run(bench, backend).await,
        Case::Cold => cold::run(bench, backend).await,
        Case::Fleet => fleet::run(bench, backend).await,
        Case::Hours => hours::run(bench, backend).await,
        Case::Idle => idle::run(bench, backend).await,
        Case::Polls => polls::run(bench, backend).await,
        Case::IdlePolls => idle_polls::run(bench, backend).await,
        Case::Claims => claims::run(bench, backend).await,
        Case::Deliveries => deliveries::run(bench, backend).await,
        Case::Pages => pages::run(bench, backend).await,
        Case::Boards => boards::run(bench, backend).await,
    }
}
