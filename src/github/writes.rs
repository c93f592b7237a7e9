//! Writing to GitHub: how a write goes out, and labels of issues (docs.github.com/rest/issues/labels).

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{
    GitHub,
    answer::Answer,
    client::{Client, HOPS_MAX},
    error::Error,
    limits::Point,
    verdict::{Verdict, judge, message},
};
use crate::domain::{ids::IssueNumber, repo::RepoName};

/// What a write counts for (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
const POINTS: usize = 5;

/// The repository that a write is for.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    pub name: &'a RepoName,
    /// GitHub's own number, once it is known: it stays the same when the repository is renamed.
    pub github_id: Option<i64>,
}

impl<'a> Home<'a> {
    /// Whichever repository has this name, now or before.
    pub const fn named(name: &'a RepoName) -> Self {
        Self { name, github_id: None }
    }
}

impl GitHub {
    /// Adds labels to an issue; those that are there already stay as they are. One request.
    pub async fn add_labels(
        &self,
        home: Home<'_>,
        number: IssueNumber,
        labels: &[&str],
    ) -> Result<(), Error> {
        let client = self.client(home.name)?;
        let url = labels_of(client, home.name, number);
        let answer = client.write(Method::POST, url, Some(json!({ "labels": labels })), home).await?;
        settled(client, &answer)
    }

    /// Removes a label from an issue; one that is not there is as good as removed. One request.
    pub async fn remove_label(&self, home: Home<'_>, number: IssueNumber, label: &str) -> Result<(), Error> {
        let client = self.client(home.name)?;
        let mut url = labels_of(client, home.name, number);
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(label);
        }
        let answer = client.write(Method::DELETE, url, None, home).await?;
        if answer.status == StatusCode::NOT_FOUND && is_absent_label(&answer) {
            client.limits.ended(None);
            return Ok(());
        }
        settled(client, &answer)
    }
}

/// GitHub's number of the repository that a redirect leads to (docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api).
fn repository_in(url: &Url) -> Option<i64> {
    let mut segments = url.path_segments()?.skip_while(|segment| *segment != "repositories");
    segments.nth(1)?.parse().ok()
}

fn labels_of(client: &Client, repo: &RepoName, number: IssueNumber) -> Url {
    client.url(&["repos", repo.owner(), repo.name(), "issues", &number.to_string(), "labels"])
}

/// GitHub answers 404 both for an issue and for a label that is not there; its message tells which.
fn is_absent_label(answer: &Answer) -> bool {
    message(answer).is_some_and(|message| message.to_ascii_lowercase().contains("label does not exist"))
}

/// GitHub answers 403 both when the credentials may not write at all and when nobody may write there.
fn forbidden(answer: &Answer) -> Error {
    let words = message(answer).unwrap_or_default().to_ascii_lowercase();
    let says = |word| words.contains(word);
    match () {
        () if says("archived") || says("read-only") => Error::ReadOnly,
        () if says("locked") => Error::Locked,
        () => Error::Forbidden,
    }
}

/// What became of a write.
pub(super) fn settled(client: &Client, answer: &Answer) -> Result<(), Error> {
    let outcome = match judge(answer) {
        _ if answer.status.is_success() => Ok(()),
        Verdict::TurnedAway(refusal) => Err(client.limits.turned_away(refusal)),
        Verdict::Failed(Error::Forbidden) => Err(forbidden(answer)),
        Verdict::Failed(error) => Err(error),
        Verdict::Whole | Verdict::NotModified | Verdict::Elsewhere => {
            Err(Error::Unexpected { status: answer.status.as_u16() })
        }
    };
    client.limits.ended(outcome.as_ref().err());
    outcome
}

impl Client {
    /// Sends a write once; whoever wants it sent again must know that it may have taken effect. Redirects of a
    /// renamed repository are followed on GitHub's own host; those of a transferred issue are not.
    pub(super) async fn write(
        &self,
        method: Method,
        mut url: Url,
        body: Option<Value>,
        home: Home<'_>,
    ) -> Result<Answer, Error> {
        for _ in 0..=HOPS_MAX {
            if url.origin() != self.api.origin() {
                return Err(Error::RedirectRefused);
            }
            let points = self.points()?;
            // Never an error: the semaphore is never closed.
            let _permit = self.permits.acquire().await;
            self.limits.well().map_err(Error::Backoff)?;
            let shown = self.present().await?;
            points.into_iter().for_each(Point::spend);
            let sent = self.exchange(method.clone(), &url, None, body.as_ref(), &shown).await;
            let answer = sent.inspect_err(|error| self.limits.ended(Some(error)))?;
            match judge(&answer) {
                Verdict::Elsewhere => {
                    url = answer.location(&url).ok_or(Error::Malformed)?;
                    if home.github_id.zip(repository_in(&url)).is_some_and(|(home, there)| home != there) {
                        self.limits.ended(Some(&Error::Transferred));
                        return Err(Error::Transferred);
                    }
                }
                _ => return Ok(answer),
            }
        }
        Err(Error::RedirectRefused)
    }

    fn points(&self) -> Result<Vec<Point>, Error> {
        (0..POINTS).map(|_| self.limits.admit_first()).collect::<Result<_, _>>().map_err(Error::Backoff)
    }
}
