//! The repository object (docs.github.com/rest/repos/repos#get-a-repository).

use serde_json::{Value, json};

use super::{Urls, UserBody, with};
use crate::clock::iso;
use crate::ids;
use crate::state::Repository;

/// Renders a repository for a caller who may or may not write.
pub(crate) fn repository(urls: &Urls, repo: &Repository, can_write: bool) -> Value {
    let full_name = repo.full_name();
    let url = urls.repo(&full_name);
    let identity = json!({
        "id": repo.id,
        "node_id": ids::node("R", repo.id),
        "name": repo.name,
        "full_name": full_name,
        "private": repo.is_private,
        "owner": UserBody::new(urls, &repo.owner),
        "html_url": format!("{}/{full_name}", urls.html),
        "description": null,
        "fork": false,
        "issues_url": format!("{url}/issues{{/number}}"),
        "issue_comment_url": format!("{url}/issues/comments{{/number}}"),
        "labels_url": format!("{url}/labels{{/name}}"),
        "pulls_url": format!("{url}/pulls{{/number}}"),
        "commits_url": format!("{url}/commits{{/sha}}"),
        "url": url,
    });
    with(identity, facts(repo, can_write))
}

fn facts(repo: &Repository, can_write: bool) -> Value {
    let visibility = if repo.is_private { "private" } else { "public" };
    json!({
        "created_at": iso(repo.created_at),
        "updated_at": iso(repo.created_at),
        "pushed_at": iso(repo.created_at),
        "homepage": null,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": null,
        "has_issues": repo.has_issues,
        "has_projects": true,
        "has_downloads": true,
        "has_wiki": false,
        "has_pages": false,
        "has_discussions": false,
        "forks_count": 0,
        "mirror_url": null,
        "archived": repo.is_archived,
        "disabled": false,
        "open_issues_count": repo.open_len(),
        "license": null,
        "allow_forking": true,
        "is_template": false,
        "topics": [],
        "visibility": visibility,
        "default_branch": "main",
        "permissions": {
            "admin": false,
            "maintain": false,
            "push": can_write,
            "triage": can_write,
            "pull": true,
        },
    })
}
