//! Reading issues: lists with filters, and single ones.

use sqlx::types::Json;

use crate::{
    domain::{
        grooming::{Grooming, Split},
        ids::{IssueId, IssueNumber, RepoId},
        issue::{Issue, IssueState},
        page::{Cursor, Page},
        repo::RepoName,
        time::Timestamp,
    },
    store::{
        ReadTx, Result,
        db::Dialect,
        pull_health::{LinkedRow, linked_columns},
    },
};

const COLUMNS: &str = concat!(
    "i.id, i.repository_id, r.full_name, i.number, i.title, i.body, i.state, i.url, i.labels,
    i.assignees, i.comments, i.created_at, i.updated_at, i.closed_at, i.synced_at, i.current_lane, i.decomposed,
    i.decomposed_at, i.decomposed_by, i.decomposed_note, i.follow_up_urls, i.groomed_at, i.groomed_by,
    i.grooming_summary, i.not_ready_reason, i.blocked_reason, i.needs_info_reason, i.next_grooming_action, ",
    linked_columns!(),
);

const FROM: &str = " FROM issues i JOIN repositories r ON r.id = i.repository_id
    LEFT JOIN pulls p ON p.repository_id = i.repository_id AND p.number = i.linked_pull";

#[derive(sqlx::FromRow)]
struct Row {
    id: IssueId,
    repository_id: RepoId,
    full_name: RepoName,
    number: IssueNumber,
    title: String,
    body: Option<String>,
    state: IssueState,
    url: String,
    labels: Json<Vec<String>>,
    assignees: Json<Vec<String>>,
    comments: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    closed_at: Option<Timestamp>,
    synced_at: Timestamp,
    current_lane: Option<String>,
    decomposed: bool,
    decomposed_at: Option<Timestamp>,
    decomposed_by: Option<String>,
    decomposed_note: Option<String>,
    follow_up_urls: Json<Vec<String>>,
    groomed_at: Option<Timestamp>,
    groomed_by: Option<String>,
    grooming_summary: Option<String>,
    not_ready_reason: Option<String>,
    blocked_reason: Option<String>,
    needs_info_reason: Option<String>,
    next_grooming_action: Option<String>,
    #[sqlx(flatten)]
    linked: LinkedRow,
}

impl From<Row> for Issue {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            repo_id: row.repository_id,
            repo: row.full_name,
            number: row.number,
            title: row.title,
            body: row.body,
            state: row.state,
            url: row.url,
            labels: row.labels.0,
            assignees: row.assignees.0,
            comments: row.comments,
            created_at: row.created_at,
            updated_at: row.updated_at,
            closed_at: row.closed_at,
            synced_at: row.synced_at,
            current_lane: row.current_lane,
            split: Split {
                decomposed: row.decomposed,
                at: row.decomposed_at,
                by: row.decomposed_by,
                note: row.decomposed_note,
                follow_up_urls: row.follow_up_urls.0,
            },
            grooming: Grooming {
                at: row.groomed_at,
                by: row.groomed_by,
                summary: row.grooming_summary,
                not_ready_reason: row.not_ready_reason,
                blocked_reason: row.blocked_reason,
                needs_info_reason: row.needs_info_reason,
                next_action: row.next_grooming_action,
            },
            linked: row.linked.into_linked(),
        }
    }
}

/// Which closed issues a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Those closed at or after this time (the board's window).
    Since(Timestamp),
    /// All that are cached.
    All,
}

/// Which issues a list shows; every label must be there.
#[derive(Clone, Debug)]
pub struct Filter {
    pub repo: Option<RepoId>,
    /// Lower case.
    pub labels: Vec<String>,
    pub decomposed: Option<bool>,
    pub closed: Closed,
}

