//! The board: a page of cards for each column, and how many there are, by the indexes made for it.

use sqlx::types::Json;

use crate::{
    domain::{
        claim::Terms,
        ids::{AgentName, IssueId, IssueNumber, RepoId},
        issue::IssueState,
        labels::Status,
        repo::RepoName,
        time::Timestamp,
    },
    store::{
        ReadTx, Result,
        db::{Builder, Dialect},
    },
};

/// Which cards are shown; names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub repo: Option<RepoId>,
    pub lane: Option<String>,
    pub agent: Option<String>,
    /// Labels that must be there, whole.
    pub labels: Vec<String>,
    pub priority: Option<i64>,
    /// Somewhere in the title.
    pub text: Option<String>,
    /// Closed issues stay from then on.
    pub done_since: Timestamp,
}

impl Filter {
    /// All cards.
    pub const fn all(done_since: Timestamp) -> Self {
        Self {
            repo: None,
            lane: None,
            agent: None,
            labels: Vec::new(),
            priority: None,
            text: None,
            done_since,
        }
    }
}

/// Where a page of a column begins: behind this card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Counts where open cards stand.
    pub priority: i64,
    /// Its creation; of what is done, its last change.
    pub at: Timestamp,
    pub id: IssueId,
}

/// An issue as the board shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub id: IssueId,
    pub repo: RepoName,
    pub number: IssueNumber,
    pub title: String,
    pub state: IssueState,
    /// Its column.
    pub status: Status,
    pub priority: i64,
    /// The key of its lane.
    pub lane: String,
    /// The key of the agent that it is for.
    pub agent: Option<String>,
    pub labels: Vec<String>,
    pub open_blockers: i64,
    pub decomposed: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub claim: Option<CardClaim>,
    /// The pull request of it that needs another attempt: its number and what for.
    pub pr_fix: Option<(IssueNumber, String)>,
    /// The open pull request that is about it.
    pub pull: Option<CardPull>,
    pub sending: Sending,
}

/// How a pull request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardPull {
    pub number: IssueNumber,
    /// Its page at GitHub.
    pub url: String,
    /// Somebody has to look at it again.
    pub needs_followup: bool,
    pub failing_checks: i64,
}

/// A part of a column; `next` is absent on the last.
#[derive(Clone, Debug)]
pub struct Part {
    pub cards: Vec<Card>,
    pub next: Option<Behind>,
}

/// Who holds an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardClaim {
    pub holder: AgentName,
    pub terms: Terms,
    pub expires_at: Timestamp,
    pub pr_url: Option<String>,
}

/// Whether GitHub has all that was wished for an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    Done,
    Waits,
    /// GitHub refuses it.
    Parked,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: IssueId,
    full_name: RepoName,
    number: IssueNumber,
    title: String,
    state: IssueState,
    status: Option<Status>,
    priority: i64,
    lane: String,
    agent: Option<String>,
    labels: Json<Vec<String>>,
    open_blockers: i64,
    decomposed: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    holder: Option<AgentName>,
    terms: Option<Terms>,
    expires_at: Option<Timestamp>,
    pr_url: Option<String>,
    fix_pr: Option<IssueNumber>,
    fix_kind: Option<String>,
    linked: Option<IssueNumber>,
    linked_url: Option<String>,
    needs_followup: Option<bool>,
    failing_checks: Option<i64>,
    waits: bool,
    parked: bool,
}

impl From<Row> for Card {
    fn from(row: Row) -> Self {
        let claim = match (row.holder, row.terms, row.expires_at) {
            (Some(holder), Some(terms), Some(expires_at)) => {
                Some(CardClaim { holder, terms, expires_at, pr_url: row.pr_url })
            }
            _ => None,
        };
        Self {
            id: row.id,
            repo: row.full_name,
            number: row.number,
            title: row.title,
            state: row.state,
            status: row.status.unwrap_or(Status::Backlog),
            priority: row.priority,
            lane: row.lane,
            agent: row.agent,
            labels: row.labels.0,
            open_blockers: row.open_blockers,
            decomposed: row.decomposed,
            created_at: row.created_at,
            updated_at: row.updated_at,
            claim,
            pr_fix: row.fix_pr.zip(row.fix_kind),
            pull: row.linked.map(|number| CardPull {
                number,
                url: row.linked_url.unwrap_or_default(),
                needs_followup: row.needs_followup.unwrap_or(false),
                failing_checks: row.failing_checks.unwrap_or(0),
            }),
            sending: match (row.parked, row.waits) {
                (true, _) => Sending::Parked,
                (false, true) => Sending::Waits,
                (false, false) => Sending::Done,
            },
        }
    }
}

impl Card {
    /// Where the next page of its column begins, if it is the last of this one.
    pub fn place(&self) -> Behind {
        let at = if self.status == Status::Done { self.updated_at } else { self.created_at };
        Behind { priority: self.priority, at, id: self.id.clone() }
    }
}

const CARD: &str =
    "SELECT i.id, r.full_name, i.number, i.title, i.state, i.status, i.priority, i.lane, i.agent, i.labels,
        i.open_blockers, i.decomposed, i.created_at, i.updated_at,
        c.agent_name AS holder, c.terms, c.expires_at, c.pr_url, f.pr AS fix_pr, f.kind AS fix_kind,
        u.number AS linked, u.url AS linked_url, u.needs_followup, u.failing_checks,
        (EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = i.id AND e.state = 'pending')
            OR EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = i.id AND o.state = 'pending')) AS waits,
        (EXISTS (SELECT 1 FROM label_edits e WHERE e.issue_id = i.id AND e.state = 'parked')
            OR EXISTS (SELECT 1 FROM outbox o WHERE o.issue_id = i.id AND o.state = 'parked')) AS parked
    FROM issues i JOIN repositories r ON r.id = i.repository_id
    LEFT JOIN claims c ON c.issue_id = i.id AND c.ended_at IS NULL
    LEFT JOIN pulls u ON u.repository_id = i.repository_id AND u.number = i.linked_pull AND u.state = 'open'
    LEFT JOIN pr_fix_items f ON f.id = (SELECT min(p.id) FROM pr_fix_items p
        WHERE p.repo = r.name_key AND p.issue = i.number AND p.is_open = TRUE)";

