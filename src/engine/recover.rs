//! The `recover` verb: takes back claims that ran out, of any agent.

use std::collections::HashSet;

use tokio::sync::Mutex;

use super::{Engine, claims as verbs, failpoint::failpoint};
use crate::{
    domain::{
        claim::{EndReason, Terms},
        ids::ClaimId,
        notice::{Code, Notice, Phase, Subject},
        time::Timestamp,
    },
    store::{
        self,
        claims::{self, Late},
        issue_facts,
    },
};

/// Claims looked up at once.
const BATCH: i64 = 100;

/// One recovery at a time; whoever finds one under way leaves the work to it.
#[derive(Debug, Default)]
pub struct Turn(Mutex<()>);

/// What was taken back.
#[derive(Debug, Default)]
pub struct Recovered {
    pub claims: u64,
    /// Claims that were renewed or ended by others while they were looked at.
    pub skipped: HashSet<ClaimId>,
    /// The issues that are free again.
    pub urls: Vec<String>,
    pub notices: Vec<Notice>,
}

/// Takes back what ran out, and tells of claims whose holders went silent.
pub async fn recover(engine: &Engine) -> store::Result<Recovered> {
    let mut recovered = Recovered::default();
    let mut late = late(engine).await?;
    if late.overdue > 0
        && let Some(swept) = sweep(engine).await?
    {
        recovered = swept;
        late = self::late(engine).await?;
    }
    let silent = late.silent;
    if silent > 0 {
        let code = Code::ClaimsSilent { count: silent };
        recovered.notices.push(Notice::new(Phase::Recover, Subject::Claims, code));
    }
    Ok(recovered)
}

/// Takes back what ran out; `None` while somebody else does.
pub async fn sweep(engine: &Engine) -> store::Result<Option<Recovered>> {
    let Ok(_turn) = engine.recovery.0.try_lock() else { return Ok(None) };
    let mut recovered = Recovered::default();
    for terms in [Terms::Leased, Terms::Held] {
        take_back_overdue(engine, terms, &mut recovered).await?;
    }
    Ok(Some(recovered))
}

async fn late(engine: &Engine) -> store::Result<Late> {
    let (now, timing) = (engine.clock.now(), &engine.settings.claims);
    let before = |terms| timing.overdue_before(terms, now);
    let mut tx = engine.db.read_once().await?;
    claims::count_late(&mut tx, now, before(Terms::Leased), before(Terms::Held)).await
}

async fn take_back_overdue(engine: &Engine, terms: Terms, recovered: &mut Recovered) -> store::Result<()> {
    let timing = &engine.settings.claims;
    loop {
        let now = engine.clock.now();
        let Some(before) = timing.overdue_before(terms, now) else { return Ok(()) };
        let clock_before = before.minus(timing.ttl);
        let mut tx = engine.db.read_once().await?;
        let overdue = claims::list_overdue(&mut tx, terms, before, clock_before, BATCH).await?;
        drop(tx);
        let mut moved = false;
        for claim in overdue {
            let taken = take_back(engine, &claim.id, now, recovered).await?;
            moved |= taken;
            if !taken {
                recovered.skipped.insert(claim.id);
            }
        }
        if !moved {
            return Ok(());
        }
    }
}

/// Takes one claim back if it is overdue still; false when nothing came of it.
async fn take_back(
    engine: &Engine,
    id: &ClaimId,
    now: Timestamp,
    recovered: &mut Recovered,
) -> store::Result<bool> {
    let mut tx = engine.db.write().await?;
    let Some(claim) = claims::find(&mut tx, id).await?.filter(|claim| claim.ended_at.is_none()) else {
        return Ok(false);
    };
    let issue = match &claim.issue {
        Some(issue) => {
            claims::lock_issue(&mut tx, issue).await?;
            issue_facts::find(&mut tx, issue).await?
        }
        None => None,
    };
    let timing = &engine.settings.claims;
    let clock_from = issue.as_ref().map_or(Timestamp(0), |issue| issue.clock_from.plus(timing.ttl));
    let status = issue.as_ref().and_then(|issue| issue.status);
    if !timing.is_overdue(claim.terms, claim.expires_at.max(clock_from), status, now) {
        return Ok(false);
    }
    let taken = match &issue {
        Some(issue) => verbs::take_back(engine, &mut tx, &claim, issue, EndReason::Expired).await?,
        None => verbs::expire(engine, &mut tx, &claim).await?,
    };
    if !taken {
        return Ok(false);
    }
    tx.commit().await?;
    failpoint!("recover.committed");
    engine.meters.recovered.inc();
    recovered.claims += 1;
    recovered.urls.extend(issue.map(|issue| issue.url));
    Ok(true)
}
