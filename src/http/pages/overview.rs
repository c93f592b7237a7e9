//! `/`: the fleet at one glance, and what asks for a person first.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    activity::{self, Activity},
    board::card::Liveness,
    chart::Ink,
    frame::{Frame, Theme},
    operator::Operator,
    refusal::PageResult,
};
use crate::{
    domain::{ids::AgentName, labels::Status, lane::Lanes, time::Timestamp},
    engine::{
        currency::{Currency, Judge},
        gauges::{self as engine_gauges, Allowed},
    },
    http::App,
    store::{
        agents,
        board::{self, Filter},
        gauges::{self, Depth, Freshness},
        overview::{self, Ending, Failure, Waiting},
    },
};

/// Rows of each list.
const ROWS_MAX: i64 = 10;
/// Agents that are shown.
const AGENTS_MAX: i64 = 500;
/// Claims that end within so long are shown.
const SOON: Duration = Duration::from_mins(10);
/// Failures are shown for so long.
const DAY: Duration = Duration::from_hours(24);

/// An agent, and when it was heard of.
struct AgentRow {
    name: AgentName,
    heard: Option<Timestamp>,
    liveness: Liveness,
}

/// A lane with its open issues by column.
struct LaneRow {
    title: String,
    counts: Vec<i64>,
    all: i64,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    frame: &'a Frame,
    counts: Vec<(Status, i64)>,
    lanes: Vec<LaneRow>,
    agents: Vec<AgentRow>,
    ending: &'a [Ending],
    waiting: &'a [Waiting],
    failures: &'a [Failure],
    repos: Vec<(Freshness, Currency)>,
    outbox: &'a [Depth],
    allowed: Vec<Allowed>,
    activity: Arc<Activity>,
}

impl Overview<'_> {
    fn count(&self, liveness: Liveness) -> usize {
        self.agents.iter().filter(|agent| agent.liveness == liveness).count()
    }

    #[expect(clippy::unused_self, reason = "templates ask the page")]
    fn open_statuses(&self) -> impl Iterator<Item = Status> {
        OPEN.into_iter()
    }

    fn pending(&self) -> i64 {
        self.outbox.iter().map(|depth| depth.pending).sum()
    }

    fn parked(&self) -> i64 {
        self.outbox.iter().map(|depth| depth.parked).sum()
    }
}

/// Columns of what is open.
const OPEN: [Status; 5] =
    [Status::Backlog, Status::Ready, Status::InProgress, Status::InReview, Status::Blocked];

/// The page.
pub async fn show(State(app): State<App>, operator: Operator) -> PageResult<Response> {
    let (frame, settings) = (&operator.frame, app.engine.settings());
    let now = frame.now;
    let mut tx = app.engine.db().read().await?;
    let counts = board::count(&mut tx, &Filter::all(now.minus(settings.done_retention))).await?;
    let by_lane = overview::count_by_lane(&mut tx).await?;
    let names = agents::list(&mut tx, AGENTS_MAX).await?;
    let keys: Vec<String> = names.iter().map(AgentName::key).collect();
    let heard: BTreeMap<String, Timestamp> =
        agents::list_last_heard(&mut tx, &keys).await?.into_iter().collect();
    let ending = overview::list_ending(&mut tx, now.plus(SOON), ROWS_MAX).await?;
    let waiting = overview::list_oldest_ready(&mut tx, ROWS_MAX).await?;
    let failures = overview::list_failures(&mut tx, now.minus(DAY), ROWS_MAX).await?;
    let judge = Judge::new(&app.engine, &mut tx).await?;
    let repos = gauges::list_freshness(&mut tx).await?;
    let outbox = gauges::list_outbox(&mut tx).await?;
    drop(tx);
    let activity = app.activity.read(&app.engine).await?;
    let current = |repo: Freshness| {
        let currency = judge.of((&repo.id, &repo.full_name), repo.confirmed_at, repo.added_at);
        (repo, currency)
    };
    let mut agents: Vec<AgentRow> = names
        .into_iter()
        .map(|name| {
            let heard = heard.get(&name.key()).copied();
            AgentRow { liveness: Liveness::of(heard, now, settings), heard, name }
        })
        .collect();
    agents.sort_by_key(|agent| std::cmp::Reverse(agent.heard));
    let count = |status| counts.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
    frame.show(&Overview {
        frame,
        counts: Status::ALL.into_iter().map(|status| (status, count(status))).collect(),
        lanes: lanes(settings.rules.lanes(), &by_lane),
        agents,
        ending: &ending,
        waiting: &waiting,
        failures: &failures,
        repos: repos.into_iter().map(current).collect(),
        outbox: &outbox,
        allowed: engine_gauges::allowed(&app.engine),
        activity,
    })
}

fn lanes(lanes: &Lanes, counts: &[(String, Status, i64)]) -> Vec<LaneRow> {
    let mut rows: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (lane, status, count) in counts {
        let row = rows.entry(lane).or_insert_with(|| vec![0; OPEN.len()]);
        if let Some(at) = OPEN.iter().position(|open| open == status) {
            row[at] += count;
        }
    }
    let title = |key: &str| lanes.by_id(key).map_or(key, |lane| &lane.title).to_owned();
    let rows =
        rows.into_iter().map(|(key, counts)| LaneRow { title: title(key), all: counts.iter().sum(), counts });
    rows.collect()
}
