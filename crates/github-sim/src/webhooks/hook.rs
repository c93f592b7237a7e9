//! One webhook: who listens, where, and to what (docs.github.com/rest/repos/webhooks).

use serde::{Deserialize, Serialize};

/// Whose events a hook hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// A repository's, by its id.
    Repo(u64),
    /// An App's: those of every account on which it is installed.
    App(u64),
}

/// How a payload is packed (docs.github.com/webhooks/using-webhooks/creating-webhooks).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContentType {
    Json,
    /// As the field `payload` of a form; what GitHub does unless it is told otherwise.
    #[default]
    Form,
}

/// A webhook.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub id: u64,
    pub listener: Listener,
    pub is_active: bool,
    /// Names of events; `*` is all of them.
    pub events: Vec<String>,
    pub url: String,
    pub secret: Option<String>,
    pub content_type: ContentType,
    pub insecure_ssl: bool,
    pub created_at: i64,
    pub updated_at: i64,
    /// Status and words of the last delivery.
    pub last: Option<(u16, String)>,
}

impl Hook {
    /// Whether it wants to hear of the event; a ping comes to every hook.
    pub fn wants(&self, event: &str) -> bool {
        self.is_active && self.events.iter().any(|wanted| wanted == "*" || wanted == event)
    }

    /// What `X-GitHub-Hook-Installation-Target-Type` and `-ID` say of it
    /// (docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers).
    pub fn target(&self) -> (&'static str, u64) {
        match self.listener {
            Listener::Repo(id) => ("repository", id),
            Listener::App(id) => ("integration", id),
        }
    }
}
