//! Pull requests: lists of them, and one with what GitHub works out of it (docs.github.com/rest/pulls/pulls).

mod evidence;
mod list;
mod wire;

pub(super) use list::read_list;

use serde::de::DeserializeOwned;
use url::Url;

use super::{
    GitHub,
    client::{Client, Fetched, Validator},
    error::Error,
    issues::PER_PAGE,
    limits::Point,
    wire::PullRequest,
};
use crate::domain::{ids::IssueNumber, pr_fix::PullFacts, pull_event::PullNow, repo::RepoName};

/// What GitHub has, unless it is what somebody held already.
#[derive(Debug)]
pub enum Reading<T> {
    /// As it was; costs nothing of the hourly quota.
    Same,
    New {
        content: T,
        /// None where GitHub gave none. Of a list whose first page does not speak for the others it stands for all pages.
        etag: Option<Validator>,
    },
}

impl<T> Reading<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Same => Reading::Same,
            Self::New { content, etag } => Reading::New { content: change(content), etag },
        }
    }
}

impl GitHub {
    /// Reads a pull request; waits for its point. GitHub works out in the background whether it can be merged, and does
    /// not say so until it knows.
    pub async fn pull(&self, repo: &RepoName, number: IssueNumber) -> Result<PullFacts, Error> {
        let client = self.client(repo)?;
        match client.get::<PullRequest>(pull_url(client, repo, number)).await {
            Ok(fetched) => Ok(fetched.content.into()),
            Err(error) => Err(of_no_issue(error)),
        }
    }

    /// As [`GitHub::pull`], with all that the cache keeps. Without a `point` it waits for one.
    pub async fn pull_now(
        &self,
        repo: &RepoName,
        number: IssueNumber,
        held: Option<&Validator>,
        point: Option<Point>,
    ) -> Result<Reading<PullNow>, Error> {
        let client = self.client(repo)?;
        let fetched = client.follow::<wire::Pull>(pull_url(client, repo, number), held, point).await;
        let Fetched { content, etag, .. } = fetched.map_err(of_no_issue)?;
        Ok(match content {
            None => Reading::Same,
            Some(pull) => Reading::New { content: pull.into(), etag },
        })
    }

    /// All open pull requests, the one that changed last first; the first request uses `point`. What changes comes to the
    /// first page, so its `ETag` speaks for all pages. One that is closed is in the list of issues.
    pub async fn open_pulls(
        &self,
        repo: &RepoName,
        held: Option<&Validator>,
        point: Option<Point>,
    ) -> Result<Reading<Vec<PullNow>>, Error> {
        let client = self.client(repo)?;
        let url = list_url(client, repo, "open");
        let read = read_pages::<Vec<wire::Pull>, _>(client, url, (held, point), usize::MAX);
        Ok(read.await?.map(|pulls| pulls.into_iter().map(PullNow::from).collect()))
    }

    /// The hundred closed pull requests that changed last.
    pub async fn closed_pulls(
        &self,
        repo: &RepoName,
        held: Option<&Validator>,
        point: Option<Point>,
    ) -> Result<Reading<Vec<PullNow>>, Error> {
        let client = self.client(repo)?;
        let url = list_url(client, repo, "closed");
        let read = read_pages::<Vec<wire::Pull>, _>(client, url, (held, point), 1);
        Ok(read.await?.map(|pulls| pulls.into_iter().map(PullNow::from).collect()))
    }
}

/// Pages of a list from its beginning, with the `ETag` of the first; further pages wait for their points.
async fn read_pages<P, T>(
    client: &Client,
    url: Url,
    (held, point): (Option<&Validator>, Option<Point>),
    pages: usize,
) -> Result<Reading<Vec<T>>, Error>
where
    P: DeserializeOwned + Into<Vec<T>>,
{
    let first = client.follow::<P>(url, held, point).await.map_err(of_no_issue)?;
    let Some(content) = first.content else { return Ok(Reading::Same) };
    let mut all = content.into();
    let mut next = first.next;
    for _ in 1..pages {
        let Some(link) = next else { break };
        let page = client.get::<P>(link.0).await.map_err(of_no_issue)?;
        all.extend(page.content.into());
        next = page.next;
    }
    Ok(Reading::New { content: all, etag: first.etag })
}

fn pull_url(client: &Client, repo: &RepoName, number: IssueNumber) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "pulls", &number.to_string()])
}

/// In one order always: GitHub's `ETag` hangs on the URL.
fn list_url(client: &Client, repo: &RepoName, state: &str) -> Url {
    let mut url = client.url(&["repos", repo.owner(), repo.name(), "pulls"]);
    url.query_pairs_mut()
        .append_pair("state", state)
        .append_pair("sort", "updated")
        .append_pair("direction", "desc")
        .append_pair("per_page", PER_PAGE);
    url
}

/// Pull requests are there whether issues are turned on or not.
fn of_no_issue(error: Error) -> Error {
    match error {
        Error::IssuesDisabled => Error::Unexpected { status: 410 },
        error => error,
    }
}
