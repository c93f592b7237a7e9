//! Which operation a method and a path name.

use hyper::Method;

use super::table;
use crate::access::Permission;
use crate::state::{Found, World};

/// The repository part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RepoRef {
    /// `/repos/{owner}/{name}`
    Name { owner: String, name: String },
    /// `/repositories/{id}`, the form of `Link` URLs and redirects.
    Id(u64),
}

impl RepoRef {
    /// The repository's name today, also when asked for by a former one.
    pub fn current_name(&self, world: &World) -> Option<String> {
        let id = match self {
            Self::Id(id) => *id,
            Self::Name { owner, name } => match world.find(owner, name) {
                Found::Repo(id) | Found::Moved(id) => id,
                Found::Missing => return None,
            },
        };
        Some(world.repo(id)?.full_name())
    }
}

/// An operation; numbers are issue numbers, but for comments, installations, hooks and deliveries, whose ids they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    UserGet,
    RateLimitGet,
    AppGet,
    InstallationList,
    InstallationGet(u64),
    AccessTokenCreate(u64),
    InstallationRepoList,
    RepoGet,
    IssueList,
    IssueCreate,
    IssueGet(u64),
    IssueUpdate(u64),
    LabelList(u64),
    LabelAdd(u64),
    LabelSet(u64),
    LabelClear(u64),
    LabelRemove(u64, String),
    AssigneeAdd(u64),
    AssigneeRemove(u64),
    CommentList(u64),
    CommentCreate(u64),
    CommentGet(u64),
    CommentUpdate(u64),
    CommentDelete(u64),
    BlockedByList(u64),
    PullList,
    PullGet(u64),
    PullCommitList(u64),
    LineCommentList(u64),
    CommitList,
    RunList,
    JobList(u64),
    JobLog(u64),
    HookList,
    HookCreate,
    HookGet(u64),
    HookUpdate(u64),
    HookDelete(u64),
    HookPing(u64),
    DeliveryList(u64),
    DeliveryGet(u64, u64),
    Redeliver(u64, u64),
    AppDeliveryList,
    AppDeliveryGet(u64),
    AppRedeliver(u64),
    ReviewList(u64),
    CheckRunList(String),
    Unknown,
}

impl Action {
    /// The issue it is about, for those below `/issues/{number}`.
    pub fn issue(&self) -> Option<u64> {
        match self {
            Self::IssueGet(n)
            | Self::IssueUpdate(n)
            | Self::LabelList(n)
            | Self::LabelAdd(n)
            | Self::LabelSet(n)
            | Self::LabelClear(n)
            | Self::LabelRemove(n, _)
            | Self::AssigneeAdd(n)
            | Self::AssigneeRemove(n)
            | Self::CommentList(n)
            | Self::CommentCreate(n)
            | Self::BlockedByList(n) => Some(*n),
            _ => None,
        }
    }

    /// What webhooks of a repository must be allowed for it; `None` for what is not about them.
    pub fn hook(&self) -> Option<Permission> {
        match self {
            Self::HookList | Self::HookGet(_) | Self::DeliveryList(_) | Self::DeliveryGet(..) => {
                Some(Permission::Read)
            }
            Self::HookCreate
            | Self::HookUpdate(_)
            | Self::HookDelete(_)
            | Self::HookPing(_)
            | Self::Redeliver(..) => Some(Permission::Write),
            _ => None,
        }
    }