/// Issues of tracked repositories, last changed first; `limit` absent means all.
pub async fn list(
    tx: &mut ReadTx,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: Option<i64>,
) -> Result<Page<Issue>> {
    let (open_label, close_label) = match tx.dialect() {
        Dialect::Postgres => (" AND i.label_keys @> jsonb_build_array(", "::text)"),
        Dialect::Sqlite => (" AND EXISTS (SELECT 1 FROM json_each(i.label_keys) WHERE value = ", ")"),
    };
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS)
        .push(FROM)
        .push(" WHERE r.tracked = TRUE AND i.removed_at IS NULL AND i.excluded = FALSE");
    if let Some(repo) = &filter.repo {
        sql.push(" AND i.repository_id = ").push_bind(repo);
    }
    if let Closed::Since(cutoff) = filter.closed {
        sql.push(" AND (i.state = 'open' OR i.closed_at >= ").push_bind(cutoff).push(")");
    }
    if let Some(decomposed) = filter.decomposed {
        sql.push(" AND i.decomposed = ").push_bind(decomposed);
    }
    for label in &filter.labels {
        sql.push(open_label).push_bind(label.as_str()).push(close_label);
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (i.updated_at, i.id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY i.updated_at DESC, i.id DESC");
    if let Some(limit) = limit {
        sql.push(" LIMIT ").push_bind(limit + 1);
    }
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    let issues = rows.into_iter().map(Issue::from).collect();
    let place = |issue: &Issue| Cursor { at: issue.updated_at, id: issue.id.0.clone() };
    Ok(Page::cut(issues, limit.unwrap_or(i64::MAX), place))
}

/// Open issues without a place on the board, last changed first; those of updaters of dependencies only if asked for.
pub async fn list_untriaged(
    tx: &mut ReadTx,
    repo: Option<&RepoId>,
    automated: bool,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Issue>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(FROM).push(" WHERE i.shown = TRUE AND i.status IS NULL");
    if !automated {
        sql.push(" AND i.automated = FALSE");
    }
    if let Some(repo) = repo {
        sql.push(" AND i.repository_id = ").push_bind(repo);
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (i.updated_at, i.id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY i.updated_at DESC, i.id DESC LIMIT ").push_bind(limit + 1);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    let issues = rows.into_iter().map(Issue::from).collect();
    Ok(Page::cut(issues, limit, |issue: &Issue| Cursor { at: issue.updated_at, id: issue.id.0.clone() }))
}

/// One issue by its number, hidden ones included: "no filters at all" (`contract/agents.md` 7.4).
pub async fn find(tx: &mut ReadTx, repo: &RepoId, number: IssueNumber) -> Result<Option<Issue>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(FROM).push(" WHERE i.repository_id = ");
    sql.push_bind(repo).push(" AND i.number = ").push_bind(number).push(" AND i.removed_at IS NULL");
    let row: Option<Row> = sql.done().fetch_optional().await?;
    Ok(row.map(Issue::from))
}

/// The id of an issue that is or was cached, in a repository of this name or once of this name.
pub async fn find_id(tx: &mut ReadTx, repo: &RepoName, number: IssueNumber) -> Result<Option<IssueId>> {
    let found: Option<(IssueId,)> = tx
        .query(
            "SELECT id FROM issues WHERE number = $1 AND repository_id = COALESCE(
                (SELECT id FROM repositories WHERE name_key = $2),
                (SELECT repository_id FROM repository_aliases WHERE name_key = $3))",
        )
        .bind(number)
        .bind(repo.key())
        .bind(repo.key())
        .fetch_optional()
        .await?;
    Ok(found.map(|(id,)| id))
}

/// Issues by id, for the rows of the audit log that name them.
pub async fn list_by_id(tx: &mut ReadTx, ids: &[IssueId]) -> Result<Vec<Issue>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(FROM).push(" WHERE i.id IN ");
    sql.push_list(ids);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Issue::from).collect())
}

/// Does this issue exist?
pub async fn exists(tx: &mut ReadTx, id: &IssueId) -> Result<bool> {
    let found: Option<(IssueId,)> =
        tx.query("SELECT id FROM issues WHERE id = $1").bind(id).fetch_optional().await?;
    Ok(found.is_some())
}

/// How many open issues of each repository are cached and shown.
pub async fn count_by_repo(tx: &mut ReadTx) -> Result<Vec<(RepoId, i64)>> {
    tx.query(
        "SELECT repository_id, count(*) FROM issues
         WHERE removed_at IS NULL AND excluded = FALSE AND state = 'open' GROUP BY repository_id",
    )
    .fetch_all()
    .await
}
