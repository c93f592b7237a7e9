//! Pull requests: lists of them, and one with what GitHub works out of it (docs.github.com/rest/pulls/pulls).

mod evidence;
mod list;
mod wire;

pub(super) use list::read_list;

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
        let first = client.follow::<Vec<wire::Pull>>(list_url(client, repo), held, point).await;
        let Fetched { content, etag, mut next, .. } = first.map_err(of_no_issue)?;
        let Some(mut all) = content else { return Ok(Reading::Same) };
        while let Some(link) = next {
            // Further pages wait for their points.
            let page = client.get::<Vec<wire::Pull>>(link.0).await.map_err(of_no_issue)?;
            all.extend(page.content);
            next = page.next;
        }
        Ok(Reading::New { content: all.into_iter().map(PullNow::from).collect(), etag })
    }
}

fn pull_url(client: &Client, repo: &RepoName, number: IssueNumber) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "pulls", &number.to_string()])
}

/// In one order always: GitHub's `ETag` hangs on the URL.
fn list_url(client: &Client, repo: &RepoName) -> Url {
    let mut url = client.url(&["repos", repo.owner(), repo.name(), "pulls"]);
    url.query_pairs_mut()
        .append_pair("state", "open")
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
