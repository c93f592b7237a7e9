//! `outbox`: what is wanted of pull requests. Each thing is one row for as long as anybody wants it there or gone; a newer
//! wish takes the place of the older.

use sqlx::types::Json;

use crate::{
    domain::{
        ids::{IssueNumber, OutboxId, RepoId},
        outbox::{Asker, Content, Facet},
        time::Timestamp,
    },
    store::{ReadTx, Result, WriteTx, outbox::Sending},
};

/// A wish to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewWish<'a> {
    pub repo: &'a RepoId,
    pub pull: IssueNumber,
    pub facet: Facet,
    pub content: &'a Content,
    pub by: &'a Asker,
    pub at: Timestamp,
}

/// Wants it there. What went out before and was not answered is looked for first.
pub async fn want(tx: &mut WriteTx, id: &OutboxId, wish: &NewWish<'_>) -> Result<()> {
    tx.query(
        "INSERT INTO outbox (id, kind, repository_id, pull, field, content, place, version, state, lies_over,
            next_try_at, actor, token_id, agent, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 1, 1, 'pending', FALSE, $7, $8, $9, $10, $11)
         ON CONFLICT (repository_id, pull, field) WHERE pull IS NOT NULL DO UPDATE SET
            content = excluded.content, version = outbox.version + 1, state = 'pending', attempts = 0,
            next_try_at = excluded.next_try_at, error = NULL, actor = excluded.actor, token_id = excluded.token_id,
            agent = excluded.agent, created_at = excluded.created_at, settled_at = NULL",
    )
    .bind(id)
    .bind(wish.content.kind())
    .bind(wish.repo)
    .bind(wish.pull)
    .bind(wish.facet)
    .bind(Json(wish.content))
    .bind(wish.at)
    .bind(wish.by.actor.as_str())
    .bind(wish.by.token.as_ref())
    .bind(wish.by.agent.as_ref())
    .bind(wish.at)
    .execute()
    .await?;
    Ok(())
}

/// Wants it gone. What never went out is forgotten; where there is nothing to be taken away nothing is written. Whether
/// anything is to be sent.
pub async fn take_back(tx: &mut WriteTx, wish: &NewWish<'_>) -> Result<bool> {
    // First this: from here on nobody else changes the row.
    let known = tx
        .query(
            "UPDATE outbox SET content = $1, version = version + 1, state = 'pending', attempts = 0, next_try_at = $2,
                error = NULL, actor = $3, token_id = $4, agent = $5, created_at = $6, settled_at = NULL
             WHERE repository_id = $7 AND pull = $8 AND field = $9
               AND (state IN ('pending', 'parked') OR held = TRUE OR tried_at IS NOT NULL OR unsure_since IS NOT NULL)",
        )
        .bind(Json(wish.content))
        .bind(wish.at)
        .bind(wish.by.actor.as_str())
        .bind(wish.by.token.as_ref())
        .bind(wish.by.agent.as_ref())
        .bind(wish.at)
        .bind(wish.repo)
        .bind(wish.pull)
        .bind(wish.facet)
        .execute()
        .await?;
    if known == 0 {
        return Ok(false);
    }
    let never_out = tx
        .query(
            "DELETE FROM outbox WHERE repository_id = $1 AND pull = $2 AND field = $3 AND state = 'pending'
                AND held = FALSE AND tried_at IS NULL AND unsure_since IS NULL",
        )
        .bind(wish.repo)
        .bind(wish.pull)
        .bind(wish.facet)
        .execute()
        .await?;
    Ok(never_out == 0)
}

/// What GitHub had of it is not there any more; it is wanted, so it is to be made anew.
pub async fn lose(tx: &mut WriteTx, sent: &Sending, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE outbox SET held = FALSE, made = NULL, sending_until = NULL, tried_at = NULL, unsure_since = NULL,
            next_try_at = $1 WHERE id = $2 AND sender = $3",
    )
    .bind(now)
    .bind(&sent.id)
    .bind(&sent.sender)
    .execute()
    .await?;
    Ok(())
}

/// What was wanted last, if what is cached of the pull request may be older than that.
pub async fn find_newer(
    tx: &mut ReadTx,
    repo: &RepoId,
    pull: IssueNumber,
    facet: Facet,
) -> Result<Option<Content>> {
    let row: Option<(Json<Content>,)> = tx
        .query(
            "SELECT o.content FROM outbox o JOIN pulls p ON p.repository_id = o.repository_id AND p.number = o.pull
             WHERE o.repository_id = $1 AND o.pull = $2 AND o.field = $3
               AND (o.state = 'pending' OR o.state = 'settled' AND p.updated_at <= o.settled_at)",
        )
        .bind(repo)
        .bind(pull)
        .bind(facet)
        .fetch_optional()
        .await?;
    Ok(row.map(|(content,)| content.0))
}
