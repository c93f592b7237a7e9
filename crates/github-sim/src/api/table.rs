//! Every operation that is served, by the path that GitHub's description gives it.

use super::route::Action;

/// One operation of GitHub's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name in counters, faults and recordings, such as `issues.list`.
    pub kind: &'static str,
    /// HTTP method.
    pub method: &'static str,
    /// The path's template, such as `/repos/{owner}/{repo}/issues`.
    pub path: &'static str,
}

/// What GitHub's paths of one repository begin with; here they may also begin with `/repositories/{id}`.
const REPO: &str = "/repos/{owner}/{repo}";

/// An operation, and what it does with the values of its placeholders (but for the repository's).
struct Row(Operation, fn(&[&str]) -> Option<Action>);

const fn row(
    kind: &'static str,
    method: &'static str,
    path: &'static str,
    make: fn(&[&str]) -> Option<Action>,
) -> Row {
    Row(Operation { kind, method, path }, make)
}

const TABLE: [Row; 47] = [
    row("user.get", "GET", "/user", |_| Some(Action::UserGet)),
    row("rate_limit.get", "GET", "/rate_limit", |_| Some(Action::RateLimitGet)),
    row("app.get", "GET", "/app", |_| Some(Action::AppGet)),
    row("installations.list", "GET", "/app/installations", |_| Some(Action::InstallationList)),
    row("installations.get", "GET", "/app/installations/{installation_id}", |at| {
        Some(Action::InstallationGet(number(at)?))
    }),
    row("access_tokens.create", "POST", "/app/installations/{installation_id}/access_tokens", |at| {
        Some(Action::AccessTokenCreate(number(at)?))
    }),
    row("installation_repositories.list", "GET", "/installation/repositories", |_| {
        Some(Action::InstallationRepoList)
    }),
    row("repos.get", "GET", "/repos/{owner}/{repo}", |_| Some(Action::RepoGet)),
    row("issues.list", "GET", "/repos/{owner}/{repo}/issues", |_| Some(Action::IssueList)),
    row("issues.create", "POST", "/repos/{owner}/{repo}/issues", |_| Some(Action::IssueCreate)),
    row("issues.get", "GET", "/repos/{owner}/{repo}/issues/{issue_number}", |at| {
        Some(Action::IssueGet(number(at)?))
    }),
    row("issues.update", "PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", |at| {
        Some(Action::IssueUpdate(number(at)?))
    }),
    row("labels.list", "GET", "/repos/{owner}/{repo}/issues/{issue_number}/labels", |at| {
        Some(Action::LabelList(number(at)?))
    }),
    row("labels.add", "POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", |at| {
        Some(Action::LabelAdd(number(at)?))
    }),
    row("labels.set", "PUT", "/repos/{owner}/{repo}/issues/{issue_number}/labels", |at| {
        Some(Action::LabelSet(number(at)?))
    }),
    row("labels.clear", "DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels", |at| {
        Some(Action::LabelClear(number(at)?))
    }),
    row("labels.remove", "DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", |at| {
        Some(Action::LabelRemove(number(at)?, (*at.get(1)?).to_owned()))
    }),
    row("assignees.add", "POST", "/repos/{owner}/{repo}/issues/{issue_number}/assignees", |at| {
        Some(Action::AssigneeAdd(number(at)?))
    }),
    row("assignees.remove", "DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/assignees", |at| {
        Some(Action::AssigneeRemove(number(at)?))
    }),
    row("comments.list", "GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", |at| {
        Some(Action::CommentList(number(at)?))
    }),
    row("comments.create", "POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", |at| {
        Some(Action::CommentCreate(number(at)?))
    }),
    row("comments.get", "GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}", |at| {
        Some(Action::CommentGet(number(at)?))
    }),
    row("comments.update", "PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", |at| {
        Some(Action::CommentUpdate(number(at)?))
    }),
    row("comments.delete", "DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", |at| {
        Some(Action::CommentDelete(number(at)?))
    }),
    row(
        "blocked_by.list",
        "GET",
        "/repos/{owner}/{repo}/issues/{issue_number}/dependencies/blocked_by",
        |at| Some(Action::BlockedByList(number(at)?)),
    ),
    row("pulls.list", "GET", "/repos/{owner}/{repo}/pulls", |_| Some(Action::PullList)),
    row("pulls.get", "GET", "/repos/{owner}/{repo}/pulls/{pull_number}", |at| {
        Some(Action::PullGet(number(at)?))
    }),
    row("pull_commits.list", "GET", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", |at| {
        Some(Action::PullCommitList(number(at)?))
    }),
    row("line_comments.list", "GET", "/repos/{owner}/{repo}/pulls/{pull_number}/comments", |at| {
        Some(Action::LineCommentList(number(at)?))
    }),
    row("commits.list", "GET", "/repos/{owner}/{repo}/commits", |_| Some(Action::CommitList)),
    row("runs.list", "GET", "/repos/{owner}/{repo}/actions/runs", |_| Some(Action::RunList)),
    row("jobs.list", "GET", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", |at| {
        Some(Action::JobList(number(at)?))
    }),
    row("job_logs.get", "GET", "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs", |at| {
        Some(Action::JobLog(number(at)?))
    }),
    row("hooks.list", "GET", "/repos/{owner}/{repo}/hooks", |_| Some(Action::HookList)),
    row("hooks.create", "POST", "/repos/{owner}/{repo}/hooks", |_| Some(Action::HookCreate)),
    row("hooks.get", "GET", "/repos/{owner}/{repo}/hooks/{hook_id}", |at| Some(Action::HookGet(number(at)?))),
    row("hooks.update", "PATCH", "/repos/{owner}/{repo}/hooks/{hook_id}", |at| {
        Some(Action::HookUpdate(number(at)?))
    }),
    row("hooks.delete", "DELETE", "/repos/{owner}/{repo}/hooks/{hook_id}", |at| {
        Some(Action::HookDelete(number(at)?))
    }),
    row("hooks.ping", "POST", "/repos/{owner}/{repo}/hooks/{hook_id}/pings", |at| {
        Some(Action::HookPing(number(at)?))
    }),
    row("deliveries.list", "GET", "/repos/{owner}/{repo}/hooks/{hook_id}/deliveries", |at| {
        Some(Action::DeliveryList(number(at)?))
    }),
    row("deliveries.get", "GET", "/repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}", |at| {
        Some(Action::DeliveryGet(number(at)?, second(at)?))
    }),
    row(
        "deliveries.redeliver",
        "POST",
        "/repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}/attempts",
        |at| Some(Action::Redeliver(number(at)?, second(at)?)),
    ),
    row("app_deliveries.list", "GET", "/app/hook/deliveries", |_| Some(Action::AppDeliveryList)),
    row("app_deliveries.get", "GET", "/app/hook/deliveries/{delivery_id}", |at| {
        Some(Action::AppDeliveryGet(number(at)?))
    }),
    row("app_deliveries.redeliver", "POST", "/app/hook/deliveries/{delivery_id}/attempts", |at| {
        Some(Action::AppRedeliver(number(at)?))
    }),
    row("reviews.list", "GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", |at| {
        Some(Action::ReviewList(number(at)?))
    }),
    row("check_runs.list", "GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", |at| {
        Some(Action::CheckRunList((*at.first()?).to_owned()))
    }),
];

