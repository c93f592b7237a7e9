//! Comments, edits and new issues, and finding out whether a lost answer meant that one is there
//! (docs.github.com/rest/issues/comments, docs.github.com/rest/issues/issues).

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::{
    GitHub,
    answer::Answer,
    client::{Client, Fetched},
    error::Error,
    issues::{PER_PAGE, issues_url},
    link::NextLink,
    wire,
    writes::{Home, settled},
};
use crate::domain::{
    ids::{IssueNumber, OutboxId},
    outbox::{Edit, Made, NewIssue, marker, with_marker},
    repo::RepoName,
    time::Timestamp,
};

/// So many pages are looked through for a marker.
const PAGES_MAX: usize = 10;

/// What a search for a marker came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    There(Made),
    Absent,
    /// More was written since than is looked through.
    TooMany,
}

impl GitHub {
    /// Posts a comment with the marker of its entry. One request.
    pub async fn comment(
        &self,
        home: Home<'_>,
        number: IssueNumber,
        text: &str,
        id: &OutboxId,
    ) -> Result<Made, Error> {
        let client = self.client(home.name)?;
        let body = json!({ "body": with_marker(text, id) });
        let answer =
            client.write(Method::POST, comments_of(client, home.name, number), Some(body), home).await?;
        read::<wire::Comment>(client, &answer).map(Made::from)
    }

    /// Gives a comment another text, with the marker of its entry; the same again changes nothing. One request.
    pub async fn edit_comment(
        &self,
        home: Home<'_>,
        comment: i64,
        text: &str,
        id: &OutboxId,
    ) -> Result<Made, Error> {
        let client = self.client(home.name)?;
        let body = json!({ "body": with_marker(text, id) });
        let url = comment_at(client, home.name, comment);
        let answer = client.write(Method::PATCH, url, Some(body), home).await?;
        read::<wire::Comment>(client, &answer).map(Made::from)
    }

    /// Deletes a comment; one that is not there is as good as deleted. One request.
    pub async fn delete_comment(&self, home: Home<'_>, comment: i64) -> Result<(), Error> {
        let client = self.client(home.name)?;
        let url = comment_at(client, home.name, comment);
        let answer = client.write(Method::DELETE, url, None, home).await?;
        if answer.status == StatusCode::NOT_FOUND {
            client.limits.ended(None);
            return Ok(());
        }
        settled(client, &answer)
    }

    /// Changes one field of an issue; the same again changes nothing. One request.
    pub async fn edit_issue(&self, home: Home<'_>, number: IssueNumber, edit: &Edit) -> Result<(), Error> {
        let (client, repo) = (self.client(home.name)?, home.name);
        let url = client.url(&["repos", repo.owner(), repo.name(), "issues", &number.to_string()]);
        let body = match edit {
            Edit::Title(title) => json!({ "title": title }),
            Edit::Body(text) => json!({ "body": text }),
            Edit::State(edit) => json!({ "state": edit.state(), "state_reason": edit.reason() }),
        };
        let answer = client.write(Method::PATCH, url, Some(body), home).await?;
        read::<wire::Posted>(client, &answer).map(|_| ())
    }

    /// Opens an issue with the marker of its entry. One request.
    pub async fn create_issue(&self, home: Home<'_>, new: &NewIssue, id: &OutboxId) -> Result<Made, Error> {
        let client = self.client(home.name)?;
        let NewIssue { title, body, labels } = new;
        let body = json!({ "title": title, "body": with_marker(body, id), "labels": labels });
        let answer = client.write(Method::POST, issues_url(client, home.name), Some(body), home).await?;
        read::<wire::Posted>(client, &answer).map(Made::from)
    }

    /// Looks for the comment with this marker among those written or changed since then.
    pub async fn find_comment(
        &self,
        repo: &RepoName,
        number: IssueNumber,
        id: &OutboxId,
        since: Timestamp,
    ) -> Result<Found, Error> {
        let client = self.client(repo)?;
        let mut url = comments_of(client, repo, number);
        url.query_pairs_mut().append_pair("since", &whole(since)).append_pair("per_page", PER_PAGE);
        let marker = marker(id);
        find::<wire::Comment>(client, url, |comment| comment.says(&marker)).await
    }

    /// Looks for the issue with this marker among those opened or changed since then.
    pub async fn find_issue(&self, repo: &RepoName, id: &OutboxId, since: Timestamp) -> Result<Found, Error> {
        let client = self.client(repo)?;
        let mut url = issues_url(client, repo);
        let order = [("state", "all"), ("sort", "created"), ("direction", "desc"), ("per_page", PER_PAGE)];
        url.query_pairs_mut().extend_pairs(order).append_pair("since", &whole(since));
        let marker = marker(id);
        find::<wire::Posted>(client, url, |issue| issue.says(&marker)).await
    }
}

pub(super) fn comments_of(client: &Client, repo: &RepoName, number: IssueNumber) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "issues", &number.to_string(), "comments"])
}

fn comment_at(client: &Client, repo: &RepoName, comment: i64) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "issues", "comments", &comment.to_string()])
}

/// GitHub knows whole seconds.
pub(super) fn whole(at: Timestamp) -> String {
    at.whole_second().to_string().replace(".000Z", "Z")
}

/// What GitHub made; an answer that cannot be read tells nothing.
pub(super) fn read<T: DeserializeOwned>(client: &Client, answer: &Answer) -> Result<T, Error> {
    settled(client, answer)?;
    answer.json()
}

/// Goes through the pages of a list.
async fn find<T: DeserializeOwned + Into<Made>>(
    client: &Client,
    url: Url,
    is_it: impl Fn(&T) -> bool,
) -> Result<Found, Error> {
    let mut next = Some(NextLink(url));
    for _ in 0..PAGES_MAX {
        let Some(NextLink(url)) = next else { return Ok(Found::Absent) };
        let page: Fetched<Vec<T>> = client.get(url).await?;
        if let Some(found) = page.content.into_iter().find(|one| is_it(one)) {
            return Ok(Found::There(found.into()));
        }
        next = page.next;
    }
    Ok(if next.is_none() { Found::Absent } else { Found::TooMany })
}
