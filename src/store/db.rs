//! One handle over the two databases; the one file that names both drivers.
//!
//! A query is written once, in SQL that both accept, with `$1` placeholders in order. The few places
//! where they differ ask [`ReadTx::dialect`].

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sqlx::{
    Arguments, AssertSqlSafe, Encode, FromRow, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction,
    Type,
    pool::PoolConnection,
    postgres::{PgArguments, PgPool, PgRow},
    sqlite::{SqliteArguments, SqlitePool, SqliteRow},
};

use super::changes::{Feed, Told, written_table};
use crate::{
    domain::event::Change,
    metrics::{self, Access, Step, Stopwatch},
};

/// What goes wrong with a database.
pub type Error = sqlx::Error;
/// The result of a statement.
pub type Result<T> = std::result::Result<T, Error>;

/// A value that both drivers can bind.
pub trait Param<'q>: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres> {}
impl<'q, T> Param<'q> for T where T: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres> {}

/// A row that both drivers can fill; `#[derive(sqlx::FromRow)]` is enough.
pub trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// The pools of one database.
#[derive(Clone)]
pub(super) enum Pools {
    /// SQLite allows one writer: a pool of one makes writers queue instead of fail.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

/// The database. Clones share its connections.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    meter: Arc<Meter>,
    changes: Arc<AtomicU64>,
    feed: Arc<Feed>,
}

/// What is counted and timed of all sessions.
#[derive(Default)]
struct Meter {
    statements: AtomicU64,
    times: metrics::Database,
}

/// Which of the two databases it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Db {
    pub(super) fn new(pools: Pools) -> Self {
        let feed = Feed::new(matches!(pools, Pools::Postgres(_)));
        Self { pools, meter: Arc::default(), changes: Arc::default(), feed: Arc::new(feed) }
    }

    /// How long sessions and their statements take.
    pub fn times(&self) -> &metrics::Database {
        &self.meter.times
    }

    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// A snapshot for several reads that must agree.
    pub async fn read(&self) -> Result<ReadTx> {
        let watch = Stopwatch::start();
        let session = match &self.pools {
            Pools::Sqlite { readers, .. } => Session::Sqlite(readers.begin().await?),
            Pools::Postgres(pool) => {
                Session::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?)
            }
        };
        Ok(self.tx(session, Access::Read, watch))
    }

    /// A connection for one single read: no BEGIN, no COMMIT.
    pub async fn read_once(&self) -> Result<ReadTx> {
        let watch = Stopwatch::start();
        let session = match &self.pools {
            Pools::Sqlite { readers, .. } => Session::SqliteOnce(readers.acquire().await?),
            Pools::Postgres(pool) => Session::PostgresOnce(pool.acquire().await?),
        };
        Ok(self.tx(session, Access::Read, watch))
    }

    /// A transaction that may write; it rolls back unless it is committed.
    pub async fn write(&self) -> Result<WriteTx> {
        let watch = Stopwatch::start();
        let session = match &self.pools {
            // IMMEDIATE takes the write lock up front: a deferred transaction that reads and then writes
            // fails with SQLITE_BUSY, which busy_timeout does not retry.
            Pools::Sqlite { writer, .. } => Session::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => Session::Postgres(pool.begin().await?),
        };
        Ok(WriteTx(self.tx(session, Access::Write, watch)))
    }

    /// Statements sent so far, BEGIN and COMMIT apart; tests assert on differences.
    pub fn statements(&self) -> u64 {
        self.meter.statements.load(Ordering::Relaxed)
    }

    /// How often anything was committed that the queue may depend on. While it stays the same, so do its answers.
    /// Only an embedded database can tell: of another, other processes may write too.
    pub fn changes(&self) -> Option<u64> {
        match self.pools {
            Pools::Sqlite { .. } => Some(self.changes.load(Ordering::Acquire)),
            Pools::Postgres(_) => None,
        }
    }

    /// What was committed, for those who listen.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Waits for the connections in use and closes all.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    fn tx(&self, session: Session, access: Access, watch: Stopwatch) -> ReadTx {
        self.meter.times.took(access, Step::Begin, watch.elapsed());
        let (meter, changes) = (Arc::clone(&self.meter), Arc::clone(&self.changes));
        let feed = Arc::clone(&self.feed);
        ReadTx { session, access, meter, changes, has_changed: false, feed, told: Told::default() }
    }
}

enum Session {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
    SqliteOnce(PoolConnection<Sqlite>),
    PostgresOnce(PoolConnection<Postgres>),
}

