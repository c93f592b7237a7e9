//! A delivery comes in: read, stored, and answered before anything is done about it.

use super::inbox;
use crate::{
    domain::{
        delivery::{DeliveryId, DeliveryState, NotADeliveryId},
        digest::{hex, sha256},
    },
    engine::Engine,
    github::webhook::{self, Payload, Said, Unreadable, event_name},
    store::{self, deliveries::NewDelivery},
};

/// What was sent, by somebody who may.
#[derive(Debug)]
pub struct Incoming {
    pub event: String,
    /// GitHub always names it; a gateway may not.
    pub guid: Option<String>,
    pub body: Vec<u8>,
}

/// What became of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Stored; it is applied next.
    Pending,
    /// There was nothing to do.
    Applied,
    /// By a rule it changes nothing.
    Ignored,
    /// It was stored before.
    Duplicate,
}

/// A delivery that was accepted.
#[derive(Clone, Debug)]
pub struct Received {
    pub guid: DeliveryId,
    pub event: String,
    pub action: Option<String>,
    pub receipt: Receipt,
}

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("X-GitHub-Delivery: {0}")]
    Guid(#[from] NotADeliveryId),
    #[error("The body is no JSON; set the webhook's content type to application/json")]
    NotJson,
    #[error(
        "The payload is not of the form that GitHub documents for {event} (line {line}, column {column})"
    )]
    Form { event: String, line: usize, column: usize },
    #[error("the database failed")]
    Database(#[from] store::Error),
}

/// Stores a delivery, once. Who sent it was checked before.
pub async fn receive(engine: &Engine, incoming: Incoming) -> Result<Received, Refusal> {
    let metered = event_name(&incoming.event);
    let received = take_in(engine, incoming).await;
    let webhooks = &engine.meters.webhooks;
    match &received {
        Ok(Received { receipt: Receipt::Duplicate, .. }) => webhooks.told(metered, "duplicate"),
        Ok(Received { receipt: Receipt::Ignored, .. }) => webhooks.told(metered, "ignored"),
        Ok(Received { receipt: Receipt::Applied, .. }) => webhooks.told(metered, "applied"),
        // Told when it is applied.
        Ok(Received { receipt: Receipt::Pending, .. }) | Err(Refusal::Database(_)) => {}
        Err(_) => webhooks.told(metered, "refused"),
    }
    received
}

async fn take_in(engine: &Engine, Incoming { event, guid, body }: Incoming) -> Result<Received, Refusal> {
    let guid: DeliveryId = match guid {
        Some(guid) => guid.parse()?,
        // The same bytes are the same delivery.
        None => format!("body-{}", &hex(&sha256(&body))[..40]).parse()?,
    };
    let body = String::from_utf8(body).map_err(|_| Refusal::NotJson)?;
    let Payload { action, repo, said } = webhook::read(&event, &body).map_err(|fault| match fault {
        Unreadable::NotJson => Refusal::NotJson,
        Unreadable::Form { line, column } => Refusal::Form { event: event.clone(), line, column },
    })?;
    let (state, receipt, words) = match said {
        Said::Nothing(why) => (DeliveryState::Ignored, Receipt::Ignored, Some(why)),
        Said::Ping => (DeliveryState::Applied, Receipt::Applied, None),
        _ => (DeliveryState::Pending, Receipt::Pending, None),
    };
    let new = NewDelivery {
        guid: guid.clone(),
        event: event.clone(),
        action: action.clone(),
        repo: repo.map(|repo| repo.full_name),
        received_at: engine.clock.now(),
        payload: (state == DeliveryState::Pending).then_some(body),
        state,
        words,
    };
    let receipt = if inbox::store(engine, new).await? { receipt } else { Receipt::Duplicate };
    if receipt == Receipt::Pending {
        engine.webhooks.arrived.notify_one();
    }
    Ok(Received { guid, event, action, receipt })
}
