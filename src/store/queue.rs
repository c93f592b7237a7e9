//! Reading the queue by its indexes. Issues fall into classes by priority, status and whose they are; within a class
//! the older is served first, so the heads of the classes are all that a poll needs to look at.

use std::collections::HashMap;

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{AgentName, IssueId, IssueNumber, RepoId},
        issue::IssueState,
        labels::{NO_PRIORITY, Status},
        place::Behind,
        pull::LinkedPull,
        queue::{Ask, Class, Facts, Hidden},
        repo::RepoName,
        time::Timestamp,
    },
    store::{
        ReadTx, Result,
        db::Builder,
        pull_health::{LinkedRow, linked_columns},
    },
};

/// An issue with what the rules look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: IssueId,
    pub facts: Facts,
}

const COLUMNS: &str =
    "id, repository_id, number, status, rests, priority, agent, lane, lane_closed, automated,
    decomposed, open_blockers, created_at";

#[expect(clippy::struct_excessive_bools, reason = "columns, each of its own")]
#[derive(sqlx::FromRow)]
struct Row {
    id: IssueId,
    repository_id: RepoId,
    number: IssueNumber,
    status: Option<Status>,
    rests: bool,
    priority: i64,
    agent: Option<String>,
    lane: String,
    lane_closed: bool,
    automated: bool,
    decomposed: bool,
    open_blockers: i64,
    created_at: Timestamp,
}

impl From<Row> for Candidate {
    fn from(row: Row) -> Self {
        let facts = Facts {
            repo: row.repository_id,
            number: row.number,
            hidden: None,
            status: row.status,
            rests: row.rests,
            priority: row.priority,
            agent: row.agent,
            holder: None,
            lane: row.lane,
            lane_closed: row.lane_closed,
            automated: row.automated,
            decomposed: row.decomposed,
            open_blockers: row.open_blockers,
            created_at: row.created_at,
        };
        Self { id: row.id, facts }
    }
}

/// What lists show of an issue besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub repo: RepoName,
    pub title: String,
    pub url: String,
    pub labels: Vec<String>,
    /// As it is stored.
    pub lane: Option<String>,
    /// Its pull request; heads do not look for it.
    pub linked: Option<LinkedPull>,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    full_name: RepoName,
    title: String,
    url: String,
    labels: Json<Vec<String>>,
    current_lane: Option<String>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let EntryRow { full_name, title, url, labels, current_lane } = row;
        Self { repo: full_name, title, url, labels: labels.0, lane: current_lane, linked: None }
    }
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    #[sqlx(flatten)]
    candidate: Row,
    #[sqlx(flatten)]
    entry: EntryRow,
}

/// The head of each class, each found by one look into an index: a statement that never changes and whose work does
/// not grow with the issues. What a partial index asks for stands in it literally.
macro_rules! heads {
    ($lane:literal, $but:expr) => {
        concat!(
            "SELECT i.id, i.repository_id, i.number, i.status, i.rests, i.priority, i.agent, i.lane, i.lane_closed,
                i.automated, i.decomposed, i.open_blockers, i.created_at, r.full_name, i.title, i.url, i.labels, i.current_lane
             FROM (
                SELECT (SELECT h.id FROM issues h
                    WHERE h.shown = TRUE AND h.rests = FALSE AND h.open_blockers = 0 AND ",
            $lane,
            " = $1 ",
            $but,
            "AND h.automated = a.automated AND h.priority = p.priority AND h.status = s.status AND h.agent = $2
                        AND (h.decomposed = FALSE OR $3 = FALSE)
                    ORDER BY h.agent, h.created_at, h.repository_id, h.number LIMIT 1) AS id
                FROM ",
            heads!(classes),
            " WHERE a.automated = FALSE OR $4 = TRUE
                UNION ALL
                SELECT (SELECT h.id FROM issues h
                    WHERE h.shown = TRUE AND h.rests = FALSE AND h.open_blockers = 0 AND ",
            $lane,
            " = $5 ",
            $but,
            "AND h.automated = a.automated AND h.priority = p.priority AND h.status = s.status AND h.agent IS NULL
                        AND (h.decomposed = FALSE OR $6 = FALSE)
                    ORDER BY h.agent, h.created_at, h.repository_id, h.number LIMIT 1) AS id
                FROM ",
            heads!(classes),
            " WHERE a.automated = FALSE OR $7 = TRUE
             ) AS heads
             JOIN issues i ON i.id = heads.id JOIN repositories r ON r.id = i.repository_id AND r.tracked = TRUE"
        )
    };
    (classes) => {
        "(SELECT 0 AS priority UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) AS p
         CROSS JOIN (SELECT 'ready' AS status UNION ALL SELECT 'in-progress') AS s
         CROSS JOIN (SELECT FALSE AS automated UNION ALL SELECT TRUE) AS a"
    };
}

