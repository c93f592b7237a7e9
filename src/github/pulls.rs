//! One pull request: its head, and whether it can be merged (docs.github.com/rest/pulls/pulls#get-a-pull-request).

use super::{GitHub, error::Error, wire};
use crate::domain::{ids::IssueNumber, pr_fix::PullFacts, repo::RepoName};

impl GitHub {
    /// Reads a pull request; waits for its point. GitHub works out in the background whether it can be merged, and does
    /// not say so until it knows.
    pub async fn pull(&self, repo: &RepoName, number: IssueNumber) -> Result<PullFacts, Error> {
        let client = self.client(repo)?;
        let url = client.url(&["repos", repo.owner(), repo.name(), "pulls", &number.to_string()]);
        match client.get::<wire::PullRequest>(url).await {
            Ok(fetched) => Ok(fetched.content.into()),
            Err(Error::IssuesDisabled) => Err(Error::Unexpected { status: 410 }),
            Err(error) => Err(error),
        }
    }
}
