//! The issue comment object (docs.github.com/rest/issues/comments).

use serde_json::{Value, json};

use super::{Urls, UserBody};
use crate::clock::iso;
use crate::ids;
use crate::state::{Comment, Repository};

/// Renders a comment of an issue or pull request.
pub(crate) fn comment(urls: &Urls, repo: &Repository, comment: &Comment) -> Value {
    let full_name = repo.full_name();
    let repo_url = urls.repo(&full_name);
    let is_pull = repo.item(comment.issue).is_some_and(|item| item.pull.is_some());
    let page = if is_pull { "pull" } else { "issues" };
    json!({
        "url": format!("{repo_url}/issues/comments/{}", comment.id),
        "html_url": format!(
            "{}/{full_name}/{page}/{}#issuecomment-{}",
            urls.html, comment.issue, comment.id
        ),
        "issue_url": format!("{repo_url}/issues/{}", comment.issue),
        "id": comment.id,
        "node_id": ids::node("IC", comment.id),
        "user": UserBody::new(urls, &comment.author),
        "created_at": iso(comment.created_at),
        "updated_at": iso(comment.updated_at),
        "body": comment.body,
        "author_association": "MEMBER",
        "performed_via_github_app": null,
    })
}
