//! The review object (docs.github.com/rest/pulls/reviews).

use serde_json::{Value, json};

use super::{Urls, UserBody};
use crate::clock::iso;
use crate::ids;
use crate::state::{Repository, Review, ReviewState};

/// Renders a review.
pub(crate) fn review(urls: &Urls, repo: &Repository, review: &Review) -> Value {
    let full_name = repo.full_name();
    let pull_url = format!("{}/pulls/{}", urls.repo(&full_name), review.pull);
    let page = format!("{}/{full_name}/pull/{}#pullrequestreview-{}", urls.html, review.pull, review.id);
    let mut body = json!({
        "id": review.id,
        "node_id": ids::node("PRR", review.id),
        "user": UserBody::new(urls, &review.author),
        "body": review.body,
        "state": review.state,
        "html_url": page,
        "pull_request_url": pull_url,
        "author_association": "MEMBER",
        "_links": { "html": { "href": page }, "pull_request": { "href": pull_url } },
        "commit_id": review.commit,
    });
    // A review that was not sent has no such time.
    if review.state != ReviewState::Pending {
        body["submitted_at"] = iso(review.submitted_at).into();
    }
    body
}
