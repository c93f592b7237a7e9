//! The repository object (docs.github.com/rest/repos/repos#get-a-repository).

use serde_json::{Map, Value, json};

use super::{Urls, UserBody, with};
use crate::clock::iso;
use crate::ids;
use crate::state::Repository;

/// What lies below a repository's URL, by the name of its field.
const BELOW: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// Renders a repository as it is inside other objects.
pub(crate) fn repository_summary(urls: &Urls, repo: &Repository) -> Value {
    let full_name = repo.full_name();
    let url = urls.repo(&full_name);
    let below: Map<String, Value> =
        BELOW.iter().map(|(name, path)| ((*name).to_owned(), json!(format!("{url}{path}")))).collect();
    let page = format!("{}/{full_name}", urls.html);
    let host = urls.html.split_once("://").map_or(urls.html.as_str(), |(_, host)| host);
    let identity = json!({
        "id": repo.id,
        "node_id": ids::node("R", repo.id),
        "name": repo.name,
        "full_name": full_name,
        "private": repo.is_private,
        "owner": UserBody::new(urls, &repo.owner),
        "html_url": page,
        "clone_url": format!("{page}.git"),
        "svn_url": page,
        "git_url": format!("git://{host}/{full_name}.git"),
        "ssh_url": format!("git@{host}:{full_name}.git"),
        "description": null,
        "fork": false,
    });
    with(with(below.into(), identity), facts(repo))
}

/// Renders a repository of a list for a caller who may or may not write.
pub(crate) fn repository(urls: &Urls, repo: &Repository, can_write: bool) -> Value {
    let permissions = json!({
        "admin": false,
        "maintain": false,
        "push": can_write,
        "triage": can_write,
        "pull": true,
    });
    with(repository_summary(urls, repo), json!({ "permissions": permissions }))
}

/// Renders a repository with the fields that only its own route has.
pub(crate) fn full_repository(urls: &Urls, repo: &Repository, can_write: bool) -> Value {
    with(repository(urls, repo, can_write), json!({ "network_count": 0, "subscribers_count": 0 }))
}

fn facts(repo: &Repository) -> Value {
    let visibility = if repo.is_private { "private" } else { "public" };
    json!({
        "created_at": iso(repo.created_at),
        "updated_at": iso(repo.created_at),
        "pushed_at": iso(repo.created_at),
        "homepage": null,
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "watchers": 0,
        "language": null,
        "has_issues": repo.has_issues,
        "has_projects": true,
        "has_downloads": true,
        "has_wiki": false,
        "has_pages": false,
        "has_discussions": false,
        "forks_count": 0,
        "forks": 0,
        "mirror_url": null,
        "archived": repo.is_archived,
        "disabled": false,
        "open_issues_count": repo.open_len(),
        "open_issues": repo.open_len(),
        "license": null,
        "allow_forking": true,
        "is_template": false,
        "topics": [],
        "visibility": visibility,
        "default_branch": "main",
    })
}
