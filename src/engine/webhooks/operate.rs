//! An operator has a delivery tried again.

use super::wake;
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        delivery::{DeliveryId, DeliveryState},
        ids::AuditId,
    },
    engine::{Engine, Error, Result},
    store::{
        audit,
        deliveries::{self, Delivery},
    },
};

/// Makes a delivery pending again, as if it had just come; gives it as it is then.
pub async fn retry(engine: &Engine, caller: &Caller, guid: &DeliveryId) -> Result<Delivery> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let unknown =
        || Error::NotFound("No such delivery; GET /api/deliveries lists those there are".to_owned());
    let before = deliveries::find(&mut tx, guid).await?.ok_or_else(unknown)?;
    if before.state == DeliveryState::Applied {
        return Err(Error::Conflict("It was applied; a delivery is applied once".to_owned()));
    }
    if !deliveries::retry(&mut tx, guid, now).await? {
        let message = "What was sent with it is not kept any more; have GitHub deliver it again, or sync the repository";
        return Err(Error::Conflict(message.to_owned()));
    }
    let repo = before.repository.as_deref().unwrap_or("unknown");
    let entry = NewAudit::whole(caller.actor(), Some(&caller.token), AuditAction::DeliveryRetried, repo);
    let entry = entry.noting(format!("{} {}", before.event, before.guid));
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry).await?;
    let after = deliveries::find(&mut tx, guid).await?.ok_or_else(unknown)?;
    tx.commit().await?;
    wake(engine);
    Ok(after)
}
