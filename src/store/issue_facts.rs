//! One issue as the verbs look at it before they change something.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{IssueId, IssueNumber, RepoId},
        issue::IssueState,
        labels::Status,
        repo::RepoName,
        time::Timestamp,
    },
    store::{ReadTx, Result},
};

/// See [`find`].
#[derive(Clone, Debug)]
pub struct IssueFacts {
    pub id: IssueId,
    pub repo_id: RepoId,
    pub repo: RepoName,
    pub number: IssueNumber,
    pub title: String,
    pub body: Option<String>,
    pub url: String,
    pub state: IssueState,
    /// What GitHub listed last.
    pub github_labels: Vec<String>,
    /// What Dispatch shows: with our edits on top.
    pub labels: Vec<String>,
    pub status: Option<Status>,
    pub current_lane: Option<String>,
    pub blocked_reason: Option<String>,
    pub open_blockers: i64,
    pub clock_from: Timestamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: IssueId,
    repository_id: RepoId,
    full_name: RepoName,
    number: IssueNumber,
    title: String,
    body: Option<String>,
    url: String,
    state: IssueState,
    github_labels: Json<Vec<String>>,
    labels: Json<Vec<String>>,
    status: Option<Status>,
    current_lane: Option<String>,
    blocked_reason: Option<String>,
    open_blockers: i64,
    clock_from: Timestamp,
}

/// An issue of a tracked repository that is still at GitHub.
pub async fn find(tx: &mut ReadTx, id: &IssueId) -> Result<Option<IssueFacts>> {
    let row: Option<Row> = tx
        .query(
            "SELECT i.id, i.repository_id, r.full_name, i.number, i.title, i.body, i.url, i.state, i.github_labels,
                i.labels, i.status, i.current_lane, i.blocked_reason, i.open_blockers, i.clock_from
             FROM issues i JOIN repositories r ON r.id = i.repository_id
             WHERE i.id = $1 AND i.removed_at IS NULL AND r.tracked = TRUE",
        )
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.map(IssueFacts::from))
}

impl From<Row> for IssueFacts {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            repo_id: row.repository_id,
            repo: row.full_name,
            number: row.number,
            title: row.title,
            body: row.body,
            url: row.url,
            state: row.state,
            github_labels: row.github_labels.0,
            labels: row.labels.0,
            status: row.status,
            current_lane: row.current_lane,
            blocked_reason: row.blocked_reason,
            open_blockers: row.open_blockers,
            clock_from: row.clock_from,
        }
    }
}
