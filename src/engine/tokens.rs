//! Tokens made by Dispatch: 32 random bytes, shown once, kept as their SHA-256.

use secrecy::{ExposeSecret, SecretString};

use super::{Engine, Error, Result, sessions};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        digest::{hex, sha256},
        ids::{AgentName, AuditId, TokenId},
    },
    store::{
        self, audit,
        tokens::{self, TokenRow},
    },
};

/// The start of every token, so that a leaked one is recognised.
const PREFIX: &str = "dsp_";

/// A token that was just made; it cannot be shown again.
pub struct Made {
    pub token: SecretString,
    pub row: TokenRow,
}

/// Makes a token: bound to an agent, or a maintainer's.
pub async fn create(engine: &Engine, caller: &Caller, name: &str, agent: Option<AgentName>) -> Result<Made> {
    let token = draw(engine);
    let row = open_with(engine, caller, &token, name, agent).await?;
    Ok(Made { token, row })
}

/// Draws a token that opens nothing yet.
pub fn draw(engine: &Engine) -> SecretString {
    SecretString::from(format!("{PREFIX}{}", engine.ids.secret()))
}

/// From now on a drawn token opens this server.
pub async fn open_with(
    engine: &Engine,
    caller: &Caller,
    token: &SecretString,
    name: &str,
    agent: Option<AgentName>,
) -> Result<TokenRow> {
    let digest = sha256(token.expose_secret());
    let row = TokenRow {
        id: TokenId(hex(&digest[..8])),
        name: name.to_owned(),
        agent,
        created_at: engine.clock.now(),
        created_by: caller.actor().to_owned(),
        revoked_at: None,
    };
    let mut tx = engine.db.write().await?;
    tokens::insert(&mut tx, &row, &hex(&digest)).await?;
    write_audit(engine, &mut tx, caller, AuditAction::CreateToken, &row).await?;
    tx.commit().await?;
    Ok(row)
}

/// Revokes a token: the next request that shows it is refused.
pub async fn revoke(engine: &Engine, caller: &Caller, id: &TokenId) -> Result<TokenRow> {
    let mut tx = engine.db.write().await?;
    let Some(row) = tokens::revoke(&mut tx, id, engine.clock.now()).await? else {
        return Err(Error::NotFound(format!(
            "No live token has the id {id}; `dispatch token list` (GET /api/tokens) shows them"
        )));
    };
    sessions::end_all_of(&mut tx, id).await?;
    write_audit(engine, &mut tx, caller, AuditAction::RevokeToken, &row).await?;
    tx.commit().await?;
    Ok(row)
}

async fn write_audit(
    engine: &Engine,
    tx: &mut store::WriteTx,
    caller: &Caller,
    action: AuditAction,
    row: &TokenRow,
) -> store::Result<()> {
    let mut entry = NewAudit::repo(caller.actor(), &caller.token, action, "unknown");
    let holder =
        row.agent.as_ref().map_or_else(|| "a maintainer".to_owned(), |agent| format!("agent {agent}"));
    entry.agent.clone_from(&row.agent);
    entry.notes = Some(format!("token {} ({}) for {holder}", row.id, row.name));
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await
}
