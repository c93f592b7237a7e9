//! What GitHub has yet to be told: waiting, parked, tried again, given up: `/outbox`.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    frame::{Frame, Theme},
    list::{self, Paging, ROWS, forgiven},
    operator::{Operator, Order},
    outcome::Sent,
    refusal::PageResult,
};
use crate::{
    domain::{
        ids::OutboxId,
        outbox::{EntryState, EntryStates},
        page::Page,
    },
    engine::outbox,
    http::{
        App,
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::{
        ReadTx,
        gauges::{self, Depth},
        outbox_list::{self, Entry, Filter, Word},
    },
};

/// What is shown where the address asks for no state.
const WAITING: &str = EntryStates::WAITING;

const STATES: [(&str, &str); 5] = [
    (WAITING, "waiting and parked"),
    ("pending", "waiting"),
    ("parked", "parked"),
    ("settled", "at GitHub"),
    ("discarded", "given up"),
];

#[derive(Template)]
#[template(path = "outbox/list.html")]
struct Outbox<'a> {
    frame: &'a Frame,
    fault: Option<ApiError>,
    states: [(&'static str, &'static str); 5],
    state: &'a str,
    repo: &'a str,
    depths: Vec<Depth>,
    entries: Vec<Entry>,
    paging: Paging,
    writes: bool,
}

impl Outbox<'_> {
    fn narrows(&self) -> bool {
        !self.repo.is_empty() || self.state != WAITING
    }

    fn is_chosen(&self, state: &str) -> bool {
        self.state == state
    }

    fn kind(&self, depth: &Depth) -> String {
        depth.kind.replace('_', " ")
    }

    fn tone(&self, entry: &Entry) -> &'static str {
        match entry.state {
            EntryState::Pending => "warn",
            EntryState::Parked => "bad",
            EntryState::Settled => "good",
            EntryState::Discarded => "",
        }
    }

    fn words(&self, entry: &Entry) -> &'static str {
        match entry.state {
            EntryState::Pending if entry.sending_until.is_some_and(|until| until > self.frame.now) => {
                "being sent"
            }
            EntryState::Pending => "waiting",
            EntryState::Parked => "parked",
            EntryState::Settled => "at GitHub",
            EntryState::Discarded => "given up",
        }
    }

    fn is_open(&self, entry: &Entry) -> bool {
        matches!(entry.state, EntryState::Pending | EntryState::Parked)
    }

    fn what(&self, entry: &Entry) -> String {
        entry.write.in_words()
    }
}

/// Entries, oldest first.
pub async fn show(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let state = params.text("state").unwrap_or(WAITING);
    let mut tx = app.engine.db().read().await?;
    let depths = gauges::list_outbox(&mut tx).await?;
    let (page, fault) = forgiven(read(&mut tx, state, &params).await)?;
    drop(tx);
    let (frame, paging) = (&operator.frame, Paging::of(&params, &page));
    let status = fault.as_ref().map(ApiError::status);
    let page = Outbox {
        frame,
        fault,
        states: STATES,
        state,
        repo: params.text("repo").unwrap_or_default(),
        depths: depths.into_iter().filter(|depth| depth.pending + depth.parked > 0).collect(),
        entries: page.rows,
        paging,
        writes: app.engine.settings().writes.enabled,
    };
    list::show(frame, &page, status)
}

async fn read(tx: &mut ReadTx, state: &str, params: &Params) -> ApiResult<Page<Entry>> {
    let states = state.parse().map_err(|rule| ApiError::invalid("state", format!("state: {rule}")))?;
    let filter = Filter { repo: params.repo("repo")?, states: Some(states), kind: None };
    Ok(outbox_list::list(tx, &filter, params.cursor()?.as_ref(), ROWS).await?)
}

/// Has an entry tried again now.
pub async fn retry(State(app): State<App>, order: Order) -> PageResult<Response> {
    operate(&app, order, Word::Retry).await
}

/// Gives an entry up.
pub async fn discard(State(app): State<App>, order: Order) -> PageResult<Response> {
    operate(&app, order, Word::Discard).await
}

async fn operate(app: &App, order: Order, word: Word) -> PageResult<Response> {
    let sent = Sent::from(order);
    let id = OutboxId(sent.form.needed("id")?.to_owned());
    let done = outbox::operate(&app.engine, &sent.caller, &id, word).await;
    sent.end(done.map_err(ApiError::from).map(|entry| {
        let what = entry.write.in_words();
        match (word, entry.state) {
            (Word::Discard, _) => format!("Given up: {what}"),
            (Word::Retry, EntryState::Settled) => format!("GitHub has it now: {what}"),
            (Word::Retry, EntryState::Parked) => {
                format!("Tried again, and parked again: {what}; {}", entry.error.unwrap_or_default())
            }
            (Word::Retry, _) => format!("It is tried again: {what}"),
        }
    }))
}
