//! Opening a database: pools, pragmas, and the migrations that stand in the binary.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::db::{Db, Error, Pools};

/// Connections to PostgreSQL; its default limit is 100 for all clients together.
const POSTGRES_CONNECTIONS: u32 = 20;
/// Readers of SQLite beside its one writer.
const SQLITE_READERS: u32 = 4;
/// How long a statement waits for a connection before the caller hears of it: long enough for a thousand
/// heartbeats at once to queue behind one writer on a slow disk.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// What brings a database up to date.
pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the database address cannot be read: {0}; write sqlite:///path/to/dispatch.db or postgres://user:password@host/name"
    )]
    Address(String),
    #[error(
        "the database cannot be reached or opened: {0}; check the address, the file's directory and its permissions"
    )]
    Connect(#[source] Error),
    #[error("the database was written by a newer Dispatch: {0}; start that version, or restore a backup")]
    Newer(#[source] MigrateError),
    #[error(
        "the database could not be brought up to date: {0}; nothing was changed half, start again after mending the cause"
    )]
    Migrate(#[source] MigrateError),
}

impl Db {
    /// Opens (and, for SQLite, creates) the SQLite file and brings it up to date.
    pub async fn open_sqlite(file: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            // A file does not hang up: asking a connection whether it lives would only cost its thread a turn.
            .test_before_acquire(false)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(OpenError::Connect)?;
        SQLITE.run(&writer).await.map_err(migrate_error)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .test_before_acquire(false)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.read_only(true))
            .await
            .map_err(OpenError::Connect)?;
        Ok(Self::new(Pools::Sqlite { writer, readers }))
    }

    /// Connects to PostgreSQL (14 or later) and brings it up to date under its advisory lock.
    pub async fn open_postgres(url: &str) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)
            // The driver's message may repeat the address, password included.
            .map_err(|_| OpenError::Address("it is not a PostgreSQL address".to_owned()))?
            .application_name("dispatch")
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(OpenError::Connect)?;
        POSTGRES.run(&pool).await.map_err(migrate_error)?;
        Ok(Self::new(Pools::Postgres(pool)))
    }

    /// Does the database answer?
    pub async fn ping(&self) -> Result<(), Error> {
        match self.pools() {
            Pools::Sqlite { readers, .. } => sqlx::query("SELECT 1").execute(readers).await.map(drop),
            Pools::Postgres(pool) => sqlx::query("SELECT 1").execute(pool).await.map(drop),
        }
    }
}

fn migrate_error(error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => OpenError::Newer(error),
        other => OpenError::Migrate(other),
    }
}
