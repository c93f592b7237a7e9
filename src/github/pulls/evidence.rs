//! What speaks for or against a pull request: reviews (docs.github.com/rest/pulls/reviews) and checks
//! (docs.github.com/rest/checks/runs).

use super::{Reading, read_list, wire};
use crate::{
    domain::{ids::IssueNumber, pull::CheckRun, pull_event::PullReview, repo::RepoName},
    github::{GitHub, client::Validator, error::Error, issues::PER_PAGE, limits::Point},
};

impl GitHub {
    /// All reviews of a pull request, in the order in which they were sent. The first request uses `point`, or waits.
    pub async fn reviews(
        &self,
        repo: &RepoName,
        number: IssueNumber,
        held: Option<&Validator>,
        point: Option<Point>,
    ) -> Result<Reading<Vec<PullReview>>, Error> {
        let client = self.client(repo)?;
        let number = number.to_string();
        let mut url = client.url(&["repos", repo.owner(), repo.name(), "pulls", &number, "reviews"]);
        url.query_pairs_mut().append_pair("per_page", PER_PAGE);
        let read = read_list::<Vec<wire::Review>, _>(client, url, (held, point));
        Ok(read.await?.map(|reviews| reviews.into_iter().map(PullReview::from).collect()))
    }

    /// The latest run of each check of a commit; as [`GitHub::reviews`].
    pub async fn check_runs(
        &self,
        repo: &RepoName,
        sha: &str,
        held: Option<&Validator>,
        point: Option<Point>,
    ) -> Result<Reading<Vec<CheckRun>>, Error> {
        let client = self.client(repo)?;
        let mut url = client.url(&["repos", repo.owner(), repo.name(), "commits", sha, "check-runs"]);
        url.query_pairs_mut().append_pair("filter", "latest").append_pair("per_page", PER_PAGE);
        let read = read_list::<wire::CheckRuns, _>(client, url, (held, point));
        Ok(read.await?.map(|runs| runs.into_iter().map(CheckRun::from).collect()))
    }
}
