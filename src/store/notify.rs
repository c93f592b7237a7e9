//! What processes on one PostgreSQL tell each other, by LISTEN and NOTIFY. SQLite has one process.

use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};

use super::{Db, Result, db::Pools};
use crate::domain::digest::{hex, sha256};

/// The longest text that PostgreSQL carries is 7 999 bytes.
pub const TEXT_MAX: usize = 7_900;

/// Hears what is said on the database's channel.
pub struct Ear(PgListener);

/// Says something on it.
pub struct Mouth {
    pool: PgPool,
    channel: String,
}

/// Begins to hear, over connections that serve nothing else; nothing on SQLite.
pub async fn open(db: &Db) -> Result<Option<(Ear, Mouth)>> {
    let Pools::Postgres(pool) = db.pools() else { return Ok(None) };
    let options = pool.connect_options().as_ref().clone();
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options)
        .await?;
    let channel = channel(&pool).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(&channel).await?;
    Ok(Some((Ear(listener), Mouth { pool, channel })))
}

/// Says something without having heard anything: the last words of a process.
pub async fn say_once(db: &Db, text: &str) -> Result<()> {
    let Pools::Postgres(pool) = db.pools() else { return Ok(()) };
    let mouth = Mouth { pool: pool.clone(), channel: channel(pool).await? };
    mouth.say(text).await
}

/// Channels are the database's, tables the schema's.
async fn channel(pool: &PgPool) -> Result<String> {
    let schema: Option<String> = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(pool).await?;
    Ok(format!("dispatch_{}", hex(&sha256(schema.unwrap_or_default())[..8])))
}

impl Ear {
    /// The next text; `None` when the connection was lost, and with it perhaps texts.
    pub async fn next(&mut self) -> Result<Option<String>> {
        Ok(self.0.try_recv().await?.map(|heard| heard.payload().to_owned()))
    }
}

impl Mouth {
    /// Says a text to all who hear, this process among them.
    pub async fn say(&self, text: &str) -> Result<()> {
        sqlx::query("SELECT pg_notify($1, $2)").bind(&self.channel).bind(text).execute(&self.pool).await?;
        Ok(())
    }
}