/// Leaves out issues whose pull requests are in the PR-fix queue, or need another look.
macro_rules! but_deferred {
    ($issue:literal) => {
        concat!(
            "AND NOT EXISTS (SELECT 1 FROM repositories fr JOIN pr_fix_items f ON f.repo = fr.name_key
                WHERE fr.id = ",
            $issue,
            ".repository_id AND f.issue = ",
            $issue,
            ".number AND f.is_open = TRUE AND f.issue IS NOT NULL) AND ",
            $issue,
            ".linked_defers = FALSE "
        )
    };
}

const HEADS: &str = heads!("h.lane_closed", "");
const HEADS_IN_LANE: &str = heads!("h.lane", "");
const HEADS_BUT_DEFERRED: &str = heads!("h.lane_closed", but_deferred!("h"));
const HEADS_IN_LANE_BUT_DEFERRED: &str = heads!("h.lane", but_deferred!("h"));

/// Which issues are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issues {
    All,
    /// Not those whose pull requests are in the PR-fix queue.
    ButDeferred,
}

/// The first issue of each class that an agent is served which asks for its own and free issues alone.
pub async fn heads(tx: &mut ReadTx, ask: &Ask, issues: Issues) -> Result<Vec<(Candidate, Entry)>> {
    let own = ask.agent.key();
    let (whole, automated) = (ask.exclude_decomposed, ask.include_automated);
    let sql = match (&ask.lane, issues) {
        (Some(_), Issues::All) => HEADS_IN_LANE,
        (Some(_), Issues::ButDeferred) => HEADS_IN_LANE_BUT_DEFERRED,
        (None, Issues::All) => HEADS,
        (None, Issues::ButDeferred) => HEADS_BUT_DEFERRED,
    };
    let query = match &ask.lane {
        Some(lane) => tx.query(sql).bind(lane).bind(&own).bind(whole).bind(automated).bind(lane),
        None => tx.query(sql).bind(false).bind(&own).bind(whole).bind(automated).bind(false),
    };
    let rows: Vec<HeadRow> = query.bind(whole).bind(automated).fetch_all().await?;
    Ok(rows.into_iter().map(|row| (row.candidate.into(), row.entry.into())).collect())
}

/// Whose issues a class holds.
#[derive(Clone, Copy)]
enum Whose {
    Own,
    Free,
    /// Everybody's but one's own.
    Others,
}

