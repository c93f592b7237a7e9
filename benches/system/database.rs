//! A database of its own for each case.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{bench::Bench, options::Backend};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Where the data of a server is.
pub enum Database {
    /// In the data directory.
    Sqlite,
    Postgres {
        address: String,
        name: String,
    },
}

impl Database {
    /// An empty one.
    pub async fn create(bench: &Bench, backend: Backend) -> Result<Self> {
        match backend {
            Backend::Sqlite => Ok(Self::Sqlite),
            Backend::Postgres => {
                let address = bench.options.postgres.clone();
                let address =
                    address.context("BENCH_POSTGRES is not set: run scripts/bench, which sets it")?;
                let name = format!("bench_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                execute(&address, format!("CREATE DATABASE {name}")).await?;
                Ok(Self::Postgres { address, name })
            }
        }
    }

    /// `DATABASE_URL`, where it is not the default.
    pub fn url(&self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres { address, name } => Some(format!("{address}/{name}")),
        }
    }

    /// Its end. One that is forgotten goes with the whole PostgreSQL when the script ends.
    pub async fn remove(self) -> Result<()> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres { address, name } => {
                execute(&address, format!("DROP DATABASE {name} WITH (FORCE)")).await
            }
        }
    }
}

async fn execute(address: &str, sql: String) -> Result<()> {
    let mut connection = PgConnection::connect(&format!("{address}/postgres")).await?;
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(connection.close().await?)
}
