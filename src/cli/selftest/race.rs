//! `dispatch selftest claim-race`: many agents, one issue, one winner in every round.

use std::{
    pin::pin,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::{
    FutureExt as _,
    future::{join_all, try_join_all},
};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::Barrier;

use super::{course::Course, tally::Tally};
use crate::cli::{
    agent::Reference,
    client::{Answer, Server, Target},
    progress,
    serve::stop_signal,
    show::{self, Format},
};

pub const MORE: &str = "\
In each round all agents claim the issue at once, each over its own connection, and who gets it gives it back. The issue must be open, \
status/ready and nobody's; its labels are then as they were. Between, they change on GitHub, as often as the server's pace of writes allows, unless it \
runs with DISPATCH_GITHUB_WRITES=off; and the audit log gets rows. That is why it wants --yes.

Examples:
  dispatch selftest claim-race --yes
  dispatch selftest claim-race --agents 8 --rounds 100 --issue acme/api#7 --yes
  dispatch selftest claim-race --yes --json | jq .roundsWithOneWinner

Exit codes: 0 every round had exactly one winner, fences grew, and the others got 409; 1 not so; 2 error: there was no race, or it was \
interrupted before it could tell.";

/// A race for one issue.
#[derive(Args)]
pub struct ClaimRace {
    /// Agents that race: race-01, race-02 and so on.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(2..=1_000))]
    agents: u16,
    /// Rounds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rounds: u32,
    /// The issue; without it the first of the queue that is ready and nobody's.
    #[arg(long, value_name = "OWNER/NAME#NUMBER")]
    issue: Option<Reference>,
    /// Yes, write claims, labels and rows of the audit log.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    format: Format,
}

/// One agent, with a connection of its own.
struct Racer {
    name: String,
    server: Server,
    claim: Value,
}

impl Racer {
    /// Opens its connection, and finds out whether the token may act for it.
    async fn arrive(&self) -> anyhow::Result<Value> {
        self.server.get(&format!("/api/agents/{}/active-work", self.name), "hasActiveWork").await
    }
}

/// What an agent heard, and how long it took; nothing where no answer came.
pub struct Heard {
    pub answer: Option<Answer>,
    pub took: Duration,
}

impl Heard {
    /// Was the issue granted?
    pub fn is_won(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.status == StatusCode::OK)
    }
}

impl ClaimRace {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if !self.yes {
            bail!(
                "this claims an issue over and over, which changes its labels on GitHub (unless the server has \
                 DISPATCH_GITHUB_WRITES=off) and fills the audit log; say --yes if that may be"
            );
        }
        let server = self.target.open()?;
        let course = Course::find(&server, self.issue.clone()).await?;
        let racers = self.racers(&course)?;
        try_join_all(racers.iter().map(Racer::arrive)).await?;
        let progress = progress::bar("racing", self.rounds.into());
        let began = Instant::now();
        let mut tally = Tally::of(self.rounds.into());
        let mut stop = pin!(stop_signal());
        for _ in 0..self.rounds {
            if stop.as_mut().now_or_never().is_some() {
                break;
            }
            let heard = round(&racers).await;
            tally.add(&heard);
            give_back(&racers, &heard, &course).await?;
            progress.inc(1);
        }
        progress.finish_and_clear();
        let took = began.elapsed();
        if let Some(words) = course.left_behind(&server).await? {
            show::aside(&words);
        }
        let (issue, agents) = (course.issue.to_string(), racers.len());
        show::value(self.format, &tally.json(&issue, agents, took), &tally.words(&issue, agents, took))?;
        if tally.is_interrupted() {
            show::aside(&format!("interrupted: fewer than {} rounds prove nothing", self.rounds));
        }
        Ok(ExitCode::from(match (tally.is_sound(), tally.is_interrupted()) {
            (false, _) => 1,
            (true, true) => 2,
            (true, false) => 0,
        }))
    }

    fn racers(&self, course: &Course) -> anyhow::Result<Vec<Racer>> {
        let racer = |n: u16| {
            let name = format!("race-{n:02}");
            let mut claim = course.body(&name);
            claim["lease"] = true.into();
            Ok(Racer { name, server: self.target.open()?, claim })
        };
        (1..=self.agents).map(racer).collect()
    }
}

/// All at once.
async fn round(racers: &[Racer]) -> Vec<Heard> {
    let start = Barrier::new(racers.len());
    let run = async |racer: &Racer| {
        start.wait().await;
        let began = Instant::now();
        let answer = racer.server.send(Method::POST, "/api/issues/claim", Some(&racer.claim)).await;
        Heard { answer: answer.ok(), took: began.elapsed() }
    };
    join_all(racers.iter().map(run)).await
}

/// Whoever has the issue, or may have it because its answer got lost, gives it back.
async fn give_back(racers: &[Racer], heard: &[Heard], course: &Course) -> anyhow::Result<()> {
    for (racer, heard) in racers.iter().zip(heard) {
        let mut body = course.body(&racer.name);
        match &heard.answer {
            Some(answer) if heard.is_won() => {
                body["claimId"] = answer.body["claimId"].clone();
                body["fence"] = answer.body["fence"].clone();
            }
            Some(_) => continue,
            None => {}
        }
        let released = racer.server.insist("/api/issues/unclaim", &body).await;
        let released = released.with_context(|| format!("{} may still have {}", racer.name, course.issue))?;
        // 409: that claim is live no more. Who got no answer may have got nothing else either.
        let is_free = released.status.is_success() || released.status == StatusCode::CONFLICT;
        if !is_free && heard.is_won() {
            let refusal = racer.server.refusal(&released);
            return Err(refusal.context(format!("{} could not give {} back", racer.name, course.issue)));
        }
    }
    Ok(())
}
