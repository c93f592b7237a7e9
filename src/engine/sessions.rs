//! Signing in at the board and out of it: sessions of 32 random bytes, and links that make one once.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Engine, Error, Result};
use crate::{
    domain::{
        access::{Caller, Tier},
        audit::{AuditAction, NewAudit},
        digest::{hex, sha256},
        ids::{AuditId, TokenId},
        time::Timestamp,
    },
    store::{
        self, WriteTx, audit,
        sessions::{self, LinkRow, SessionRow},
    },
};

/// Who may sign in at the board, and how.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// By a link that a maintainer had made, or that the server printed.
    Link,
    /// By a user's name and password; a password that begins with `$argon2` is a hash of the right one.
    Password { user: String, password: SecretString },
    /// Nobody has to: who reaches the server is an operator. `Host` names must be this machine's unless `to_all`.
    Open { to_all: bool },
}

/// So long somebody is signed in.
pub const SESSION_TTL: Duration = Duration::from_hours(14 * 24);

/// So long a link can be used.
pub const LINK_TTL: Duration = Duration::from_mins(15);

/// The source of links that the server prints itself, in the place of a token's id.
pub const CONSOLE: &str = "c0501ec0501ec050";

/// Who did what is done by a link, unless somebody else is named.
pub const OPERATOR: &str = "operator";

/// The start of what a link holds, so that a leaked one is recognised.
const LINK_PREFIX: &str = "dsl_";

/// A session that was just opened; its secret cannot be shown again.
pub struct Opened {
    pub secret: SecretString,
    pub row: SessionRow,
}

/// A link that was just made.
pub struct Link {
    pub secret: SecretString,
    pub expires_at: Timestamp,
}

/// Somebody has shown who they are.
pub async fn open(engine: &Engine, name: &str, source: &str) -> Result<Opened> {
    let mut tx = engine.db.write().await?;
    let opened = insert(engine, &mut tx, name, source).await?;
    tx.commit().await?;
    Ok(opened)
}

async fn insert(engine: &Engine, tx: &mut WriteTx, name: &str, source: &str) -> store::Result<Opened> {
    let secret = SecretString::from(engine.ids.secret());
    let digest = sha256(secret.expose_secret());
    let now = engine.clock.now();
    let row = SessionRow {
        id: TokenId(hex(&digest[..8])),
        name: name.to_owned(),
        source: source.to_owned(),
        created_at: now,
        expires_at: now.plus(SESSION_TTL),
    };
    sessions::insert(tx, &row, &hex(&digest)).await?;
    let entry = NewAudit::whole(name, Some(&row.id), AuditAction::SignIn, "unknown");
    write_audit(engine, tx, entry.noting(format!("session {}", row.id))).await?;
    Ok(Opened { secret, row })
}

/// Makes a link that signs in once, as long as what the caller came by is good for it.
pub async fn make_link(engine: &Engine, caller: &Caller) -> Result<Link> {
    let secret = SecretString::from(format!("{LINK_PREFIX}{}", engine.ids.secret()));
    let now = engine.clock.now();
    let expires_at = now.plus(LINK_TTL);
    let name = caller.named.clone().unwrap_or_else(|| OPERATOR.to_owned());
    let mut tx = engine.db.write().await?;
    // What a session makes hangs on what the session hangs on.
    let source = sessions::find_source(&mut tx, &caller.token).await?;
    let link = LinkRow { name, source: source.unwrap_or_else(|| caller.token.0.clone()) };
    sessions::insert_link(&mut tx, &link, &hex(&sha256(secret.expose_secret())), (now, expires_at)).await?;
    let entry = NewAudit::whole(caller.actor(), Some(&caller.token), AuditAction::CreateLoginLink, "unknown");
    write_audit(engine, &mut tx, entry).await?;
    tx.commit().await?;
    Ok(Link { secret, expires_at })
}

/// Signs in by a link, which is used up; nothing when it was before, or its time is up.
pub async fn open_by_link(engine: &Engine, link: &str) -> Result<Option<Opened>> {
    let mut tx = engine.db.write().await?;
    let hash = hex(&sha256(link));
    let Some(LinkRow { name, source }) = sessions::take_link(&mut tx, &hash, engine.clock.now()).await?
    else {
        return Ok(None);
    };
    let opened = insert(engine, &mut tx, &name, &source).await?;
    tx.commit().await?;
    Ok(Some(opened))
}

/// The caller that the server itself is when it prints a link.
pub fn console() -> Caller {
    Caller { tier: Tier::Maintainer, token: TokenId(CONSOLE.to_owned()), named: Some(OPERATOR.to_owned()) }
}

/// Ends a session: the next request that shows it is refused.
pub async fn end(engine: &Engine, caller: &Caller, id: &TokenId) -> Result<()> {
    let mut tx = engine.db.write().await?;
    if !sessions::end(&mut tx, id).await? {
        return Err(Error::NotFound(format!("No live session has the id {id}")));
    }
    let entry = NewAudit::whole(caller.actor(), Some(&caller.token), AuditAction::SignOut, "unknown");
    write_audit(engine, &mut tx, entry.noting(format!("session {id}"))).await?;
    tx.commit().await?;
    Ok(())
}

/// What hung on a token that was revoked ends with it.
pub(super) async fn end_all_of(tx: &mut WriteTx, token: &TokenId) -> store::Result<()> {
    for session in sessions::list_of(tx, &token.0).await? {
        sessions::end(tx, &session.id).await?;
    }
    sessions::delete_links_of(tx, &token.0).await
}

async fn write_audit(engine: &Engine, tx: &mut WriteTx, entry: NewAudit) -> store::Result<()> {
    audit::insert(tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await
}