/// A session that only reads.
pub struct ReadTx {
    session: Session,
    access: Access,
    meter: Arc<Meter>,
    changes: Arc<AtomicU64>,
    /// It wrote something that the queue may depend on.
    has_changed: bool,
    feed: Arc<Feed>,
    told: Told,
}

/// A transaction that may write. It also reads, and rolls back unless [`WriteTx::commit`] is called.
pub struct WriteTx(ReadTx);

impl Deref for WriteTx {
    type Target = ReadTx;

    fn deref(&self) -> &ReadTx {
        &self.0
    }
}

impl DerefMut for WriteTx {
    fn deref_mut(&mut self) -> &mut ReadTx {
        &mut self.0
    }
}

impl WriteTx {
    /// Takes everything back; dropping does the same, later.
    pub async fn rollback(self) -> Result<()> {
        match self.0.session {
            Session::Sqlite(tx) => tx.rollback().await,
            Session::Postgres(tx) => tx.rollback().await,
            Session::SqliteOnce(_) | Session::PostgresOnce(_) => Ok(()),
        }
    }

    pub async fn commit(self) -> Result<()> {
        let ReadTx { session, access, meter, changes, has_changed, feed, told } = self.0;
        let watch = Stopwatch::start();
        let committed = match session {
            Session::Sqlite(tx) => tx.commit().await,
            Session::Postgres(tx) => tx.commit().await,
            // `Db::write` never makes these.
            Session::SqliteOnce(_) | Session::PostgresOnce(_) => Ok(()),
        };
        // Also after an error: it may have come through.
        if has_changed {
            changes.fetch_add(1, Ordering::Release);
        }
        feed.tell(told.into_changes());
        meter.times.took(access, Step::Commit, watch.elapsed());
        committed
    }
}

impl ReadTx {
    pub fn dialect(&self) -> Dialect {
        match self.session {
            Session::Sqlite(_) | Session::SqliteOnce(_) => Dialect::Sqlite,
            Session::Postgres(_) | Session::PostgresOnce(_) => Dialect::Postgres,
        }
    }

    /// A statement with `$n` placeholders.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        self.statement(sql.to_owned(), true)
    }

    /// A statement that grows: placeholders come from [`Builder::push_bind`], never from the text.
    pub fn build(&mut self, sql: &'static str) -> Builder<'_> {
        // Each length is a new statement: caching them would only push the others out.
        Builder(self.statement(sql.to_owned(), false))
    }

    fn statement(&mut self, sql: String, persistent: bool) -> Query<'_> {
        self.has_changed |= may_move_the_queue(&sql);
        let target = match &mut self.session {
            Session::Sqlite(tx) => Target::Sqlite(tx, SqliteArguments::default()),
            Session::SqliteOnce(conn) => Target::Sqlite(conn, SqliteArguments::default()),
            Session::Postgres(tx) => Target::Postgres(tx, PgArguments::default()),
            Session::PostgresOnce(conn) => Target::Postgres(conn, PgArguments::default()),
        };
        let news = News { told: &mut self.told, about: None };
        Query { sql, persistent, target, fault: None, access: self.access, meter: &self.meter, news }
    }
}

/// Tables that no answer of the queue depends on, and that heartbeats write. Every other one counts, a new one too.
const BESIDE_THE_QUEUE: [&str; 12] = [
    "runs",
    "reads",
    "idempotency_keys",
    "instances",
    "sync_state",
    "audit_log",
    "agents",
    "tokens",
    "leases",
    "sessions",
    "login_links",
    "webhook_deliveries",
];

/// Does a statement write where the queue may look?
fn may_move_the_queue(sql: &str) -> bool {
    written_table(sql).is_ok_and(|table| !table.is_some_and(|table| BESIDE_THE_QUEUE.contains(&table)))
}

/// One statement with its values.
pub struct Query<'t> {
    sql: String,
    persistent: bool,
    target: Target<'t>,
    fault: Option<Error>,
    access: Access,
    meter: &'t Meter,
    news: News<'t>,
}

/// What a statement tells of the rows that it writes.
struct News<'t> {
    told: &'t mut Told,
    about: Option<Vec<Change>>,
}