/// Issues that are served, at most `limit` of each class: those that are first in the order of all are among them.
pub async fn list(tx: &mut ReadTx, ask: &Ask, issues: Issues, limit: i64) -> Result<Vec<Candidate>> {
    let (statuses, owners): (&[Option<Status>], _) = if ask.include_claimed {
        (
            &[Some(Status::Ready), Some(Status::InProgress), Some(Status::InReview), None],
            [Whose::Own, Whose::Others],
        )
    } else {
        (&[Some(Status::Ready), Some(Status::InProgress)], [Whose::Own, Whose::Free])
    };
    let updates: &[bool] = if ask.include_automated { &[false, true] } else { &[false] };
    let mut sql = tx.build("");
    let mut first = true;
    for priority in 0..=NO_PRIORITY {
        for status in statuses {
            for whose in owners {
                let class = Class { priority, stranger: !matches!(whose, Whose::Own), status: *status };
                let behind = ask.after.as_ref().map_or(Behind::All, |place| place.behind(class));
                if behind == Behind::None {
                    continue;
                }
                for automated in updates {
                    sql.push(if std::mem::take(&mut first) { "SELECT " } else { " UNION ALL SELECT " });
                    sql.push(COLUMNS).push(" FROM (SELECT ").push(COLUMNS);
                    sql.push(" FROM issues WHERE shown = TRUE AND rests = FALSE AND open_blockers = 0 AND ");
                    push_class(&mut sql, ask, class, (whose, *automated), behind);
                    sql.push(if issues == Issues::All { "" } else { concat!(" ", but_deferred!("issues")) });
                    push_order(&mut sql, whose);
                    sql.push(" LIMIT ").push_bind(limit).push(") AS class");
                }
            }
        }
    }
    if first {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Candidate::from).collect())
}

fn push_class(
    sql: &mut Builder<'_>,
    ask: &Ask,
    Class { priority, status, .. }: Class,
    (whose, automated): (Whose, bool),
    behind: Behind,
) {
    match &ask.lane {
        Some(lane) => sql.push("lane = ").push_bind(lane.as_str()),
        None => sql.push("lane_closed = FALSE"),
    };
    sql.push(if automated { " AND automated = TRUE" } else { " AND automated = FALSE" });
    sql.push(" AND priority = ").push_bind(priority);
    match status {
        Some(status) => sql.push(" AND status = ").push_bind(status),
        None => sql.push(" AND status IS NULL"),
    };
    let own = ask.agent.key();
    match whose {
        Whose::Own => sql.push(" AND agent = ").push_bind(own),
        Whose::Free => sql.push(" AND agent IS NULL"),
        Whose::Others => sql.push(" AND (agent IS NULL OR agent <> ").push_bind(own).push(")"),
    };
    if ask.exclude_decomposed {
        sql.push(" AND decomposed = FALSE");
    }
    match (behind, &ask.after) {
        (Behind::MadeAfter(at), _) => _ = sql.push(" AND created_at > ").push_bind(at),
        (Behind::Following, Some(place)) => {
            sql.push(" AND (created_at, repository_id, number) > (").push_bind(place.created_at);
            sql.push(", ").push_bind(&place.repo).push(", ").push_bind(place.number).push(")");
        }
        (Behind::All | Behind::None | Behind::Following, _) => {}
    }
}

fn push_order(sql: &mut Builder<'_>, whose: Whose) {
    sql.push(match whose {
        // The index goes on after the agent; all of these have the same one.
        Whose::Own | Whose::Free => " ORDER BY agent, created_at, repository_id, number",
        Whose::Others => " ORDER BY created_at, repository_id, number",
    });
}

#[derive(sqlx::FromRow)]
struct NamedEntry {
    id: IssueId,
    #[sqlx(flatten)]
    entry: EntryRow,
    #[sqlx(flatten)]
    linked: LinkedRow,
}

/// What lists show of these issues.
pub async fn entries(tx: &mut ReadTx, ids: &[IssueId]) -> Result<HashMap<IssueId, Entry>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = tx.build(concat!(
        "SELECT i.id, r.full_name, i.title, i.url, i.labels, i.current_lane, ",
        linked_columns!(),
        " FROM issues i JOIN repositories r ON r.id = i.repository_id AND r.tracked = TRUE
          LEFT JOIN pulls p ON p.repository_id = i.repository_id AND p.number = i.linked_pull WHERE i.id IN "
    ));
    sql.push_list(ids);
    let rows: Vec<NamedEntry> = sql.done().fetch_all().await?;
    let entry = |row: NamedEntry| (row.id, Entry { linked: row.linked.into_linked(), ..row.entry.into() });
    Ok(rows.into_iter().map(entry).collect())
}

