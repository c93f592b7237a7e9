//! Standing for the lead, and the term of a leader: its jobs run from the moment it is won to the moment it is lost.

use tokio::task::JoinHandle;

use super::repeat::{self, Led};
use crate::{
    domain::time::Timestamp,
    engine::{
        Engine,
        lead::{self, Campaign, Leader, Office, RENEW_EVERY},
    },
};

/// Stands for the lead whenever it may be free, until the server stops.
pub async fn stand(engine: Engine, office: Office, jobs: Vec<Led>, begin: Timestamp) {
    let stopping = engine.tasks().stopping().clone();
    while !stopping.is_cancelled() {
        let now = engine.clock().now();
        let next = match lead::campaign(&engine, office).await {
            Ok(Campaign::Won(leader)) => {
                serve(&engine, office, &jobs, &leader, begin).await;
                continue;
            }
            // A leader that ends gives the lease back before it runs out.
            Ok(Campaign::Lost { until }) => until.min(now.plus(RENEW_EVERY)),
            Err(error) => {
                tracing::warn!(%error, "the lead could not be stood for; it is tried again");
                now.plus(RENEW_EVERY)
            }
        };
        let _ = stopping.run_until_cancelled(engine.clock().sleep_until(next)).await;
    }
}

/// One term: ends when the lead is lost or the server stops, and with it the last run of every job.
async fn serve(engine: &Engine, office: Office, jobs: &[Led], leader: &Leader, begin: Timestamp) {
    show(engine, office, true);
    let jobs: Vec<JoinHandle<()>> =
        jobs.iter().map(|job| repeat::as_leader(engine, *job, leader, begin)).collect();
    keep(engine, leader).await;
    leader.step_down();
    show(engine, office, false);
    for job in jobs {
        // A job that panicked has ended too.
        let _ = job.await;
    }
    if office == Office::Scheduler && !engine.tasks().stopping().is_cancelled() {
        tracing::warn!("this process leads no more; another may, and this one stands again");
    }
    if let Err(error) = lead::resign(engine, leader).await {
        tracing::debug!(%error, "the lead could not be given back; it runs out by itself");
    }
}

async fn keep(engine: &Engine, leader: &Leader) {
    let mut next = engine.clock().now().plus(RENEW_EVERY);
    while leader.leads() {
        if leader.over().run_until_cancelled(engine.clock().sleep_until(next)).await.is_none() {
            return;
        }
        // A renewal that takes long does not put off the next.
        next = engine.clock().now().plus(RENEW_EVERY);
        if let Err(error) = lead::renew(engine, leader).await {
            tracing::warn!(%error, "the lead could not be renewed; it is tried again");
        }
    }
}

/// Whether the record is kept here is no news.
fn show(engine: &Engine, office: Office, leads: bool) {
    if office == Office::Record {
        return;
    }
    if leads {
        tracing::info!("this process leads: it runs the jobs that only one may run");
    }
    engine.jobs().lead(leads);
    engine.meters().jobs.lead(leads);
}
