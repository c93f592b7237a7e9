//! The board: a column for each status, cards that move, and the fragments that keep it alive.

pub mod card;
pub mod filter;

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use self::{
    card::CardView,
    filter::{Asked, PRIORITIES, read_place, write_place},
};
use super::{
    flash::Flash,
    frame::{Frame, Theme},
    operator::{Operator, Order},
    refusal::{PageResult, not_found},
};
use crate::{
    domain::{
        ids::{AgentName, IssueId},
        labels::Status,
        lane::Lane,
        repo::RepoName,
        time::Timestamp,
    },
    engine::{
        actions::{self, Ask, Move, Named},
        events,
    },
    http::{
        App,
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::{
        ReadTx, agents,
        board::{self, Card, Filter, Part},
        repos,
    },
};

/// Agents that the filter offers.
const AGENTS_MAX: i64 = 500;
/// Cards that are read again at once.
const CARDS_MAX: usize = 100;

/// A column as it is shown.
struct Column<'a> {
    status: Status,
    title: &'static str,
    count: i64,
    cards: Vec<CardView<'a>>,
    /// Where the next part begins, as it stands in an address.
    behind: Option<String>,
}

#[derive(Template)]
#[template(path = "board/page.html")]
struct Board<'a> {
    frame: &'a Frame,
    /// The id of the last event before it was read.
    told: String,
    asked: &'a Asked,
    query: String,
    columns: Vec<Column<'a>>,
    repos: Vec<RepoName>,
    agents: Vec<AgentName>,
    lanes: &'a [Lane],
    priorities: [&'static str; 5],
}

impl Board<'_> {
    fn is_empty(&self) -> bool {
        self.columns.iter().all(|column| column.count == 0)
    }
}

/// The board.
pub async fn show(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let (frame, asked) = (&operator.frame, Asked::read(&params)?);
    let settings = app.engine.settings();
    let told = events::place(&app.engine);
    let mut tx = app.engine.db().read().await?;
    let filter = asked.filter(&mut tx, settings, frame.now).await?;
    let counts = counts(&mut tx, filter.as_ref()).await?;
    let mut parts = Vec::new();
    for status in Status::ALL {
        parts.push((status, part(&mut tx, filter.as_ref(), status, None, asked.show).await?));
    }
    let heard = last_heard(&mut tx, parts.iter().flat_map(|(_, part)| &part.cards)).await?;
    let repos = repos::list_tracked(&mut tx).await?;
    let agents = agents::list(&mut tx, AGENTS_MAX).await?;
    drop(tx);
    let lanes = settings.rules.lanes();
    let view = |card| CardView::of(card, lanes, &heard, (frame.now, settings));
    let columns = parts.iter().map(|(status, part)| Column {
        status: *status,
        title: status.title(),
        count: counts.get(status).copied().unwrap_or(0),
        cards: part.cards.iter().map(view).collect(),
        behind: part.next.as_ref().map(write_place),
    });
    frame.show(&Board {
        frame,
        told,
        asked: &asked,
        query: asked.query(),
        columns: columns.collect(),
        repos: repos.into_iter().map(|repo| repo.name).collect(),
        agents,
        lanes: lanes.all(),
        priorities: PRIORITIES,
    })
}

#[derive(Template)]
#[template(path = "board/column.html")]
struct ColumnPage<'a> {
    frame: &'a Frame,
    query: String,
    column: Column<'a>,
}

/// One column, from some card on.
pub async fn show_column(
    State(app): State<App>,
    operator: Operator,
    Path(status): Path<String>,
    params: Params,
) -> PageResult<Response> {
    let status = status_named(&status).ok_or_else(not_found)?;
    let (frame, asked) = (&operator.frame, Asked::read(&params)?);
    let (settings, behind) = (app.engine.settings(), read_place(&params)?);
    let mut tx = app.engine.db().read().await?;
    let filter = asked.filter(&mut tx, settings, frame.now).await?;
    let counts = counts(&mut tx, filter.as_ref()).await?;
    let part = part(&mut tx, filter.as_ref(), status, behind.as_ref(), asked.show).await?;
    let heard = last_heard(&mut tx, &part.cards).await?;
    drop(tx);
    let lanes = settings.rules.lanes();
    let view = |card| CardView::of(card, lanes, &heard, (frame.now, settings));
    let column = Column {
        status,
        title: status.title(),
        count: counts.get(&status).copied().unwrap_or(0),
        cards: part.cards.iter().map(view).collect(),
        behind: part.next.as_ref().map(write_place),
    };
    frame.show(&ColumnPage { frame, query: asked.query(), column })
}