/// One issue, served or not.
#[derive(Clone, Debug)]
pub struct Subject {
    pub candidate: Candidate,
    pub repo: RepoName,
}

#[derive(sqlx::FromRow)]
struct SubjectRow {
    #[sqlx(flatten)]
    candidate: Row,
    full_name: RepoName,
    state: IssueState,
    excluded: bool,
    removed_at: Option<Timestamp>,
    tracked: bool,
    holder: Option<AgentName>,
}

/// What the rules look at for one issue, hidden ones included.
pub async fn find(tx: &mut ReadTx, id: &IssueId) -> Result<Option<Subject>> {
    let row: Option<SubjectRow> = tx
        .query(
            "SELECT i.id, i.repository_id, i.number, i.status, i.rests, i.priority, i.agent, i.lane, i.lane_closed,
                i.automated, i.decomposed, i.open_blockers, i.created_at, r.full_name, i.state, i.excluded, i.removed_at,
                r.tracked, (SELECT c.agent_name FROM claims c WHERE c.issue_id = i.id AND c.ended_at IS NULL) AS holder
             FROM issues i JOIN repositories r ON r.id = i.repository_id WHERE i.id = $1",
        )
        .bind(id)
        .fetch_optional()
        .await?;
    Ok(row.map(|row| {
        let hidden = match (row.removed_at, row.tracked, row.state, row.excluded) {
            (Some(_), ..) => Some(Hidden::Gone),
            (_, false, ..) => Some(Hidden::Untracked),
            (_, _, IssueState::Closed, _) => Some(Hidden::Closed),
            (.., true) => Some(Hidden::Excluded),
            _ => None,
        };
        let mut candidate = Candidate::from(row.candidate);
        candidate.facts.hidden = hidden;
        candidate.facts.holder = row.holder;
        Subject { candidate, repo: row.full_name }
    }))
}

/// Issues whose pull requests are in the PR-fix queue, of those that are shown.
pub async fn list_deferred(tx: &mut ReadTx, limit: i64) -> Result<Vec<Candidate>> {
    let rows: Vec<Row> = tx
        .query(
            "SELECT i.id, i.repository_id, i.number, i.status, i.rests, i.priority, i.agent, i.lane, i.lane_closed,
                i.automated, i.decomposed, i.open_blockers, i.created_at
             FROM pr_fix_items f JOIN repositories r ON r.name_key = f.repo AND r.tracked = TRUE
             JOIN issues i ON i.repository_id = r.id AND i.number = f.issue
             WHERE f.is_open = TRUE AND f.issue IS NOT NULL AND i.shown = TRUE
             UNION
             SELECT i.id, i.repository_id, i.number, i.status, i.rests, i.priority, i.agent, i.lane, i.lane_closed,
                i.automated, i.decomposed, i.open_blockers, i.created_at
             FROM issues i JOIN repositories r ON r.id = i.repository_id AND r.tracked = TRUE
             WHERE i.linked_defers = TRUE AND i.shown = TRUE LIMIT $1",
        )
        .bind(limit)
        .fetch_all()
        .await?;
    Ok(rows.into_iter().map(Candidate::from).collect())
}

/// How many open issues wait and are worked on in a lane.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LaneCount {
    pub lane: String,
    pub queued: i64,
    pub in_progress: i64,
}

/// Open issues by lane, those of dependency updaters apart.
pub async fn count_by_lane(tx: &mut ReadTx) -> Result<Vec<LaneCount>> {
    tx.query(
        "SELECT lane, count(*) FILTER (WHERE status IS NULL OR status NOT IN ('in-progress', 'in-review')) AS queued,
            count(*) FILTER (WHERE status IN ('in-progress', 'in-review')) AS in_progress
         FROM issues WHERE shown = TRUE AND automated = FALSE GROUP BY lane ORDER BY lane",
    )
    .fetch_all()
    .await
}