/// What stands in the column of the open ones; the words of its index.
const OPEN: &str = " WHERE i.shown = TRUE AND COALESCE(i.status, 'backlog') = ";
/// What stands in the column of what is done; the words of its index.
const DONE: &str =
    " WHERE i.status = 'done' AND i.removed_at IS NULL AND i.excluded = FALSE AND r.tracked = TRUE
        AND (i.state = 'open' OR i.closed_at >= ";

/// A page of a column.
pub async fn list(
    tx: &mut ReadTx,
    filter: &Filter,
    column: Status,
    behind: Option<&Behind>,
    limit: i64,
) -> Result<Part> {
    let dialect = tx.dialect();
    let mut sql = tx.build(CARD);
    if column == Status::Done {
        sql.push(DONE).push_bind(filter.done_since).push(")");
        narrow(&mut sql, dialect, filter);
        if let Some(Behind { at, id, .. }) = behind {
            sql.push(" AND (i.updated_at, i.id) < (").push_bind(*at).push(", ").push_bind(id).push(")");
        }
        sql.push(" ORDER BY i.updated_at DESC, i.id DESC LIMIT ").push_bind(limit + 1);
    } else {
        sql.push(OPEN).push_bind(column.word());
        narrow(&mut sql, dialect, filter);
        if let Some(Behind { priority, at, id }) = behind {
            sql.push(" AND (i.priority, i.created_at, i.id) > (").push_bind(*priority);
            sql.push(", ").push_bind(*at).push(", ").push_bind(id).push(")");
        }
        sql.push(" ORDER BY i.priority, i.created_at, i.id LIMIT ").push_bind(limit + 1);
    }
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    let mut cards: Vec<Card> = rows.into_iter().map(Card::from).collect();
    let limit = usize::try_from(limit).unwrap_or(0);
    let has_more = cards.len() > limit;
    cards.truncate(limit);
    let next = if has_more { cards.last().map(Card::place) } else { None };
    Ok(Part { cards, next })
}

/// The cards of these issues, as far as the filter shows them.
pub async fn list_by_id(tx: &mut ReadTx, filter: &Filter, ids: &[IssueId]) -> Result<Vec<Card>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let dialect = tx.dialect();
    let mut sql = tx.build(CARD);
    sql.push(" WHERE i.id IN ").push_list(ids);
    sql.push(
        " AND i.removed_at IS NULL AND i.excluded = FALSE AND r.tracked = TRUE AND (i.state = 'open' OR i.closed_at >= ",
    );
    sql.push_bind(filter.done_since).push(")");
    narrow(&mut sql, dialect, filter);
    let rows: Vec<Row> = sql.done().fetch_all().await?;
    Ok(rows.into_iter().map(Card::from).collect())
}

/// How many cards each column has.
pub async fn count(tx: &mut ReadTx, filter: &Filter) -> Result<Vec<(Status, i64)>> {
    let dialect = tx.dialect();
    let mut sql = tx.build(
        "SELECT COALESCE(i.status, 'backlog') AS place, count(*) FROM issues i
         WHERE i.shown = TRUE AND COALESCE(i.status, 'backlog') IN
            ('backlog', 'ready', 'in-progress', 'in-review', 'blocked')",
    );
    narrow(&mut sql, dialect, filter);
    sql.push(" GROUP BY COALESCE(i.status, 'backlog')");
    let mut counts: Vec<(Status, i64)> = sql.done().fetch_all().await?;
    let mut sql = tx.build("SELECT count(*) FROM issues i JOIN repositories r ON r.id = i.repository_id");
    sql.push(DONE).push_bind(filter.done_since).push(")");
    narrow(&mut sql, dialect, filter);
    let (done,): (i64,) = sql.done().fetch_one().await?;
    counts.push((Status::Done, done));
    Ok(counts)
}

fn narrow(sql: &mut Builder<'_>, dialect: Dialect, filter: &Filter) {
    let Filter { repo, lane, agent, labels, priority, text, .. } = filter;
    if let Some(repo) = repo {
        sql.push(" AND i.repository_id = ").push_bind(repo);
    }
    if let Some(lane) = lane {
        sql.push(" AND i.lane = ").push_bind(lane.as_str());
    }
    if let Some(agent) = agent {
        sql.push(" AND i.agent = ").push_bind(agent.as_str());
    }
    if let Some(priority) = priority {
        sql.push(" AND i.priority = ").push_bind(*priority);
    }
    let (before, after) = match dialect {
        Dialect::Postgres => (" AND i.label_keys @> jsonb_build_array(", "::text)"),
        Dialect::Sqlite => (" AND EXISTS (SELECT 1 FROM json_each(i.label_keys) WHERE value = ", ")"),
    };
    for label in labels {
        sql.push(before).push_bind(label.as_str()).push(after);
    }
    if let Some(text) = text {
        // Both by the database: what it takes for a capital is not what Rust does.
        sql.push(" AND lower(i.title) LIKE lower(").push_bind(pattern(text)).push(") ESCAPE '!'");
    }
}

/// The text anywhere, with its own marks taken literally.
fn pattern(text: &str) -> String {
    let literal = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{literal}%")
}
