//! `sessions` and `login_links`: who is signed in, and who may sign in once more, by the SHA-256 of their secrets.

use crate::{
    domain::{
        event::Change,
        ids::TokenId,
        page::{Cursor, Page},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRow {
    pub id: TokenId,
    /// Who is named as having done what is done by it.
    pub name: String,
    /// What it hangs on.
    pub source: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A session that was shown, and whether the token that it hangs on still opens something.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Shown {
    #[sqlx(flatten)]
    pub session: SessionRow,
    pub token_lives: bool,
}

/// Whom a link signs in.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LinkRow {
    pub name: String,
    pub source: String,
}

pub async fn insert(tx: &mut WriteTx, row: &SessionRow, hash: &str) -> Result<()> {
    tx.query(
        "INSERT INTO sessions (hash, id, name, source, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(hash)
    .bind(&row.id)
    .bind(row.name.as_str())
    .bind(row.source.as_str())
    .bind(row.created_at)
    .bind(row.expires_at)
    .execute()
    .await?;
    Ok(())
}

/// The session of this hash, unless its time is up.
pub async fn find_live(tx: &mut ReadTx, hash: &str, now: Timestamp) -> Result<Option<Shown>> {
    tx.query(
        "SELECT s.id, s.name, s.source, s.created_at, s.expires_at,
                EXISTS (SELECT 1 FROM tokens t WHERE t.id = s.source AND t.agent IS NULL AND t.revoked_at IS NULL)
                    AS token_lives
         FROM sessions s WHERE s.hash = $1 AND s.expires_at > $2",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional()
    .await
}

/// Sessions whose time is not up, the newest first.
pub async fn list_live(
    tx: &mut ReadTx,
    now: Timestamp,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<SessionRow>> {
    let mut sql =
        tx.build("SELECT id, name, source, created_at, expires_at FROM sessions WHERE expires_at > ");
    sql.push_bind(now);
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (created_at, id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit + 1);
    let rows: Vec<SessionRow> = sql.done().fetch_all().await?;
    Ok(Page::cut(rows, limit, |row| Cursor { at: row.created_at, id: row.id.0.clone() }))
}

/// What the session of this id hangs on.
pub async fn find_source(tx: &mut ReadTx, id: &TokenId) -> Result<Option<String>> {
    let found: Option<(String,)> =
        tx.query("SELECT source FROM sessions WHERE id = $1").bind(id).fetch_optional().await?;
    Ok(found.map(|(source,)| source))
}

/// The sessions that hang on this.
pub async fn list_of(tx: &mut ReadTx, source: &str) -> Result<Vec<SessionRow>> {
    tx.query("SELECT id, name, source, created_at, expires_at FROM sessions WHERE source = $1 ORDER BY id")
        .bind(source)
        .fetch_all()
        .await
}

/// Ends a session: what it opened, streams of events among it, is closed. False: there was none.
pub async fn end(tx: &mut WriteTx, id: &TokenId) -> Result<bool> {
    let ended = tx
        .query("DELETE FROM sessions WHERE id = $1")
        .bind(id)
        .about([Change::Revoked(id.clone())])
        .execute()
        .await?;
    Ok(ended > 0)
}

pub async fn insert_link(
    tx: &mut WriteTx,
    link: &LinkRow,
    hash: &str,
    (created_at, expires_at): (Timestamp, Timestamp),
) -> Result<()> {
    tx.query(
        "INSERT INTO login_links (hash, name, source, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(hash)
    .bind(link.name.as_str())
    .bind(link.source.as_str())
    .bind(created_at)
    .bind(expires_at)
    .execute()
    .await?;
    Ok(())
}

/// Uses a link up; nothing when there is none, or its time is up.
pub async fn take_link(tx: &mut WriteTx, hash: &str, now: Timestamp) -> Result<Option<LinkRow>> {
    tx.query("DELETE FROM login_links WHERE hash = $1 AND expires_at > $2 RETURNING name, source")
        .bind(hash)
        .bind(now)
        .fetch_optional()
        .await
}

/// Links that hang on this lead nowhere any more.
pub async fn delete_links_of(tx: &mut WriteTx, source: &str) -> Result<()> {
    tx.query("DELETE FROM login_links WHERE source = $1").bind(source).execute().await?;
    Ok(())
}

/// Forgets sessions and links whose time was up before `before`.
pub async fn prune(tx: &mut WriteTx, before: Timestamp, limit: i64) -> Result<u64> {
    let sessions = tx
        .query(
            "DELETE FROM sessions WHERE hash IN
                (SELECT hash FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute()
        .await?;
    let links = tx
        .query(
            "DELETE FROM login_links WHERE hash IN
                (SELECT hash FROM login_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute()
        .await?;
    Ok(sessions + links)
}
