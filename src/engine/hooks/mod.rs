//! Webhooks at GitHub: setting one up, and looking after what it should have delivered and did not.

mod alive;
mod look;
mod mend;
mod setup;

pub use alive::{leave_to_webhooks, list_alive};
pub use look::look;
pub use setup::{Added, How, Status, add, remove, status};

use crate::github;

/// Where deliveries are received.
pub const RECEIVER: &str = "/api/github/webhook";

/// Other names of the same; hooks of older set-ups lead there.
const RECEIVERS: [&str; 3] = [RECEIVER, "/api/issues/webhook", "/api/pr-followup/webhook"];

/// What a webhook of a repository tells us.
pub const EVENTS: [&str; 9] = [
    "check_run",
    "check_suite",
    "issue_comment",
    "issues",
    "label",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "repository",
];

/// What it means that GitHub does not show webhooks, or nothing where it means something else.
fn refusal(error: &github::Error, is_app: bool) -> Option<&'static str> {
    match error {
        github::Error::NotFound if is_app => {
            Some("GitHub knows no webhook of the App (404); set its address and secret in the App's settings")
        }
        github::Error::NotFound => Some(
            "GitHub shows no webhooks to these credentials (404); a classic token needs the scope admin:repo_hook, a fine-grained one the permission Webhooks (read and write), and its user must administer the repository",
        ),
        github::Error::Forbidden | github::Error::ReadOnly => Some(
            "GitHub does not let these credentials use webhooks (403); give the token the permission Webhooks (read and write), or let somebody who administers the repository add the webhook on GitHub",
        ),
        github::Error::App(_) => {
            Some("GitHub does not take the App's key; check GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY")
        }
        _ => None,
    }
}
