//! Pull requests as the verbs that follow them look at them: those of bots, merged ones with open issues, linked ones.

use crate::{
    domain::{
        ids::{IssueId, IssueNumber, PrFixId, RepoId},
        labels::Status,
        pr_followup::Followed,
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

#[derive(sqlx::FromRow)]
struct Row {
    full_name: RepoName,
    number: IssueNumber,
    author: Option<String>,
    title: String,
    url: String,
    head_ref: Option<String>,
    head_sha: Option<String>,
    issue: Option<IssueNumber>,
}

impl From<Row> for Followed {
    fn from(row: Row) -> Self {
        Self {
            repo: row.full_name,
            number: row.number,
            author: row.author,
            title: row.title,
            url: row.url,
            branch: row.head_ref,
            head_sha: row.head_sha,
            issue: row.issue,
            is_open: true,
        }
    }
}

/// Open pull requests of these authors, by number, each with the first issue that it is about.
pub async fn list_of_authors(tx: &mut ReadTx, repo: &RepoId, authors: &[String]) -> Result<Vec<Followed>> {
    if authors.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build(
        "SELECT r.full_name, p.number, p.author, p.title, p.url, p.head_ref, p.head_sha,
            (SELECT l.issue_number FROM pull_links l WHERE l.repository_id = p.repository_id AND l.number = p.number
             ORDER BY l.position, l.issue_number LIMIT 1) AS issue
         FROM pulls p JOIN repositories r ON r.id = p.repository_id WHERE p.state = 'open' AND p.repository_id = ",
    );
    sql.push_bind(repo);
    sql.push(" AND lower(p.author) IN ").push_list(authors.iter().map(|author| author.to_lowercase()));
    sql.push(" ORDER BY p.number");
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Followed::from).collect())
}

/// The first issue that a pull request is about.
pub async fn find_issue_of(tx: &mut ReadTx, repo: &RepoId, pull: IssueNumber) -> Result<Option<IssueNumber>> {
    let first: Option<(IssueNumber,)> = tx
        .query(
            "SELECT issue_number FROM pull_links WHERE repository_id = $1 AND number = $2
             ORDER BY position, issue_number LIMIT 1",
        )
        .bind(repo)
        .bind(pull)
        .fetch_optional()
        .await?;
    Ok(first.map(|(issue,)| issue))
}

/// An open issue that a merged pull request is about.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Merge {
    pub pull: IssueNumber,
    /// Unknown where only the list of issues showed that it is closed.
    pub base_ref: Option<String>,
    pub issue: IssueNumber,
    pub id: IssueId,
}

/// Those that were not followed yet, the first merge of an issue first.
pub async fn list_merges(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<Merge>> {
    tx.query(
        "SELECT DISTINCT p.number AS pull, p.base_ref, i.number AS issue, i.id, p.merged_at
         FROM issues i JOIN pull_links l ON l.repository_id = i.repository_id AND l.issue_number = i.number
            JOIN pulls p ON p.repository_id = l.repository_id AND p.number = l.number
         WHERE i.repository_id = $1 AND i.shown = TRUE AND i.state = 'open' AND p.merged_at IS NOT NULL
            AND (l.linked_by = 'keyword' OR p.own_head = TRUE)
            AND NOT EXISTS (SELECT 1 FROM settled_merges m WHERE m.repository_id = i.repository_id
                AND m.pull_number = p.number AND m.issue_number = i.number)
         ORDER BY i.number, p.merged_at, p.number",
    )
    .bind(repo)
    .fetch_all()
    .await
}

/// Notes that a merge was followed; false when it was before.
pub async fn settle_merge(tx: &mut WriteTx, repo: &RepoId, merge: &Merge, now: Timestamp) -> Result<bool> {
    let settled = tx
        .query(
            "INSERT INTO settled_merges (repository_id, pull_number, issue_number, settled_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(repo)
        .bind(merge.pull)
        .bind(merge.issue)
        .bind(now)
        .execute()
        .await?;
    Ok(settled == 1)
}

/// An open issue and the open pull request that it shows.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Linked {
    pub id: IssueId,
    pub status: Option<Status>,
    pub pull: IssueNumber,
    pub needs_followup: bool,
    pub draft: bool,
}

/// Those whose health is known, by number.
pub async fn list_linked(tx: &mut ReadTx, repo: &RepoId) -> Result<Vec<Linked>> {
    tx.query(
        "SELECT i.id, i.status, p.number AS pull, p.needs_followup, p.draft
         FROM issues i JOIN pulls p ON p.repository_id = i.repository_id AND p.number = i.linked_pull
         WHERE i.repository_id = $1 AND i.shown = TRUE AND i.state = 'open' AND i.linked_pull IS NOT NULL
            AND p.state = 'open' AND p.checked_at IS NOT NULL
         ORDER BY i.number",
    )
    .bind(repo)
    .fetch_all()
    .await
}

/// Open issues that nobody put into a lane, or that work goes on with in this one; at most `limit`.
pub async fn list_without_lane(
    tx: &mut ReadTx,
    repo: &RepoId,
    backlog: &str,
    limit: i64,
) -> Result<Vec<IssueId>> {
    let rows: Vec<(IssueId,)> = tx
        .query(
            "SELECT id FROM issues WHERE repository_id = $1 AND shown = TRUE AND state = 'open'
                AND (current_lane IS NULL OR (current_lane = $2 AND status IN ($3, $4, $5)))
             ORDER BY number LIMIT $6",
        )
        .bind(repo)
        .bind(backlog)
        .bind(Status::Ready)
        .bind(Status::InProgress)
        .bind(Status::InReview)
        .bind(limit)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Items of the PR-fix queue that are not settled, and of those the ones whose pull requests are closed.
pub async fn list_fixes(tx: &mut ReadTx, repo: &RepoId, name: &RepoName) -> Result<Vec<(PrFixId, bool)>> {
    tx.query(
        "SELECT f.id, EXISTS (SELECT 1 FROM pulls p WHERE p.repository_id = $1 AND p.number = f.pr
                AND p.state = 'closed') AS closed
         FROM pr_fix_items f WHERE f.is_open = TRUE AND f.repo = $2 ORDER BY f.id",
    )
    .bind(repo)
    .bind(name.key())
    .fetch_all()
    .await
}
