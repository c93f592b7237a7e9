//! What GitHub told by webhooks, and what became of it: `/deliveries`.

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
    domain::{delivery::DeliveryState, page::Page},
    engine::webhooks::{self, Door},
    http::{
        App,
        error::{ApiError, ApiResult},
        params::Params,
    },
    store::deliveries::{self, Delivery, Filter},
};

#[derive(Template)]
#[template(path = "outbox/deliveries.html")]
struct Deliveries<'a> {
    frame: &'a Frame,
    fault: Option<ApiError>,
    states: [DeliveryState; 4],
    state: &'a str,
    repo: &'a str,
    event: &'a str,
    deliveries: Vec<Delivery>,
    paging: Paging,
    hears: bool,
}

impl Deliveries<'_> {
    fn narrows(&self) -> bool {
        [self.state, self.repo, self.event].iter().any(|text| !text.is_empty())
    }

    fn is_chosen(&self, state: &DeliveryState) -> bool {
        self.state == state.as_str()
    }

    fn tone(&self, delivery: &Delivery) -> &'static str {
        match delivery.state {
            DeliveryState::Pending => "warn",
            DeliveryState::Applied => "good",
            DeliveryState::Ignored => "",
            DeliveryState::Failed => "bad",
        }
    }

    fn may_retry(&self, delivery: &Delivery) -> bool {
        delivery.has_payload && delivery.state != DeliveryState::Applied
    }
}

/// Deliveries, newest first.
pub async fn show(State(app): State<App>, operator: Operator, params: Params) -> PageResult<Response> {
    let (page, fault) = forgiven(read(&app, &params).await)?;
    let text = |name: &str| params.text(name).unwrap_or_default();
    let (frame, paging) = (&operator.frame, Paging::of(&params, &page));
    let status = fault.as_ref().map(ApiError::status);
    let page = Deliveries {
        frame,
        fault,
        states: DeliveryState::ALL,
        state: text("state"),
        repo: text("repo"),
        event: text("event"),
        deliveries: page.rows,
        paging,
        hears: !matches!(app.engine.settings().webhooks, Door::Closed),
    };
    list::show(frame, &page, status)
}

async fn read(app: &App, params: &Params) -> ApiResult<Page<Delivery>> {
    let filter = Filter {
        repo: params.repo("repo")?,
        state: params.parsed("state")?,
        event: params.text("event").map(str::to_owned),
    };
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read_once().await?;
    Ok(deliveries::list(&mut tx, &filter, cursor.as_ref(), ROWS).await?)
}

/// Has a delivery applied once more.
pub async fn retry(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let id =
        sent.form.needed("id")?.parse().map_err(|rule| ApiError::invalid("id", format!("id: {rule}")))?;
    let done = webhooks::retry(&app.engine, &sent.caller, &id).await;
    sent.end(done.map_err(ApiError::from).map(|_| "It is pending again, and applied next".to_owned()))
}
