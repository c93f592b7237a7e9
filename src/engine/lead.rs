//! The lead: of all processes on one database, one runs the jobs that only one may run. A lease row says which, and a
//! fence counts the terms. On SQLite the lock of the data directory has settled it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::{
    clock::Clock,
    domain::time::Timestamp,
    store::{self, WriteTx, db::Dialect, leases},
};

/// Whoever leads and falls silent is replaced after this long.
pub const LEASE_TTL: Duration = Duration::from_secs(15);
/// How often the leader says that it goes on.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);
/// The leader stops this long before others may begin: clocks differ.
const MARGIN: Duration = Duration::from_secs(3);

/// What one process does for all of them; each is led by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Office {
    /// Keeping the record in order, for which every process stands.
    Record,
    /// Everything else that runs by itself. A process whose scheduler is off does not stand: it would win, and do nothing.
    Scheduler,
}

impl Office {
    const fn lease(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Scheduler => "scheduler",
        }
    }
}

/// Proof that this process leads. Only [`campaign`] makes one, by winning the lease.
#[derive(Clone, Debug)]
pub struct Leader(Arc<Term>);

#[derive(Debug)]
struct Term {
    /// None where nobody else can be.
    lease: Option<Lease>,
    over: CancellationToken,
}

#[derive(Debug)]
struct Lease {
    office: Office,
    fence: i64,
    clock: Clock,
    /// Until when the leader may rely on it.
    until: AtomicI64,
}

/// What came of a campaign.
#[derive(Clone, Debug)]
pub enum Campaign {
    Won(Leader),
    /// Another process leads, until then at least.
    Lost {
        until: Timestamp,
    },
}

impl Leader {
    fn new(engine: &Engine, lease: Option<Lease>) -> Self {
        Self(Arc::new(Term { lease, over: engine.tasks.stopping().child_token() }))
    }

    /// May a job begin? Once it is false it stays false: a term that lapsed is not taken up again.
    pub fn leads(&self) -> bool {
        let holds = |lease: &Lease| lease.clock.now().0 < lease.until.load(Ordering::SeqCst);
        !self.0.over.is_cancelled() && self.0.lease.as_ref().is_none_or(holds)
    }

    /// Is done when the term is over, or the server stops.
    pub fn over(&self) -> &CancellationToken {
        &self.0.over
    }

    /// The term ends: what runs comes to its end, nothing begins.
    pub fn step_down(&self) {
        self.0.over.cancel();
    }

    /// Is it this leader's term still, and until `tx` has ended? For what would do harm if two processes did it.
    pub async fn confirm(&self, tx: &mut WriteTx) -> store::Result<bool> {
        match &self.0.lease {
            Some(lease) => leases::confirm(tx, lease.office.lease(), lease.fence).await,
            None => Ok(true),
        }
    }

    fn lease(&self) -> Option<(&'static str, i64)> {
        self.0.lease.as_ref().map(|lease| (lease.office.lease(), lease.fence))
    }
}

/// Tries to become the leader.
pub async fn campaign(engine: &Engine, office: Office) -> store::Result<Campaign> {
    if engine.db.dialect() == Dialect::Sqlite {
        return Ok(Campaign::Won(Leader::new(engine, None)));
    }
    let now = engine.clock.now();
    let mut tx = engine.db.read_once().await?;
    let held = leases::find_held(&mut tx, office.lease(), &engine.instance, now).await?;
    drop(tx);
    if let Some(until) = held {
        return Ok(Campaign::Lost { until });
    }
    let mut tx = engine.db.write().await?;
    let Some(fence) =
        leases::take(&mut tx, office.lease(), &engine.instance, now, now.plus(LEASE_TTL)).await?
    else {
        // Another was faster. Its row is locked until this transaction has ended.
        tx.rollback().await?;
        return Ok(Campaign::Lost { until: now.plus(LEASE_TTL) });
    };
    tx.commit().await?;
    let until = AtomicI64::new(relied_on_until(now).0);
    let lease = Lease { office, fence, clock: engine.clock.clone(), until };
    Ok(Campaign::Won(Leader::new(engine, Some(lease))))
}

/// Says that the leader goes on; false when its term is over, which it learns here.
pub async fn renew(engine: &Engine, leader: &Leader) -> store::Result<bool> {
    let Some(lease) = &leader.0.lease else { return Ok(leader.leads()) };
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let renewed = leases::renew(&mut tx, lease.office.lease(), lease.fence, now.plus(LEASE_TTL)).await?;
    tx.commit().await?;
    if renewed && leader.leads() {
        lease.until.store(relied_on_until(now).0, Ordering::SeqCst);
        return Ok(true);
    }
    leader.step_down();
    Ok(false)
}

/// Leaves the lead to others at once. A process that cannot say so is replaced when its lease runs out.
pub async fn resign(engine: &Engine, leader: &Leader) -> store::Result<()> {
    leader.step_down();
    let Some((lease, fence)) = leader.lease() else { return Ok(()) };
    let mut tx = engine.db.write().await?;
    leases::renew(&mut tx, lease, fence, engine.clock.now()).await?;
    tx.commit().await
}

fn relied_on_until(renewed: Timestamp) -> Timestamp {
    renewed.plus(LEASE_TTL).minus(MARGIN)
}
