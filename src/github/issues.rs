//! Lists of issues and pull requests
//! (docs.github.com/rest/issues/issues#list-repository-issues).

use url::Url;

use super::{
    GitHub,
    client::{Client, Fetched, Validator},
    error::Error,
    limits::Point,
    link::NextLink,
    wire::Item,
};
use crate::domain::{issue::RemoteItem, repo::RepoName, time::Timestamp};

/// The largest page that GitHub gives.
pub(super) const PER_PAGE: &str = "100";

/// Did anything change since the `ETag` was given out?
#[derive(Debug)]
pub enum Probe {
    /// No; costs nothing of the hourly quota.
    NotModified {
        /// When GitHub said so.
        at: Timestamp,
        /// As [`IssuePage::moved`].
        moved: bool,
    },
    /// Yes, or nobody knows: the page of what changed last.
    Changed { etag: Option<Validator>, page: IssuePage },
}

/// One page of a list.
#[derive(Debug)]
pub struct IssuePage {
    pub items: Vec<RemoteItem>,
    /// Where the list goes on; absent on the last page.
    pub next: Option<NextLink>,
    /// GitHub's `Date`, to the second; our clock where GitHub gave none.
    pub at: Timestamp,
    /// GitHub redirected: the repository has another name now, see [`GitHub::repository`].
    pub moved: bool,
}

/// Which items to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListQuery {
    pub state: StateFilter,
    pub order: Order,
    /// Only items changed then or later; GitHub knows whole seconds, so a fraction is dropped.
    pub since: Option<Timestamp>,
}

/// See [`ListQuery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    Open,
    Closed,
    All,
}

/// See [`ListQuery`]; oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    UpdatedAsc,
    CreatedAsc,
}

impl GitHub {
    /// Asks for the newest changes, unless nothing changed since `held` was given out and its token is still in
    /// use. The URL is the same at all times.
    pub async fn probe(
        &self,
        repo: &RepoName,
        held: Option<&Validator>,
        point: Point,
    ) -> Result<Probe, Error> {
        let client = self.client(repo)?;
        let fetched = client.get_if_changed(probe_url(client, repo), held, point).await?;
        let Fetched { content, etag, next, at, moved } = fetched;
        Ok(match content {
            None => Probe::NotModified { at, moved },
            Some(items) => Probe::Changed { etag, page: IssuePage::new(items, next, at, moved) },
        })
    }

    /// The page of a probe, whether it changed or not; waits for its point.
    pub async fn first_page(&self, repo: &RepoName) -> Result<(Option<Validator>, IssuePage), Error> {
        let client = self.client(repo)?;
        let mut fetched = client.get(probe_url(client, repo)).await?;
        Ok((fetched.etag.take(), fetched.into()))
    }

    /// The first page of a list; waits for its point.
    pub async fn list(&self, repo: &RepoName, query: &ListQuery) -> Result<IssuePage, Error> {
        let client = self.client(repo)?;
        let mut url = issues_url(client, repo);
        query.write_to(&mut url);
        client.get(url).await.map(IssuePage::from)
    }

    /// The page of that repository that a link leads to, which must be on the API's own host; waits for its point.
    pub async fn next(&self, repo: &RepoName, link: &NextLink) -> Result<IssuePage, Error> {
        self.client(repo)?.get(link.0.clone()).await.map(IssuePage::from)
    }
}

pub(super) fn issues_url(client: &Client, repo: &RepoName) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "issues"])
}

fn probe_url(client: &Client, repo: &RepoName) -> Url {
    let mut url = issues_url(client, repo);
    write_query(&mut url, "all", "updated", "desc", None);
    url
}

impl ListQuery {
    fn write_to(&self, url: &mut Url) {
        let state = match self.state {
            StateFilter::Open => "open",
            StateFilter::Closed => "closed",
            StateFilter::All => "all",
        };
        let sort = match self.order {
            Order::UpdatedAsc => "updated",
            Order::CreatedAsc => "created",
        };
        write_query(url, state, sort, "asc", self.since);
    }
}

/// In one order always: GitHub's `ETag` hangs on the URL.
fn write_query(url: &mut Url, state: &str, sort: &str, direction: &str, since: Option<Timestamp>) {
    let mut query = url.query_pairs_mut();
    query.append_pair("state", state);
    query.append_pair("sort", sort);
    query.append_pair("direction", direction);
    query.append_pair("per_page", PER_PAGE);
    if let Some(since) = since {
        query.append_pair("since", &since.whole_second().to_string().replace(".000Z", "Z"));
    }
}

impl IssuePage {
    fn new(items: Vec<Item>, next: Option<NextLink>, at: Timestamp, moved: bool) -> Self {
        Self { items: items.into_iter().map(RemoteItem::from).collect(), next, at, moved }
    }
}

impl From<Fetched<Vec<Item>>> for IssuePage {
    fn from(fetched: Fetched<Vec<Item>>) -> Self {
        Self::new(fetched.content, fetched.next, fetched.at, fetched.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_written_in_one_order() {
        let written = |query: ListQuery| {
            let mut url = Url::parse("http://x/").unwrap();
            query.write_to(&mut url);
            url.query().unwrap().to_owned()
        };
        let query = ListQuery { state: StateFilter::Open, order: Order::CreatedAsc, since: None };
        assert_eq!(written(query), "state=open&sort=created&direction=asc&per_page=100");
        let since = Some(Timestamp(1_767_225_600_999));
        assert_eq!(
            written(ListQuery { state: StateFilter::All, order: Order::UpdatedAsc, since }),
            "state=all&sort=updated&direction=asc&per_page=100&since=2026-01-01T00%3A00%3A00Z"
        );
    }
}
