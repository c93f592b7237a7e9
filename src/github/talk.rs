//! What people and machines say around a pull request: comments below it (docs.github.com/rest/issues/comments), and beside
//! its lines (docs.github.com/rest/pulls/comments).

use serde::Deserialize;
use url::Url;

use super::{
    GitHub,
    client::Validator,
    error::Error,
    issues::PER_PAGE,
    limits::Point,
    posts::{comments_of, whole},
    pulls::{Reading, read_list},
    wire::{User, storable},
};
use crate::domain::{
    ids::IssueNumber,
    pull_event::{Place, PullComment, Written},
    repo::RepoName,
    time::Timestamp,
};

#[derive(Deserialize)]
struct Comment {
    id: i64,
    user: Option<User>,
    body: Option<String>,
    html_url: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Beside a line only.
    path: Option<String>,
    line: Option<i64>,
}

impl From<Comment> for PullComment {
    fn from(comment: Comment) -> Self {
        let line = comment.line;
        Self {
            id: comment.id,
            written: Written::Created,
            author: comment.user.map(|user| user.login),
            body: comment.body.map(storable).unwrap_or_default(),
            url: comment.html_url,
            place: comment.path.map(|path| Place { path: storable(path), line }),
            created_at: comment.created_at,
            updated_at: comment.updated_at,
        }
    }
}

impl GitHub {
    /// Comments below a pull request that were written or changed since then; the first request uses `point`.
    pub async fn comments_since(
        &self,
        repo: &RepoName,
        number: IssueNumber,
        since: Option<Timestamp>,
        held: Option<&Validator>,
        point: Point,
    ) -> Result<Reading<Vec<PullComment>>, Error> {
        let client = self.client(repo)?;
        let url = since_then(comments_of(client, repo, number), since);
        let read = read_list::<Vec<Comment>, _>(client, url, (held, Some(point)));
        Ok(read.await?.map(|comments| comments.into_iter().map(PullComment::from).collect()))
    }

    /// The same of those beside its lines.
    pub async fn line_comments_since(
        &self,
        repo: &RepoName,
        number: IssueNumber,
        since: Option<Timestamp>,
        held: Option<&Validator>,
        point: Point,
    ) -> Result<Reading<Vec<PullComment>>, Error> {
        let client = self.client(repo)?;
        let number = number.to_string();
        let url = client.url(&["repos", repo.owner(), repo.name(), "pulls", &number, "comments"]);
        let url = since_then(url, since);
        let read = read_list::<Vec<Comment>, _>(client, url, (held, Some(point)));
        Ok(read.await?.map(|comments| comments.into_iter().map(PullComment::from).collect()))
    }
}

fn since_then(mut url: Url, since: Option<Timestamp>) -> Url {
    if let Some(since) = since {
        url.query_pairs_mut().append_pair("since", &whole(since));
    }
    url.query_pairs_mut().append_pair("per_page", PER_PAGE);
    url
}
