//! The `renew` verb: keeps the claims of a living agent alive.

use super::{Engine, claims::remember};
use crate::{
    domain::{
        claim::{Checkpoint, Claim, Fence, Terms, WorkState},
        heartbeat::{Lease, LeaseState},
        ids::{AgentName, ClaimId},
        time::Timestamp,
    },
    store::{
        self, WriteTx,
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

/// What an agent's renewal came to.
#[derive(Debug, Default)]
pub struct Renewed {
    /// What became of the claims that it named.
    pub leases: Vec<Lease>,
    /// It has a claim that runs out if it is not renewed.
    pub is_holder: bool,
}

/// Renews the named claims of an agent, which makes them leased; without names all its leased ones. A lost claim is
/// told of, and no error.
pub async fn renew(engine: &Engine, agent: &AgentName, named: Option<&[Named]>) -> store::Result<Renewed> {
    let Some(named) = named else {
        return Ok(Renewed { leases: Vec::new(), is_holder: renew_all(engine, agent).await? });
    };
    let leases = renew_named(engine, agent, named).await?;
    let is_holder = leases.iter().any(|lease| lease.state == LeaseState::Renewed);
    Ok(Renewed { leases, is_holder })
}

/// False when there was none.
async fn renew_all(engine: &Engine, agent: &AgentName) -> store::Result<bool> {
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
    Ok(leased)
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
            Some(claim) => advance(engine, &mut tx, claim, progress(claim, wish, now, expires_at)).await?,
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

/// Renews a claim; what its holder says of it for the first time is remembered.
async fn advance(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    progress: Progress,
) -> store::Result<bool> {
    if !claims::advance(tx, claim, &progress).await? {
        return Ok(false);
    }
    if progress.checkpoint != claim.checkpoint || progress.summary != claim.summary {
        let at = progress.renewed_at;
        remember(engine, tx, &progress.onto(claim.clone()), "checkpoint", at).await?;
    }
    Ok(true)
}

/// The claim with what its holder says of it; whoever renews by name can be relied on to renew.
fn progress(claim: &Claim, wish: &Named, now: Timestamp, expires_at: Timestamp) -> Progress {
    let mut progress = Progress::of(claim, now, expires_at);
    progress.terms = Terms::Leased;
    if let Some(checkpoint) = wish.checkpoint {
        let state = checkpoint.leads_to(claim.state);
        // A heartbeat ends nothing: that is for `finish`.
        progress.state = if state.is_live() { state } else { claim.state };
        if progress.state != WorkState::Blocked {
            progress.blocker = None;
        }
        progress.checkpoint = checkpoint;
    }
    if let Some(summary) = &wish.summary {
        progress.summary = Some(summary.clone());
    }
    progress
}
