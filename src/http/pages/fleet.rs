//! Agents: all of them, and one with what it does: `/agents`.

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};

use super::{
    board::card::Liveness,
    frame::{Frame, Theme},
    list::{Paging, ROWS, cut, short_address, web_address},
    operator::Operator,
    refusal::{PageResult, not_found},
    runs::tone,
    time::span,
};
use crate::{
    domain::{
        claim::{Terms, WorkState},
        ids::AgentName,
        pr_fix::Item,
        run::Run,
    },
    engine::Settings,
    http::{App, params::Params},
    store::{
        fleet::{self, AgentRow},
        pr_fix, runs,
        work::{self, Work},
    },
};

/// What is shown of each kind on the page of an agent.
const SHOWN: i64 = 20;
/// The states of claims that hold, and of those that ended.
const LIVE: [WorkState; 3] = [WorkState::Claimed, WorkState::InProgress, WorkState::Blocked];
const ENDED: [WorkState; 3] = [WorkState::Done, WorkState::Released, WorkState::Stale];

/// An agent, and whether it lives.
struct AgentView {
    row: AgentRow,
    liveness: Liveness,
    meaning: String,
}

impl AgentView {
    fn of(row: AgentRow, frame: &Frame, settings: &Settings) -> Self {
        let liveness = Liveness::of(row.heard_at, frame.now, settings);
        Self { row, liveness, meaning: meaning(liveness, settings) }
    }
}

/// What its state means, in words.
fn meaning(liveness: Liveness, settings: &Settings) -> String {
    let (interval, ttl) = (span(settings.heartbeat_interval), span(settings.claims.ttl));
    match liveness {
        Liveness::Alive => format!("it was heard of within three heartbeats, which come every {interval}"),
        Liveness::Quiet => format!("it missed heartbeats, which come every {interval}"),
        Liveness::Silent => format!("nothing was heard of it for more than {ttl}, or ever"),
    }
}

#[derive(Template)]
#[template(path = "fleet/list.html")]
struct Fleet<'a> {
    frame: &'a Frame,
    agents: Vec<AgentView>,
    paging: Paging,
}

/// Every agent that was seen, by name.
pub async fn show_all(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let frame = &operator.frame;
    let after = params.agent("cursor")?;
    let mut tx = app.engine.db().read_once().await?;
    let rows = fleet::list(&mut tx, after.as_ref(), ROWS).await?;
    drop(tx);
    let (rows, last) = cut(rows, ROWS);
    let next = last.and_then(|last| rows.get(last)).map(|row| row.name.to_string());
    let paging = Paging::after(&params, next.as_deref());
    let agents = rows.into_iter().map(|row| AgentView::of(row, frame, app.engine.settings()));
    frame.show(&Fleet { frame, agents: agents.collect(), paging })
}

/// A claim, and the words for it.
struct WorkView {
    work: Work,
    /// Its time is up, and its holder went silent.
    is_late: bool,
}

impl WorkView {
    fn is_leased(&self) -> bool {
        self.work.claim.terms == Terms::Leased
    }

    /// Where its pull request is.
    fn pull(&self) -> Option<(&str, String)> {
        let url = web_address(self.work.claim.pr_url.as_deref()?)?;
        Some((url, short_address(url)))
    }

    fn checkpoint(&self) -> String {
        self.work.claim.checkpoint.work_name().to_lowercase().replace('_', " ")
    }

    fn state(&self) -> String {
        self.work.claim.state.as_str().to_lowercase().replace('_', " ")
    }

    fn ending(&self) -> String {
        self.work.claim.end_reason.map_or("ended", crate::domain::claim::EndReason::action).replace('_', " ")
    }
}

#[derive(Template)]
#[template(path = "fleet/agent.html")]
struct Agent<'a> {
    frame: &'a Frame,
    agent: AgentView,
    live: Vec<WorkView>,
    ended: Vec<WorkView>,
    fixes: Vec<Item>,
    runs: Vec<Run>,
    others: Vec<AgentRow>,
}

impl Agent<'_> {
    fn tone(&self, status: &str) -> &'static str {
        tone(status)
    }
}

/// One agent: when it was heard of, what it works on, what it did.
pub async fn show(
    State(app): State<App>,
    operator: Operator,
    path: Result<Path<String>, PathRejection>,
) -> PageResult<Response> {
    let frame = &operator.frame;
    let name: AgentName = path.ok().and_then(|Path(name)| name.parse().ok()).ok_or_else(not_found)?;
    let mut tx = app.engine.db().read().await?;
    let row = fleet::find(&mut tx, &name).await?.ok_or_else(not_found)?;
    let live = work::list(&mut tx, &LIVE, Some(&name), None, SHOWN).await?.rows;
    let ended = work::list(&mut tx, &ENDED, Some(&name), None, SHOWN).await?.rows;
    let fixes = pr_fix::list_held(&mut tx, &name, SHOWN).await?;
    let filter = runs::Filter { agent: Some(name), ..runs::Filter::default() };
    let runs = runs::list(&mut tx, &filter, None, SHOWN).await?.rows;
    let others = fleet::list(&mut tx, None, ROWS).await?;
    drop(tx);
    let view = |work: Work| {
        let is_late = work.claim.ended_at.is_none() && work.claim.expires_at <= frame.now;
        WorkView { work, is_late }
    };
    let page = Agent {
        frame,
        others: others.into_iter().filter(|other| other.name != row.name).collect(),
        agent: AgentView::of(row, frame, app.engine.settings()),
        live: live.into_iter().map(view).collect(),
        ended: ended.into_iter().map(view).collect(),
        fixes,
        runs,
    };
    frame.show(&page)
}
