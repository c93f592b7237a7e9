//! From a configuration to an engine over an open database.

use anyhow::{Context as _, anyhow};
use secrecy::ExposeSecret;

use super::data_dir::{self, Lock};
use crate::{
    clock::{Clock, Ids},
    config::{Config, Database},
    engine::{Engine, lifecycle},
    github::GitHub,
    store::Db,
};

/// An engine, and the lock of its data directory where it has one.
pub struct Opened {
    pub engine: Engine,
    _lock: Option<Lock>,
}

/// Opens the database (bringing it up to date), and says in it that this process lives.
pub async fn open(config: &Config) -> anyhow::Result<Opened> {
    let (db, lock) = match &config.database {
        Database::Sqlite { file, directory } => {
            let lock = data_dir::lock(directory)?;
            (Db::open_sqlite(file).await.with_context(|| format!("{}", file.display()))?, Some(lock))
        }
        Database::Postgres { url } => {
            let opened = Db::open_postgres(url.expose_secret()).await;
            (opened.map_err(|error| anyhow!("DATABASE_URL: {error}"))?, None)
        }
    };
    let clock = Clock::System;
    let ids = Ids::new(clock.clone());
    let github = GitHub::new(&config.github, &clock, &ids)?;
    let engine = Engine::new(db, github, clock, ids, config.engine.clone());
    lifecycle::start(&engine).await.context("the database could not be written")?;
    Ok(Opened { engine, _lock: lock })
}