enum Target<'t> {
    Sqlite(&'t mut SqliteConnection, SqliteArguments),
    Postgres(&'t mut PgConnection, PgArguments),
}

/// Runs one sqlx call on whichever connection the statement has.
macro_rules! on_either {
    ($query:expr, $make:path, |$call:ident, $conn:ident| $run:expr, |$rows:ident| $count:expr) => {{
        let Query { sql, persistent, target, fault, access, meter, news } = $query;
        if let Some(fault) = fault {
            return Err(fault);
        }
        meter.statements.fetch_add(1, Ordering::Relaxed);
        let watch = Stopwatch::start();
        let table = written_table(&sql).map(|table| table.map(str::to_owned));
        let sql = AssertSqlSafe(sql);
        let outcome = match target {
            Target::Sqlite($conn, args) => {
                let $call = $make(sql, args).persistent(persistent);
                $run
            }
            Target::Postgres($conn, args) => {
                let $call = $make(sql, args).persistent(persistent);
                $run
            }
        };
        meter.times.took(access, Step::Statement, watch.elapsed());
        if let (Ok($rows), Ok(table)) = (&outcome, table)
            && $count
        {
            news.told.wrote(table.as_deref(), news.about);
        }
        outcome
    }};
}

impl Query<'_> {
    pub fn bind<'q>(mut self, value: impl Param<'q>) -> Self {
        self.add(value);
        self
    }

    /// What those who listen are told if it writes anything; else they are told what its table means.
    pub fn about(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.news.about = Some(changes.into_iter().collect());
        self
    }

    /// What it writes shows nowhere.
    pub fn unheard(self) -> Self {
        self.about([])
    }

    /// Runs it and returns how many rows it wrote.
    pub async fn execute(self) -> Result<u64> {
        on_either!(
            self,
            sqlx::query_with,
            |call, conn| call.execute(conn).await.map(|done| done.rows_affected()),
            |rows| *rows > 0
        )
    }

    pub async fn fetch_all<T: Record>(self) -> Result<Vec<T>> {
        on_either!(self, sqlx::query_as_with, |call, conn| call.fetch_all(conn).await, |rows| !rows
            .is_empty())
    }

    pub async fn fetch_optional<T: Record>(self) -> Result<Option<T>> {
        on_either!(self, sqlx::query_as_with, |call, conn| call.fetch_optional(conn).await, |row| row
            .is_some())
    }

    pub async fn fetch_one<T: Record>(self) -> Result<T> {
        on_either!(self, sqlx::query_as_with, |call, conn| call.fetch_one(conn).await, |_row| true)
    }

    /// Adds an argument and returns its number.
    fn add<'q>(&mut self, value: impl Param<'q>) -> usize {
        let (added, count) = match &mut self.target {
            Target::Sqlite(_, args) => (args.add(value), args.len()),
            Target::Postgres(_, args) => (args.add(value), args.len()),
        };
        if let Err(fault) = added {
            self.fault.get_or_insert(Error::Encode(fault));
        }
        count
    }
}

/// A statement under construction.
pub struct Builder<'t>(Query<'t>);

impl<'t> Builder<'t> {
    /// Appends SQL text; `'static` keeps user input out.
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.0.sql.push_str(sql);
        self
    }

    /// Appends a placeholder and its value.
    pub fn push_bind<'q>(&mut self, value: impl Param<'q>) -> &mut Self {
        let n = self.0.add(value);
        match self.0.target {
            // SQLite looks `$n` up by name, which is quadratic in a long VALUES list.
            Target::Sqlite(..) => self.0.sql.push('?'),
            Target::Postgres(..) => {
                self.0.sql.push('$');
                self.0.sql.push_str(&n.to_string());
            }
        }
        self
    }

    /// Appends `(v1, v2, …)` for an IN list; an empty list admits nothing.
    pub fn push_list<'q, T: Param<'q>>(&mut self, values: impl IntoIterator<Item = T>) -> &mut Self {
        self.push("(");
        let mut first = true;
        for value in values {
            if !std::mem::take(&mut first) {
                self.push(", ");
            }
            self.push_bind(value);
        }
        self.push(if first { "NULL)" } else { ")" })
    }

    pub fn done(self) -> Query<'t> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_queue_may_depend_on_is_told_from_the_rest() {
        for (sql, want) in [
            ("SELECT 1 FROM issues", false),
            ("\n  SELECT id FROM issues", false),
            ("INSERT INTO runs (id) VALUES ($1)", false),
            ("UPDATE sync_state SET etag = $1", false),
            ("DELETE FROM reads WHERE id = $1", false),
            ("UPDATE issues SET title = $1", true),
            ("\n UPDATE claims SET a = 1", true),
            ("INSERT INTO runs_of_another_kind (id) VALUES ($1)", true),
            ("DELETE FROM what_nobody_knows", true),
            ("MERGE INTO runs", true),
        ] {
            assert_eq!(may_move_the_queue(sql), want, "{sql}");
        }
    }
}
