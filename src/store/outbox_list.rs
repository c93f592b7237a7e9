//! The outbox as operators see it: label edits and all other writes in one list, by one kind of id.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{IssueId, IssueNumber, OutboxId},
        labels::LabelEdit,
        outbox::{Content, EntryState, EntryStates, Kind, Made},
        page::{Cursor, Page},
        repo::RepoName,
        time::Timestamp,
    },
    store::{
        ReadTx, Result, WriteTx,
        db::{Builder, Query},
    },
};

/// An entry with what it is about.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: OutboxId,
    pub repo: RepoName,
    /// Nothing is written to a repository that is not tracked.
    pub tracked: bool,
    pub issue: Option<IssueId>,
    pub number: Option<IssueNumber>,
    /// Of a pull request that it is wanted of.
    pub pull: Option<IssueNumber>,
    pub write: Write,
    pub state: EntryState,
    /// Another process or task may be sending it until then.
    pub sending_until: Option<Timestamp>,
    pub attempts: i64,
    /// It went out once, and nobody knows what came of it.
    pub unsure: bool,
    pub next_try_at: Timestamp,
    pub error: Option<String>,
    pub made: Option<Made>,
    pub actor: Option<String>,
    pub agent: Option<String>,
    pub created_at: Timestamp,
    pub settled_at: Option<Timestamp>,
}

/// What an entry wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Label(LabelEdit),
    Other(Content),
}

impl Write {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Label(_) => Kind::Label,
            Self::Other(content) => content.kind(),
        }
    }

    /// In words.
    pub fn in_words(&self) -> String {
        match self {
            Self::Label(edit) => edit.in_words(),
            Self::Other(content) => content.in_words(),
        }
    }
}

/// Which entries a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub repo: Option<RepoName>,
    pub states: Option<EntryStates>,
    pub kind: Option<Kind>,
}

#[derive(sqlx::FromRow)]
struct LabelRow {
    id: OutboxId,
    full_name: RepoName,
    tracked: bool,
    issue_id: IssueId,
    number: IssueNumber,
    label: String,
    wanted: bool,
    state: EntryState,
    sending_until: Option<Timestamp>,
    attempts: i64,
    next_try_at: Timestamp,
    error: Option<String>,
    created_at: Timestamp,
    settled_at: Option<Timestamp>,
}

