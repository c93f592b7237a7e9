//! Webhooks of repositories, as GitHub has them.

/// GitHub's number of a webhook.
pub type HookId = i64;

/// A webhook as GitHub shows it; it never shows the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteHook {
    pub id: HookId,
    pub url: String,
    pub is_active: bool,
    pub is_json: bool,
    pub events: Vec<String>,
    /// The status that its last delivery was answered with; none before the first.
    pub last_status: Option<i64>,
}