/// Every operation that the simulator serves.
pub fn operations() -> impl Iterator<Item = Operation> {
    TABLE.iter().map(|Row(operation, _)| *operation)
}

/// The operation of a method and of the segments of a path; of those after the repository, if it is in one.
pub(super) fn find(method: &str, in_repo: bool, segments: &[&str]) -> Option<(&'static str, Action)> {
    TABLE.iter().filter(|Row(operation, _)| operation.method == method).find_map(|Row(operation, make)| {
        let template = match (in_repo, operation.path.strip_prefix(REPO)) {
            (true, Some(rest)) => rest,
            (false, None) => operation.path,
            _ => return None,
        };
        Some((operation.kind, make(&values(template, segments)?)?))
    })
}

/// What stands in the places of the template's placeholders, if all the rest is the same.
fn values<'a>(template: &str, segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut values = Vec::new();
    let mut segments = segments.iter();
    for part in template.split('/').filter(|part| !part.is_empty()) {
        let segment = segments.next()?;
        if part.starts_with('{') {
            values.push(*segment);
        } else if part != *segment {
            return None;
        }
    }
    segments.next().is_none().then_some(values)
}

fn number(values: &[&str]) -> Option<u64> {
    values.first()?.parse().ok()
}

fn second(values: &[&str]) -> Option<u64> {
    values.get(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hyper::Method;

    use super::*;
    use crate::api::Route;

    #[test]
    fn each_operation_is_found_by_its_own_path_and_has_its_own_name() {
        for operation in operations() {
            let filled = operation.path.split('/').map(|part| if part.starts_with('{') { "7" } else { part });
            let path = filled.collect::<Vec<_>>().join("/");
            let method: Method = operation.method.parse().expect("a method");
            assert_eq!(Route::parse(&method, &path).kind, operation.kind, "{path}");
            assert_eq!(
                Route::parse(&method, &format!("{path}/no/such/thing")).kind,
                "unknown",
                "below {path}"
            );
        }
        let kinds: BTreeSet<&str> = operations().map(|operation| operation.kind).collect();
        assert_eq!(kinds.len(), TABLE.len());
    }
}