impl From<LabelRow> for Entry {
    fn from(row: LabelRow) -> Self {
        Self {
            id: row.id,
            repo: row.full_name,
            tracked: row.tracked,
            issue: Some(row.issue_id),
            number: Some(row.number),
            pull: None,
            write: Write::Label(LabelEdit { label: row.label, wanted: row.wanted }),
            state: row.state,
            sending_until: row.sending_until,
            attempts: row.attempts,
            unsure: false,
            next_try_at: row.next_try_at,
            error: row.error,
            made: None,
            actor: None,
            agent: None,
            created_at: row.created_at,
            settled_at: row.settled_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct WriteRow {
    id: OutboxId,
    full_name: RepoName,
    tracked: bool,
    issue_id: Option<IssueId>,
    number: Option<IssueNumber>,
    pull: Option<IssueNumber>,
    content: Json<Content>,
    state: EntryState,
    sending_until: Option<Timestamp>,
    attempts: i64,
    unsure: bool,
    next_try_at: Timestamp,
    error: Option<String>,
    made: Option<Json<Made>>,
    actor: String,
    agent: Option<String>,
    created_at: Timestamp,
    settled_at: Option<Timestamp>,
}

impl From<WriteRow> for Entry {
    fn from(row: WriteRow) -> Self {
        Self {
            id: row.id,
            repo: row.full_name,
            tracked: row.tracked,
            issue: row.issue_id,
            number: row.number,
            pull: row.pull,
            write: match row.content.0 {
                Content::Label(edit) => Write::Label(edit),
                content => Write::Other(content),
            },
            state: row.state,
            sending_until: row.sending_until,
            attempts: row.attempts,
            unsure: row.unsure,
            next_try_at: row.next_try_at,
            error: row.error,
            made: row.made.map(|made| made.0),
            actor: Some(row.actor),
            agent: row.agent,
            created_at: row.created_at,
            settled_at: row.settled_at,
        }
    }
}

const LABELS: &str = "SELECT o.id, r.full_name, r.tracked, o.issue_id, i.number, o.label, o.wanted, o.state,
    o.sending_until, o.attempts, o.next_try_at, o.error, o.created_at, o.settled_at
    FROM label_edits o JOIN issues i ON i.id = o.issue_id JOIN repositories r ON r.id = i.repository_id";
const WRITES: &str = "SELECT o.id, r.full_name, r.tracked, o.issue_id, i.number, o.pull, o.content, o.state,
    o.sending_until, o.attempts, o.unsure_since IS NOT NULL OR o.tried_at IS NOT NULL AS unsure, o.next_try_at, o.error,
    o.made, o.actor, o.agent, o.created_at, o.settled_at
    FROM outbox o JOIN repositories r ON r.id = o.repository_id LEFT JOIN issues i ON i.id = o.issue_id";

/// Entries, oldest first.
pub async fn list(
    tx: &mut ReadTx,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    if filter.kind.is_none_or(|kind| kind == Kind::Label) {
        let rows: Vec<LabelRow> = narrowed(tx.build(LABELS), filter, None, after, limit).fetch_all().await?;
        entries.extend(rows.into_iter().map(Entry::from));
    }
    // Labels of pull requests are here, too.
    let rows: Vec<WriteRow> =
        narrowed(tx.build(WRITES), filter, filter.kind, after, limit).fetch_all().await?;
    entries.extend(rows.into_iter().map(Entry::from));
    entries.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
    Ok(Page::cut(entries, limit, |entry| Cursor { at: entry.created_at, id: entry.id.0.clone() }))
}

fn narrowed<'t>(
    mut sql: Builder<'t>,
    filter: &Filter,
    kind: Option<Kind>,
    after: Option<&Cursor>,
    limit: i64,
) -> Query<'t> {
    sql.push(" WHERE o.id IS NOT NULL");
    if let Some(repo) = &filter.repo {
        sql.push(" AND r.id = COALESCE((SELECT id FROM repositories WHERE name_key = ").push_bind(repo.key());
        sql.push("), (SELECT repository_id FROM repository_aliases WHERE name_key = ").push_bind(repo.key());
        sql.push("))");
    }
    if let Some(states) = &filter.states {
        // No parameters: an index of some states serves those who ask for these.
        sql.push(" AND o.state IN (");
        for (n, state) in states.list().enumerate() {
            sql.push(if n == 0 { "'" } else { ", '" }).push(state.word()).push("'");
        }
        sql.push(")");
    }
    if let Some(kind) = kind {
        sql.push(" AND o.kind = ").push_bind(kind);
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (o.created_at, o.id) > (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY o.created_at, o.id LIMIT ").push_bind(limit + 1);
    sql.done()
}

/// One entry, whatever it is.
pub async fn find(tx: &mut ReadTx, id: &OutboxId) -> Result<Option<Entry>> {
    let mut sql = tx.build(WRITES);
    sql.push(" WHERE o.id = ").push_bind(id);
    let row: Option<WriteRow> = sql.done().fetch_optional().await?;
    if let Some(row) = row {
        return Ok(Some(row.into()));
    }
    let mut sql = tx.build(LABELS);
    sql.push(" WHERE o.id = ").push_bind(id);
    let row: Option<LabelRow> = sql.done().fetch_optional().await?;
    Ok(row.map(Entry::from))
}

/// An operator's word on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Due now, with new attempts.
    Retry,
    /// Never to be sent.
    Discard,
}

/// Does as the operator says with an entry that is pending or parked and that no living process sends; false for
/// others.
pub async fn operate(tx: &mut WriteTx, entry: &Entry, word: Word, now: Timestamp) -> Result<bool> {
    let mut sql = tx.build(match (&entry.write, entry.pull) {
        (Write::Label(_), None) => "UPDATE label_edits SET ",
        _ => "UPDATE outbox SET ",
    });
    match word {
        Word::Retry => {
            sql.push("state = 'pending', attempts = 0, next_try_at = ").push_bind(now);
        }
        Word::Discard => {
            sql.push("state = 'discarded', settled_at = ").push_bind(now);
        }
    }
    sql.push(", sending_until = NULL WHERE id = ").push_bind(&entry.id);
    sql.push(" AND state IN ('pending', 'parked') AND (sending_until IS NULL OR sending_until <= ");
    sql.push_bind(now).push(" OR NOT EXISTS (SELECT 1 FROM instances x WHERE x.id = sender))");
    Ok(sql.done().execute().await? == 1)
}