    /// What a fine-grained token or an installation needs for it, as `X-Accepted-GitHub-Permissions` says it
    /// (docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens).
    pub fn permission(&self) -> Option<&'static str> {
        match self {
            Self::IssueList | Self::IssueGet(_) | Self::BlockedByList(_) => Some("issues=read"),
            Self::LabelList(_) | Self::CommentList(_) | Self::CommentGet(_) => {
                Some("issues=read; pull_requests=read")
            }
            Self::PullList
            | Self::PullGet(_)
            | Self::PullCommitList(_)
            | Self::LineCommentList(_)
            | Self::ReviewList(_) => Some("pull_requests=read"),
            Self::CommitList => Some("contents=read"),
            Self::RunList | Self::JobList(_) | Self::JobLog(_) => Some("actions=read"),
            Self::CheckRunList(_) => Some("checks=read"),
            Self::IssueCreate | Self::IssueUpdate(_) => Some("issues=write"),
            Self::LabelAdd(_)
            | Self::LabelSet(_)
            | Self::LabelClear(_)
            | Self::LabelRemove(..)
            | Self::AssigneeAdd(_)
            | Self::AssigneeRemove(_)
            | Self::CommentCreate(_)
            | Self::CommentUpdate(_)
            | Self::CommentDelete(_) => Some("issues=write; pull_requests=write"),
            Self::HookList | Self::HookGet(_) | Self::DeliveryList(_) | Self::DeliveryGet(..) => {
                Some("repository_hooks=read")
            }
            Self::HookCreate
            | Self::HookUpdate(_)
            | Self::HookDelete(_)
            | Self::HookPing(_)
            | Self::Redeliver(..) => Some("repository_hooks=write"),
            Self::UserGet
            | Self::RateLimitGet
            | Self::AppGet
            | Self::InstallationList
            | Self::InstallationGet(_)
            | Self::AccessTokenCreate(_)
            | Self::InstallationRepoList
            | Self::RepoGet
            | Self::AppDeliveryList
            | Self::AppDeliveryGet(_)
            | Self::AppRedeliver(_)
            | Self::Unknown => None,
        }
    }
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub repo: Option<RepoRef>,
    pub action: Action,
    /// Name of the operation for counters and faults.
    pub kind: &'static str,
    /// The path after the repository, as it was sent.
    pub rest: String,
}

impl Route {
    pub fn parse(method: &Method, path: &str) -> Self {
        let (repo, rest) = split_repo(path);
        let segments: Vec<String> =
            rest.split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let (kind, action) =
            table::find(method, repo.is_some(), &segments).unwrap_or(("unknown", Action::Unknown));
        Self { kind, rest: rest.to_owned(), repo, action }
    }

    /// `owner/name` as the path spells it.
    pub fn asked_name(&self) -> Option<String> {
        match self.repo.as_ref()? {
            RepoRef::Name { owner, name } => Some(format!("{owner}/{name}")),
            RepoRef::Id(_) => None,
        }
    }
}

fn split_repo(path: &str) -> (Option<RepoRef>, &str) {
    if let Some(tail) = path.strip_prefix("/repos/") {
        let mut parts = tail.splitn(3, '/');
        if let (Some(owner), Some(name)) = (parts.next(), parts.next()) {
            let repo = RepoRef::Name { owner: decode(owner), name: decode(name) };
            // The slash before the rest belongs to the rest.
            let taken = "/repos/".len() + owner.len() + 1 + name.len();
            return (Some(repo), &path[taken..]);
        }
    }
    if let Some(tail) = path.strip_prefix("/repositories/") {
        let id = tail.split('/').next().unwrap_or_default();
        if let Ok(number) = id.parse() {
            let taken = "/repositories/".len() + id.len();
            return (Some(RepoRef::Id(number)), &path[taken..]);
        }
    }
    (None, path)
}

/// Resolves `%20` and the like; in a path a plus sign is a plus sign.
fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| segment.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_operations() {
        let kinds = [
            ("GET", "/repos/acme/api/issues", "issues.list"),
            ("HEAD", "/repositories/7/issues", "issues.list"),
            ("GET", "/repos/acme/api/issues/7", "issues.get"),
            ("PATCH", "/repos/acme/api/issues/comments/9", "comments.update"),
            ("DELETE", "/repos/acme/api/issues/7/labels/a%2Fb", "labels.remove"),
            ("GET", "/repos/acme/api", "repos.get"),
            ("GET", "/repos/acme", "unknown"),
            ("PUT", "/repos/acme/api/issues/7", "unknown"),
            ("GET", "/user", "user.get"),
            ("POST", "/app/installations/7/access_tokens", "access_tokens.create"),
            ("GET", "/app/installations/7/access_tokens", "unknown"),
        ];
        for (method, path, kind) in kinds {
            let method: Method = method.parse().expect("a method");
            assert_eq!(Route::parse(&method, path).kind, kind, "{path}");
        }
    }

    #[test]
    fn segments_are_decoded_and_the_rest_is_kept_as_sent() {
        let route = Route::parse(&Method::DELETE, "/repos/a/b/issues/7/labels/x%2Fy%20z+");
        assert_eq!(route.action, Action::LabelRemove(7, "x/y z+".to_owned()));
        assert_eq!(route.rest, "/issues/7/labels/x%2Fy%20z+");
        let route = Route::parse(&Method::GET, "/repositories/12/issues");
        assert_eq!(route.repo, Some(RepoRef::Id(12)));
        assert_eq!(route.rest, "/issues");
    }
}
