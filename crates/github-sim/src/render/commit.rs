//! The commit object (docs.github.com/rest/commits/commits#list-commits) and the comment on a line
//! (docs.github.com/rest/pulls/comments).

use serde_json::{Value, json};

use super::{Urls, UserBody};
use crate::clock::iso;
use crate::ids;
use crate::state::{CommitInfo, LineComment, Repository};

/// Renders a commit.
pub(crate) fn commit(urls: &Urls, repo: &Repository, commit: &CommitInfo) -> Value {
    let full_name = repo.full_name();
    let url = format!("{}/commits/{}", urls.repo(&full_name), commit.sha);
    let git = format!("{}/git/commits/{}", urls.repo(&full_name), commit.sha);
    let tree = ids::sha(repo.id, commit.at.unsigned_abs());
    let person = json!({ "name": commit.author, "email": "somebody@example.com", "date": iso(commit.at) });
    json!({
        "sha": commit.sha,
        "node_id": ids::node("C", commit.at.unsigned_abs()),
        "url": url,
        "html_url": format!("{}/{full_name}/commit/{}", urls.html, commit.sha),
        "comments_url": format!("{url}/comments"),
        "commit": {
            "url": git,
            "author": person,
            "committer": person,
            "message": commit.message,
            "comment_count": 0,
            "tree": { "sha": tree, "url": format!("{}/git/trees/{tree}", urls.repo(&full_name)) },
        },
        "author": UserBody::new(urls, &commit.author),
        "committer": UserBody::new(urls, &commit.author),
        "parents": [],
    })
}

/// Renders a comment on a line of a pull request.
pub(crate) fn line_comment(urls: &Urls, repo: &Repository, comment: &LineComment) -> Value {
    let full_name = repo.full_name();
    let url = format!("{}/pulls/comments/{}", urls.repo(&full_name), comment.id);
    let pull_url = format!("{}/pulls/{}", urls.repo(&full_name), comment.pull);
    let html_url = format!("{}/{full_name}/pull/{}#discussion_r{}", urls.html, comment.pull, comment.id);
    let head = repo.item(comment.pull).and_then(|item| item.pull.as_ref()).map(|pull| &pull.head_sha);
    json!({
        "url": url,
        "id": comment.id,
        "node_id": ids::node("PRRC", comment.id),
        "pull_request_review_id": null,
        "diff_hunk": "@@ -1 +1 @@",
        "path": comment.path,
        "position": 1,
        "original_position": 1,
        "commit_id": head,
        "original_commit_id": head,
        "user": UserBody::new(urls, &comment.author),
        "body": comment.body,
        "created_at": iso(comment.at),
        "updated_at": iso(comment.at),
        "html_url": html_url,
        "pull_request_url": pull_url,
        "author_association": "MEMBER",
        "subject_type": "line",
        "start_line": null,
        "original_start_line": null,
        "start_side": null,
        "line": comment.line,
        "original_line": comment.line,
        "side": "RIGHT",
        "reactions": {
            "url": format!("{url}/reactions"),
            "total_count": 0,
            "+1": 0,
            "-1": 0,
            "laugh": 0,
            "confused": 0,
            "heart": 0,
            "hooray": 0,
            "eyes": 0,
            "rocket": 0,
        },
        "_links": {
            "self": { "href": url },
            "html": { "href": html_url },
            "pull_request": { "href": pull_url },
        },
    })
}
