//! The `renew` verb: keeps the claims of a living agent alive.

use super::Engine;
use crate::{
    domain::{
        claim::{Checkpoint, Claim, Fence, Terms},
        heartbeat::{Lease, LeaseState},
        ids::{AgentName, ClaimId},
        time::Timestamp,
    },
    store::{
        self,
        claims::{self, Progress},
        work,
    },
};

/// A claim that a heartbeat names.
#[derive(Clone, Debug)]
pub struct Named {
    pub claim: ClaimId,
    pub fence: Fence,
    pub checkpoint: Option<Checkpoint>,
    pub summary: Option<String>,
}

/// Renews the named claims of an agent, which makes them leased; without names all its leased ones. A lost claim is
/// told of, and no error.
pub async fn renew(engine: &Engine, agent: &AgentName, named: Option<&[Named]>) -> store::Result<Vec<Lease>> {
    match named {
        Some(named) => renew_named(engine, agent, named).await,
        None => renew_all(engine, agent).await.map(|()| Vec::new()),
    }
}

async fn renew_all(engine: &Engine, agent: &AgentName) -> store::Result<()> {
    let mut tx = engine.db.read_once().await?;
    let leased = claims::has_leased(&mut tx, agent).await?;
    drop(tx);
    if leased {
        let now = engine.clock.now();
        let mut tx = engine.db.write().await?;
        work::lock_of(&mut tx, agent).await?;
        claims::renew_leased_of(&mut tx, agent, now, now.plus(engine.settings.claims.ttl)).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn renew_named(engine: &Engine, agent: &AgentName, named: &[Named]) -> store::Result<Vec<Lease>> {
    let mut leases = Vec::with_capacity(named.len());
    if named.is_empty() {
        return Ok(leases);
    }
    let now = engine.clock.now();
    let expires_at = now.plus(engine.settings.claims.ttl);
    let mut tx = engine.db.write().await?;
    work::lock_of(&mut tx, agent).await?;
    for wish in named {
        let found = claims::find(&mut tx, &wish.claim).await?;
        let own = found
            .filter(|claim| claim.ended_at.is_none() && claim.agent == *agent && claim.fence == wish.fence);
        let renewed = match &own {
            Some(claim) => claims::advance(&mut tx, claim, &progress(claim, wish, now, expires_at)).await?,
            None => false,
        };
        leases.push(Lease {
            claim_id: wish.claim.clone(),
            fence: wish.fence,
            state: if renewed { LeaseState::Renewed } else { LeaseState::Lost },
            expires_at: renewed.then_some(expires_at),
        });
    }
    tx.commit().await?;
    Ok(leases)
}

/// The claim with what its holder says of it; whoever renews by name can be relied on to renew.
fn progress(claim: &Claim, wish: &Named, now: Timestamp, expires_at: Timestamp) -> Progress {
    let mut progress = Progress::of(claim, now, expires_at);
    progress.terms = Terms::Leased;
    if let Some(checkpoint) = wish.checkpoint {
        let state = checkpoint.leads_to(claim.state);
        // A heartbeat ends nothing: that is for `finish`.
        progress.state = if state.is_live() { state } else { claim.state };
        progress.checkpoint = checkpoint;
    }
    if let Some(summary) = &wish.summary {
        progress.summary = Some(summary.clone());
    }
    progress
}
