//! Looking at a database without changing it, for `dispatch doctor`: nothing is made, migrated or written.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

pub use super::fault::Fault;
use super::{
    ReadTx, Result,
    db::{Db, Dialect, Pools},
    migrate,
};
use crate::domain::{repo::RepoName, time::Timestamp};

/// How long each step may take: a host that does not answer must not hold anybody up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long SQLite waits for another writer.
const BUSY: Duration = Duration::from_secs(2);

/// How the tables stand to what this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// None yet.
    None,
    /// Only some that are not Dispatch's.
    Foreign,
    /// So many migrations are still to come; none for zero.
    Behind { by: usize },
    /// So many migrations were made by a newer Dispatch.
    Ahead { by: usize },
    /// A migration broke off, or is not the one of that number here.
    Broken,
}

/// What PostgreSQL says of itself and of our rights.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Postgres {
    /// 140005 for 14.5.
    pub version: i64,
    pub is_standby: bool,
    pub is_read_only: bool,
    /// Where tables are made; none when the search path leads nowhere.
    pub schema: Option<String>,
    pub may_create: bool,
}

impl Db {
    /// Opens a SQLite file as it is.
    pub async fn examine_sqlite(file: &Path) -> std::result::Result<Self, Fault> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        // One by itself first: a pool would wait and try again.
        patiently(options.connect()).await?.close().await?;
        let pool = || SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let writer = pool().connect_lazy_with(options.clone());
        Ok(Self::new(Pools::Sqlite { writer, readers: pool().connect_lazy_with(options) }))
    }

    /// Connects to PostgreSQL as it is.
    pub async fn examine_postgres(url: &str) -> std::result::Result<Self, Fault> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| Fault::Address)?
            .application_name("dispatch doctor")
            .disable_statement_logging();
        patiently(options.connect()).await?.close().await?;
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        Ok(Self::new(Pools::Postgres(pool.connect_lazy_with(options))))
    }
}

/// Waits for a step of an examination, but not for ever. Only here may a database call be cut off: its connection
/// is used for nothing else afterwards.
pub async fn patiently<T>(step: impl Future<Output = Result<T>>) -> std::result::Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, step).await {
        Ok(outcome) => outcome.map_err(|error| Fault::of(&error)),
        Err(_) => Err(Fault::TimedOut),
    }
}

/// How far the tables are.
pub async fn tables(tx: &mut ReadTx) -> Result<Tables> {
    let (known, list) = match tx.dialect() {
        Dialect::Sqlite => (
            &migrate::SQLITE,
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        ),
        Dialect::Postgres => {
            (&migrate::POSTGRES, "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
        }
    };
    let names: Vec<(String,)> = tx.query(list).fetch_all().await?;
    if !names.iter().any(|(name,)| name == "_sqlx_migrations") {
        return Ok(if names.is_empty() { Tables::None } else { Tables::Foreign });
    }
    let made = tx.query("SELECT version, checksum, success FROM _sqlx_migrations").fetch_all().await?;
    Ok(compare(known, &made))
}

fn compare(known: &Migrator, made: &[(i64, Vec<u8>, bool)]) -> Tables {
    let find = |version| known.iter().find(|migration| migration.version == version);
    let ahead = made.iter().filter(|(version, ..)| find(*version).is_none()).count();
    if ahead > 0 {
        return Tables::Ahead { by: ahead };
    }
    let is_broken = made.iter().any(|(version, checksum, success)| {
        !success || find(*version).is_some_and(|migration| migration.checksum != checksum.as_slice())
    });
    if is_broken {
        return Tables::Broken;
    }
    Tables::Behind { by: known.iter().count().saturating_sub(made.len()) }
}

/// Tries to write, and takes it back; `has_tables` when there are tables to try on. No row is ever touched.
pub async fn try_write(db: &Db, has_tables: bool) -> Result<()> {
    let mut tx = db.write().await?;
    if has_tables {
        tx.query(
            "INSERT INTO instances (id, started_at, expires_at)
             SELECT id, started_at, expires_at FROM instances WHERE 1 = 0",
        )
        .execute()
        .await?;
        tx.query("UPDATE runs SET status = status WHERE 1 = 0").execute().await?;
        tx.query("DELETE FROM issues WHERE 1 = 0").execute().await?;
    }
    tx.rollback().await
}

/// What PostgreSQL says of itself.
pub async fn postgres(tx: &mut ReadTx) -> Result<Postgres> {
    tx.query(
        "SELECT current_setting('server_version_num')::bigint AS version,
                pg_is_in_recovery() AS is_standby,
                current_setting('transaction_read_only') = 'on' AS is_read_only,
                current_schema()::text AS schema,
                coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS may_create",
    )
    .fetch_one()
    .await
}

/// What PostgreSQL's clock shows; the one place where its time is asked for.
pub async fn postgres_time(tx: &mut ReadTx) -> Result<Timestamp> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let (now,): (Timestamp,) = tx.query(sql).fetch_one().await?;
    Ok(now)
}

/// The names of the tracked repositories; in the form that every version of the tables has.
pub async fn tracked(tx: &mut ReadTx) -> Result<Vec<RepoName>> {
    let sql = "SELECT full_name FROM repositories WHERE tracked = TRUE ORDER BY name_key";
    let rows: Vec<(RepoName,)> = tx.query(sql).fetch_all().await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_compared_with_what_is_known() {
        let known = &migrate::SQLITE;
        let all: Vec<_> = known.iter().map(|it| (it.version, it.checksum.to_vec(), true)).collect();
        let with = |version, checksum: &[u8], success| {
            let mut made = all.clone();
            made.retain(|(known, ..)| *known != version);
            made.push((version, checksum.to_vec(), success));
            made
        };
        let first = all[0].clone();
        let cases = [
            (all.clone(), Tables::Behind { by: 0 }),
            (all[..1].to_vec(), Tables::Behind { by: all.len() - 1 }),
            (with(9_999, b"x", true), Tables::Ahead { by: 1 }),
            (with(first.0, b"x", true), Tables::Broken),
            (with(first.0, &first.1, false), Tables::Broken),
        ];
        for (made, want) in cases {
            assert_eq!(compare(known, &made), want, "{made:?}");
        }
    }
}
