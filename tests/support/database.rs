//! A database of one's own for each test: a SQLite file, or a schema in the shared PostgreSQL.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use dispatch::store::Db;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

/// Where a test's database is.
pub enum TestDb {
    Sqlite { folder: TempDir },
    Postgres { url: String, schema: String, admin: String },
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl TestDb {
    pub async fn sqlite() -> Self {
        Self::Sqlite { folder: TempDir::new().expect("a temporary folder") }
    }

    pub async fn postgres() -> Self {
        let admin = std::env::var("DISPATCH_TEST_POSTGRES").expect(
            "DISPATCH_TEST_POSTGRES is not set: run the tests with scripts/test, which starts PostgreSQL",
        );
        let schema = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection =
            PgConnection::connect(&admin).await.expect("PostgreSQL of DISPATCH_TEST_POSTGRES");
        let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        connection.execute(sqlx::AssertSqlSafe(create)).await.expect("a schema of one's own");
        let url = format!("{admin}?options=-csearch_path%3D{schema}");
        Self::Postgres { url, schema, admin }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Another handle over the same database.
    pub async fn open(&self) -> Db {
        match self {
            Self::Sqlite { .. } => Db::open_sqlite(&self.file()).await.expect("the SQLite file"),
            Self::Postgres { url, .. } => Db::open_postgres(url).await.expect("the PostgreSQL schema"),
        }
    }

    /// `DATABASE_URL` for a child process.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { .. } => format!("sqlite://{}", self.file().display()),
            Self::Postgres { url, .. } => url.clone(),
        }
    }

    fn file(&self) -> PathBuf {
        let Self::Sqlite { folder } = self else { panic!("not a file") };
        folder.path().join("dispatch.db")
    }

    /// Runs SQL past the product, as a person with a database client would.
    pub async fn sql(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { .. } => {
                let url = format!("sqlite://{}", self.file().display());
                let mut connection = SqliteConnection::connect(&url).await.expect("the SQLite file");
                connection.execute(sql).await.expect("the statement");
                connection.close().await.expect("the end");
            }
            Self::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.expect("the PostgreSQL schema");
                connection.execute(sql).await.expect("the statement");
            }
        }
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { .. } => {
                let url = format!("sqlite://{}", self.file().display());
                let mut connection = SqliteConnection::connect(&url).await.expect("the SQLite file");
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
            }
            Self::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.expect("the PostgreSQL schema");
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a number")
            }
        }
    }

    /// The last column of each row, which must be text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { .. } => {
                let url = format!("sqlite://{}", self.file().display());
                let mut connection = SqliteConnection::connect(&url).await.expect("the SQLite file");
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("rows");
                rows.iter().map(|row| row.get(row.len() - 1)).collect()
            }
            Self::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await.expect("the PostgreSQL schema");
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("rows");
                rows.iter().map(|row| row.get(row.len() - 1)).collect()
            }
        }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Self::Postgres { schema, admin, .. } = self else { return };
        let (schema, admin) = (schema.clone(), admin.clone());
        // Dropping is synchronous, and the test's runtime may be busy ending.
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                if let Ok(mut connection) = PgConnection::connect(&admin).await {
                    let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
                    let _ = connection.execute(sqlx::AssertSqlSafe(drop)).await;
                }
            });
        });
        let _ = dropped.join();
    }
}
