//! The pull request object (docs.github.com/rest/pulls/pulls).

use serde_json::{Value, json};

use super::{Urls, UserBody, label, repository_summary, with};
use crate::clock::iso;
use crate::ids;
use crate::state::{Item, PullInfo, Repository};

/// Renders a pull request as the list shows it; `None` for an issue.
pub(crate) fn pull_summary(urls: &Urls, repo: &Repository, item: &Item) -> Option<Value> {
    let pull = item.pull.as_ref()?;
    let it = &item.issue;
    let full_name = repo.full_name();
    let repo_url = urls.repo(&full_name);
    let url = format!("{repo_url}/pulls/{}", it.number);
    let html_url = format!("{}/{full_name}/pull/{}", urls.html, it.number);
    let users = |logins: &[String]| -> Vec<Value> {
        logins.iter().map(|login| json!(UserBody::new(urls, login))).collect()
    };
    let labels: Vec<Value> =
        it.labels.iter().filter_map(|name| Some(json!(label(&repo_url, repo.labels.find(name)?)))).collect();
    let links = json!({
        "diff_url": format!("{html_url}.diff"),
        "patch_url": format!("{html_url}.patch"),
        "issue_url": format!("{repo_url}/issues/{}", it.number),
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{repo_url}/pulls/comments{{/number}}"),
        "comments_url": format!("{repo_url}/issues/{}/comments", it.number),
        "statuses_url": format!("{repo_url}/statuses/{}", pull.head_sha),
        "html_url": html_url,
        "url": url,
    });
    let pull = json!({
        "id": it.id,
        "node_id": ids::node("PR", it.id),
        "number": it.number,
        "state": it.state,
        "locked": it.locked,
        "title": it.title,
        "user": UserBody::new(urls, &it.author),
        "body": it.body,
        "labels": labels,
        "milestone": null,
        "active_lock_reason": null,
        "created_at": iso(it.created_at),
        "updated_at": iso(it.updated_at),
        "closed_at": it.closed_at.map(iso),
        "merged_at": pull.merged_at.map(iso),
        "merge_commit_sha": pull.merged_at.map(|_| ids::sha(repo.id + 1, it.number)),
        "assignee": users(&it.assignees).first(),
        "assignees": users(&it.assignees),
        "requested_reviewers": [],
        "requested_teams": [],
        "head": head(urls, repo, pull),
        "base": branch(urls, repo, &pull.base, &ids::sha(repo.id, 0)),
        "author_association": "MEMBER",
        "auto_merge": null,
        "draft": pull.draft,
        "_links": {
            "self": { "href": links["url"] },
            "html": { "href": links["html_url"] },
            "issue": { "href": links["issue_url"] },
            "comments": { "href": links["comments_url"] },
            "review_comments": { "href": links["review_comments_url"] },
            "review_comment": { "href": links["review_comment_url"] },
            "commits": { "href": links["commits_url"] },
            "statuses": { "href": links["statuses_url"] },
        },
    });
    Some(with(pull, links))
}

/// Renders a pull request with the fields only its own route has.
pub(crate) fn pull(urls: &Urls, repo: &Repository, item: &Item) -> Option<Value> {
    let body = pull_summary(urls, repo, item)?;
    let info = item.pull.as_ref()?;
    let detail = json!({
        "merged": info.merged_at.is_some(),
        "mergeable": mergeable(info),
        "rebaseable": mergeable(info),
        "mergeable_state": if info.merged_at.is_some() { "unknown" } else { &info.mergeable_state },
        "merged_by": info.merged_at.and(item.issue.closed_by.as_deref())
            .map(|login| UserBody::new(urls, login)),
        "comments": item.issue.comments,
        "review_comments": 0,
        "maintainer_can_modify": false,
        "commits": 1,
        "additions": 12,
        "deletions": 3,
        "changed_files": 2,
    });
    Some(with(body, detail))
}

// A merged pull request has nothing left to merge; GitHub answers null.
fn mergeable(info: &PullInfo) -> Option<bool> {
    match info.merged_at {
        Some(_) => None,
        None => info.mergeable,
    }
}

fn head(urls: &Urls, repo: &Repository, pull: &PullInfo) -> Value {
    let mut head = branch(urls, repo, &pull.branch, &pull.head_sha);
    if let Some(owner) = &pull.fork {
        let full_name = format!("{owner}/{}", repo.name);
        head["label"] = format!("{owner}:{}", pull.branch).into();
        head["user"] = json!(UserBody::new(urls, owner));
        let own = json!({
            "id": ids::user(&full_name),
            "full_name": full_name,
            "owner": UserBody::new(urls, owner),
            "fork": true,
        });
        head["repo"] = with(head["repo"].take(), own);
    }
    head
}

fn branch(urls: &Urls, repo: &Repository, name: &str, sha: &str) -> Value {
    json!({
        "label": format!("{}:{name}", repo.owner),
        "ref": name,
        "sha": sha,
        "user": UserBody::new(urls, &repo.owner),
        "repo": repository_summary(urls, repo),
    })
}
