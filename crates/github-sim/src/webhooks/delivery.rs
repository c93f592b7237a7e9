//! One delivery: what is sent, and what came of it (docs.github.com/rest/repos/webhooks#list-deliveries-for-a-repository-webhook).

use bytes::Bytes;
use serde::Serialize;

/// A delivery that waits to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub id: u64,
    /// The event's, which all its deliveries share; a redelivery keeps it.
    pub guid: String,
    pub hook: u64,
    pub event: String,
    pub action: Option<String>,
    pub installation: Option<u64>,
    pub repository: Option<u64>,
    pub is_redelivery: bool,
    /// JSON.
    pub payload: Bytes,
    /// A fault loses it.
    pub is_lost: bool,
    /// A second copy, which no list shows.
    pub is_copy: bool,
    /// How many others still overtake it.
    pub behind: u32,
}

/// What came of a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub code: u16,
    /// In GitHub's words, such as `OK`.
    pub status: String,
    pub duration_ms: u64,
    pub url: String,
    pub request_headers: Vec<(String, String)>,
    pub response_headers: Vec<(String, String)>,
    pub response: Option<String>,
}

/// A delivery that was attempted.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub parcel: Parcel,
    pub outcome: Outcome,
    pub at_ms: i64,
}

impl Delivery {
    /// Whether it was answered with 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.outcome.code)
    }

    pub fn view(&self) -> WebhookDelivery {
        WebhookDelivery {
            id: self.parcel.id,
            guid: self.parcel.guid.clone(),
            hook: self.parcel.hook,
            event: self.parcel.event.clone(),
            action: self.parcel.action.clone(),
            is_redelivery: self.parcel.is_redelivery,
            code: self.outcome.code,
            answer: self.outcome.response.clone(),
            payload: self.parcel.payload.clone(),
        }
    }
}

/// A delivery that was attempted, as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookDelivery {
    /// Larger for those that were made later.
    pub id: u64,
    /// What `X-GitHub-Delivery` said.
    pub guid: String,
    /// The hook's id.
    pub hook: u64,
    /// What `X-GitHub-Event` said.
    pub event: String,
    /// `action` of the payload.
    pub action: Option<String>,
    /// Whether it was asked for again.
    pub is_redelivery: bool,
    /// Status of the answer; 502 if nobody could be reached, 504 if nobody answered in time.
    pub code: u16,
    /// Body of the answer.
    pub answer: Option<String>,
    /// The payload, in JSON.
    #[serde(skip)]
    pub payload: Bytes,
}
