//! One issue, one repository, and what became of them
//! (docs.github.com/rest/issues/issues#get-an-issue, docs.github.com/rest/repos/repos#get-a-repository).

use url::Url;

use super::{
    GitHub,
    client::{Client, Fetched, Validator},
    error::Error,
    limits::Point,
    pulls::Reading,
    wire,
};
use crate::domain::{
    ids::IssueNumber,
    issue::{RemoteIssue, RemoteItem, RemotePull},
    repo::RepoName,
};

/// What is behind a number now.
#[derive(Debug)]
pub enum Lookup {
    Issue(Box<RemoteIssue>),
    Pull(Box<RemotePull>),
    /// Deleted, or transferred to where these credentials do not reach.
    Gone,
    /// Transferred to another repository.
    Moved,
}

/// A repository as GitHub describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRepo {
    /// GitHub's own number; stays the same when the repository is renamed.
    pub github_id: i64,
    pub full_name: RepoName,
    pub default_branch: String,
    pub archived: bool,
    pub has_issues: bool,
}

/// Where an issue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub is_open: bool,
    /// It was closed before.
    pub is_reopened: bool,
}

impl GitHub {
    /// Looks an issue up; one or two requests, each waits for its point.
    ///
    /// GitHub answers 301 both when the repository was renamed and when the issue was transferred. A transfer
    /// shows by another number or, where the number is the same by chance, by another repository than the
    /// one that `repo` leads to. GitHub answers 404 both for what is not there and for what these credentials
    /// may not see, and 410 both for a deleted issue and for issues turned off: the repository tells which.
    pub async fn issue(&self, repo: &RepoName, number: IssueNumber) -> Result<Lookup, Error> {
        let client = self.client(repo)?;
        let fetched = match client.get::<wire::Item>(issue_url(client, repo, number)).await {
            Ok(fetched) => fetched,
            Err(Error::NotFound | Error::IssuesDisabled) => return self.absent(repo).await,
            Err(error) => return Err(error),
        };
        let item = fetched.content;
        if fetched.moved && !self.is_home_of(repo, number, &item).await? {
            return Ok(Lookup::Moved);
        }
        Ok(match RemoteItem::from(item) {
            RemoteItem::Issue(issue) => Lookup::Issue(Box::new(issue)),
            RemoteItem::Pull(pull) => Lookup::Pull(Box::new(pull)),
        })
    }

    /// Describes a repository, under its new name if it was renamed; waits for its point.
    pub async fn repository(&self, repo: &RepoName) -> Result<RemoteRepo, Error> {
        let client = self.client(repo)?;
        match client.get::<wire::Repo>(repository_url(client, repo)).await {
            Ok(fetched) => Ok(fetched.content.into()),
            Err(Error::IssuesDisabled) => Err(Error::Unexpected { status: 410 }),
            Err(error) => Err(error),
        }
    }

    /// As [`GitHub::repository`], unless it is as it was when `held` was given out.
    pub async fn repository_if_changed(
        &self,
        repo: &RepoName,
        held: Option<&Validator>,
        point: Point,
    ) -> Result<Reading<RemoteRepo>, Error> {
        let client = self.client(repo)?;
        let url = repository_url(client, repo);
        let fetched = client.get_if_changed::<wire::Repo>(url, held, point).await?;
        Ok(match fetched.content {
            None => Reading::Same,
            Some(repo) => Reading::New { content: repo.into(), etag: fetched.etag },
        })
    }

    /// The name of the newest commit of a branch, unless that is as it was; none where there is no commit yet.
    pub async fn newest_commit(
        &self,
        repo: &RepoName,
        branch: &str,
        held: Option<&Validator>,
        point: Point,
    ) -> Result<Reading<Option<String>>, Error> {
        let client = self.client(repo)?;
        let mut url = client.url(&["repos", repo.owner(), repo.name(), "commits"]);
        url.query_pairs_mut().append_pair("sha", branch).append_pair("per_page", "1");
        match client.get_if_changed::<Vec<wire::Named>>(url, held, point).await {
            Ok(Fetched { content: None, .. }) => Ok(Reading::Same),
            Ok(Fetched { content: Some(newest), etag, .. }) => {
                Ok(Reading::New { content: newest.into_iter().next().map(|commit| commit.sha), etag })
            }
            // GitHub's word for an empty repository.
            Err(Error::Unexpected { status: 409 }) => Ok(Reading::New { content: None, etag: None }),
            Err(error) => Err(error),
        }
    }

    /// Is an issue open, and did somebody open it again? Waits for its point; nothing where there is no such issue.
    pub async fn issue_standing(
        &self,
        repo: &RepoName,
        number: IssueNumber,
    ) -> Result<Option<Standing>, Error> {
        let client = self.client(repo)?;
        match client.get::<wire::Standing>(issue_url(client, repo, number)).await {
            Ok(fetched) if fetched.moved => Ok(None),
            Ok(fetched) => Ok(Some(fetched.content.into())),
            Err(Error::NotFound | Error::IssuesDisabled) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Why there is no such issue.
    async fn absent(&self, repo: &RepoName) -> Result<Lookup, Error> {
        if self.repository(repo).await?.has_issues { Ok(Lookup::Gone) } else { Err(Error::IssuesDisabled) }
    }

    /// Does the repository that `repo` leads to still hold the item that `number` led to?
    async fn is_home_of(
        &self,
        repo: &RepoName,
        number: IssueNumber,
        item: &wire::Item,
    ) -> Result<bool, Error> {
        if item.number() != number {
            return Ok(false);
        }
        let home = item.repository().ok_or(Error::Malformed)?;
        Ok(self.repository(repo).await?.full_name == home)
    }
}

fn repository_url(client: &Client, repo: &RepoName) -> Url {
    client.url(&["repos", repo.owner(), repo.name()])
}

fn issue_url(client: &Client, repo: &RepoName, number: IssueNumber) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "issues", &number.to_string()])
}