#[derive(Template)]
#[template(path = "board/cards.html")]
struct Fragment<'a> {
    frame: &'a Frame,
    cards: Vec<CardView<'a>>,
    counts: Vec<(Status, i64)>,
}

/// Cards that changed, as the page holds them, for the script; those that are left out are on this board no more.
pub async fn show_cards(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let (frame, asked) = (&operator.frame, Asked::read(&params)?);
    let ids = params.text("ids").unwrap_or_default();
    let ids: Vec<IssueId> =
        ids.split(',').filter(|id| !id.is_empty()).map(|id| IssueId(id.to_owned())).collect();
    if ids.len() > CARDS_MAX {
        return Err(ApiError::invalid("ids", format!("ids must be at most {CARDS_MAX}")).into());
    }
    let settings = app.engine.settings();
    let mut tx = app.engine.db().read().await?;
    let filter = asked.filter(&mut tx, settings, frame.now).await?;
    let counts = counts(&mut tx, filter.as_ref()).await?;
    let cards = match &filter {
        Some(filter) => board::list_by_id(&mut tx, filter, &ids).await?,
        None => Vec::new(),
    };
    let heard = last_heard(&mut tx, &cards).await?;
    drop(tx);
    let lanes = settings.rules.lanes();
    let views = cards.iter().map(|card| CardView::of(card, lanes, &heard, (frame.now, settings)));
    let counts = Status::ALL.into_iter().map(|status| (status, counts.get(&status).copied().unwrap_or(0)));
    frame.show(&Fragment { frame, cards: views.collect(), counts: counts.collect() })
}

/// Moves a card, where no script does it.
pub async fn move_card(State(app): State<App>, order: Order) -> PageResult<Response> {
    let Order { caller, frame, form, .. } = order;
    // `ready 019b76da-…`: a button sends one value.
    let (to, id) = form.needed("move")?.split_once(' ').ok_or_else(|| wrong_move(""))?;
    let status = status_named(to).ok_or_else(|| wrong_move(to))?;
    let ask =
        Ask { issue: Named::Id(IssueId(id.to_owned())), actor: caller.actor().to_owned(), if_match: None };
    let wanted = Move { from: None, to: Some(status) };
    let flash = match actions::move_issue(&app.engine, &caller, &ask, wanted).await {
        Ok(_) => Flash::done(format!("The card is in {} now", status.title())),
        Err(error) => Flash::failed(ApiError::from(error).told()),
    };
    Ok(frame.lead_to(form.back(), &flash))
}

fn wrong_move(to: &str) -> ApiError {
    ApiError::invalid("move", format!("move: {to:?} is no column of the board"))
}

fn status_named(word: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.word() == word)
}

async fn counts(tx: &mut ReadTx, filter: Option<&Filter>) -> ApiResult<HashMap<Status, i64>> {
    let Some(filter) = filter else { return Ok(HashMap::new()) };
    Ok(board::count(tx, filter).await?.into_iter().collect())
}

async fn part(
    tx: &mut ReadTx,
    filter: Option<&Filter>,
    status: Status,
    behind: Option<&board::Behind>,
    limit: i64,
) -> ApiResult<Part> {
    let Some(filter) = filter else { return Ok(Part { cards: Vec::new(), next: None }) };
    Ok(board::list(tx, filter, status, behind, limit).await?)
}

async fn last_heard<'c>(
    tx: &mut ReadTx,
    cards: impl IntoIterator<Item = &'c Card>,
) -> ApiResult<HashMap<String, Timestamp>> {
    let keys: HashSet<&String> = cards.into_iter().filter_map(|card| card.agent.as_ref()).collect();
    let keys: Vec<String> = keys.into_iter().cloned().collect();
    Ok(agents::list_last_heard(tx, &keys).await?.into_iter().collect())
}
