//! What operators do to the work of agents: `/work/release`, `/work/reassign`.

use axum::{extract::State, response::Response};

use super::{
    operator::Order,
    outcome::Sent,
    refusal::{PageResult, Refusal},
};
use crate::{
    domain::ids::{AgentName, ClaimId},
    engine::work::{self, Reassign, Release},
    http::{
        App,
        error::{ApiError, ApiResult},
    },
};

/// Takes work from its agent; its issue is free again.
pub async fn release(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let what = Release::Named { work: Some(ClaimId(sent.form.needed("work")?.to_owned())), lease: None };
    let reason = sent.form.text("reason").unwrap_or("Released by operator");
    let done = work::release(&app.engine, &sent.caller, &what, reason).await;
    sent.end(done.map_err(ApiError::from).map(|_| "The work is released; its issue is free again".to_owned()))
}

/// Gives work to another agent: a new attempt.
pub async fn reassign(State(app): State<App>, order: Order) -> PageResult<Response> {
    let sent = Sent::from(order);
    let outcome = match asked(&sent) {
        Ok(ask) => {
            let done = work::reassign(&app.engine, &sent.caller, &ask).await;
            done.map_err(ApiError::from)
                .map(|claim| format!("{} has the work now, as a new attempt", claim.agent))
        }
        Err(Refusal::Said(error)) => Err(error),
        Err(other) => return Err(other),
    };
    sent.end(outcome)
}

fn asked(sent: &Sent) -> PageResult<Reassign> {
    let name = |text: &str| -> ApiResult<AgentName> {
        text.parse().map_err(|rule| ApiError::invalid("to", format!("New agent: {rule}")))
    };
    Ok(Reassign {
        work: ClaimId(sent.form.needed("work")?.to_owned()),
        to: name(sent.form.needed("to")?)?,
        reason: sent.form.text("reason").unwrap_or("Reassigned by operator").to_owned(),
    })
}
