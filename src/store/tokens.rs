//! `tokens`: credentials made by Dispatch itself, by the SHA-256 of each.

use crate::{
    domain::{
        access::Tier,
        event::Change,
        ids::{AgentName, TokenId},
        page::{Cursor, Page},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx},
};

/// A token without the token.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct TokenRow {
    pub id: TokenId,
    pub name: String,
    pub agent: Option<AgentName>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub revoked_at: Option<Timestamp>,
}

impl TokenRow {
    /// What it opens.
    pub fn tier(&self) -> Tier {
        self.agent.clone().map_or(Tier::Maintainer, Tier::Worker)
    }
}

const COLUMNS: &str = "id, name, agent, created_at, created_by, revoked_at";

pub async fn insert(tx: &mut WriteTx, token: &TokenRow, hash: &str) -> Result<()> {
    tx.query(
        "INSERT INTO tokens (id, hash, name, agent, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&token.id)
    .bind(hash)
    .bind(token.name.as_str())
    .bind(token.agent.as_ref())
    .bind(token.created_at)
    .bind(token.created_by.as_str())
    .execute()
    .await?;
    Ok(())
}

/// The token of this hash, unless it was revoked.
pub async fn find_live(tx: &mut ReadTx, hash: &str) -> Result<Option<TokenRow>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM tokens WHERE revoked_at IS NULL AND hash = ").push_bind(hash);
    sql.done().fetch_optional().await
}

/// Does this open anything still: a token that Dispatch made, or a session?
pub async fn is_live(tx: &mut ReadTx, id: &TokenId, now: Timestamp) -> Result<bool> {
    let found: Option<(TokenId,)> = tx
        .query(
            "SELECT id FROM tokens WHERE id = $1 AND revoked_at IS NULL
             UNION SELECT id FROM sessions WHERE id = $2 AND expires_at > $3",
        )
        .bind(id)
        .bind(id)
        .bind(now)
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}

/// Newest first, revoked ones among them.
pub async fn list(tx: &mut ReadTx, limit: i64) -> Result<Vec<TokenRow>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM tokens ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit);
    sql.done().fetch_all().await
}

/// Which tokens a page shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those that open nothing any more; else those that do.
    pub is_revoked: bool,
    /// Whose they are, in whatever case.
    pub agent: Option<String>,
}

/// Newest first.
pub async fn list_page(
    tx: &mut ReadTx,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Page<TokenRow>> {
    let mut sql = tx.build("SELECT ");
    sql.push(COLUMNS).push(" FROM tokens WHERE revoked_at IS ");
    sql.push(if filter.is_revoked { "NOT NULL" } else { "NULL" });
    if let Some(agent) = &filter.agent {
        sql.push(" AND lower(agent) = lower(").push_bind(agent.as_str()).push(")");
    }
    if let Some(Cursor { at, id }) = after {
        sql.push(" AND (created_at, id) < (").push_bind(*at).push(", ").push_bind(id.as_str()).push(")");
    }
    sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit + 1);
    let rows: Vec<TokenRow> = sql.done().fetch_all().await?;
    Ok(Page::cut(rows, limit, |row| Cursor { at: row.created_at, id: row.id.0.clone() }))
}

/// Is there a maintainer's token that opens something?
pub async fn any_maintainer(tx: &mut ReadTx) -> Result<bool> {
    let found: Option<(TokenId,)> = tx
        .query("SELECT id FROM tokens WHERE agent IS NULL AND revoked_at IS NULL LIMIT 1")
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}

/// Revokes a token; what was revoked, or nothing when it was not live.
pub async fn revoke(tx: &mut WriteTx, id: &TokenId, now: Timestamp) -> Result<Option<TokenRow>> {
    let mut sql = tx.build("UPDATE tokens SET revoked_at = ");
    sql.push_bind(now).push(" WHERE revoked_at IS NULL AND id = ").push_bind(id);
    sql.push(" RETURNING ").push(COLUMNS);
    sql.done().about([Change::Revoked(id.clone())]).fetch_optional().await
}
