//! What blocks an issue, by GitHub's own word
//! (docs.github.com/rest/issues/issue-dependencies#list-dependencies-an-issue-is-blocked-by).

use super::{GitHub, client::Fetched, error::Error, issues::PER_PAGE, wire::Item};
use crate::domain::{dependencies::Blocker, ids::IssueNumber, repo::RepoName};

impl GitHub {
    /// Lists what an issue waits for, closed issues too; each request waits for its point.
    pub async fn blockers(&self, repo: &RepoName, number: IssueNumber) -> Result<Vec<Blocker>, Error> {
        let client = self.client(repo)?;
        let number = number.to_string();
        let mut url = client.url(&[
            "repos",
            repo.owner(),
            repo.name(),
            "issues",
            &number,
            "dependencies",
            "blocked_by",
        ]);
        url.query_pairs_mut().append_pair("per_page", PER_PAGE);
        let mut blockers = Vec::new();
        loop {
            let Fetched { content, next, .. } = client.get::<Vec<Item>>(url).await?;
            for item in content {
                let repo = item.repository().ok_or(Error::Malformed)?;
                blockers.push(Blocker { repo, number: item.number() });
            }
            match next {
                Some(link) => url = link.0,
                None => return Ok(blockers),
            }
        }
    }
}
