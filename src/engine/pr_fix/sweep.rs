//! The `sweep` verb: hand-outs that came to nothing, and pull requests that are waited for.

use tokio::sync::Mutex;

use super::{Change, read_pull, save, write};
use crate::{
    domain::{
        audit::AuditAction,
        ids::PrFixId,
        pr_fix::{
            FixLane, Item, Pull,
            handout::{Ending, Look, close, end_hold, look_again},
        },
        time::Timestamp,
    },
    engine::Engine,
    store::{self, pr_fix, pr_fix_notes as notes},
};

/// One sweep at a time.
#[derive(Debug, Default)]
pub struct Turn(Mutex<()>);

/// Hand-outs looked up at once.
const BATCH: i64 = 100;
/// Hand-outs that a poll ends at most, so that no agent waits long for all the others.
const LATE_IN_A_POLL: i64 = 20;
/// Pull requests that one sweep looks at again: each is a request to GitHub.
const LOOKS: i64 = 100;

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Hand-outs whose time was up, as far as their rows say.
    pub examined: u64,
    pub reclaimed: u64,
    /// Of those reclaimed, how many are for a human now.
    pub blocked: u64,
    pub stale: u64,
    /// GitHub could not be asked: left as they were.
    pub unknown_state: u64,
    /// Their agents were heard of, or have begun, or they changed meanwhile.
    pub skipped: u64,
    /// Waiting items that were looked at, and how many wait no more.
    pub waiting: u64,
    pub woken: u64,
}

/// Takes back what never got to its agent, and looks again at what is waited for; `None` while somebody else does.
pub async fn sweep(engine: &Engine) -> store::Result<Option<Swept>> {
    let Ok(_turn) = engine.pr_fix_sweep.0.try_lock() else { return Ok(None) };
    let now = engine.clock.now();
    let mut swept = Swept::default();
    let mut place = None;
    loop {
        let mut tx = engine.db.read_once().await?;
        let late = pr_fix::list_late(&mut tx, &FixLane::ALL, now, place.as_ref(), BATCH).await?;
        drop(tx);
        let Some(last) = late.last() else { break };
        place = last.hold.as_ref().map(|hold| (hold.until, last.id.clone()));
        for item in late {
            swept.examined += 1;
            swept.count(end_asking(engine, &item).await?);
        }
    }
    look_at_waiting(engine, now, &mut swept).await?;
    Ok(Some(swept))
}

/// How a hand-out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    NeedsPull,
    Reclaimed { for_human: bool },
    Stale,
    Unknown,
    Left,
}

impl Swept {
    fn count(&mut self, ended: Ended) {
        match ended {
            Ended::Reclaimed { for_human } => {
                self.reclaimed += 1;
                self.blocked += u64::from(for_human);
            }
            Ended::Stale => self.stale += 1,
            Ended::Unknown | Ended::NeedsPull => self.unknown_state += 1,
            Ended::Left => self.skipped += 1,
        }
    }
}

/// Who looks at a hand-out.
#[derive(Clone, Copy)]
enum Looker<'a> {
    /// A sweep: asks GitHub first, and leaves what was acknowledged.
    Sweep(&'a Pull),
    /// An agent that wants work: waits for nobody.
    Agent,
}

async fn end_asking(engine: &Engine, item: &Item) -> store::Result<Ended> {
    match end(engine, &item.id, Looker::Sweep(&Pull::NotRead)).await? {
        Ended::NeedsPull => {
            let pull = read_pull(engine, &item.repo, item.pr).await;
            end(engine, &item.id, Looker::Sweep(&pull)).await
        }
        ended => Ok(ended),
    }
}

/// Ends hand-outs in these lanes whose agents went silent, those that began as well: another agent is here for the work.
pub async fn end_late(engine: &Engine, lanes: &[FixLane]) -> store::Result<()> {
    let mut tx = engine.db.read_once().await?;
    let late = pr_fix::list_late(&mut tx, lanes, engine.clock.now(), None, LATE_IN_A_POLL).await?;
    drop(tx);
    for item in late {
        end(engine, &item.id, Looker::Agent).await?;
    }
    Ok(())
}

/// Ends one hand-out if its time is up still. Longer life is written down, so that it is not looked up each time.
async fn end(engine: &Engine, id: &PrFixId, looker: Looker<'_>) -> store::Result<Ended> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let Some(before) = pr_fix::lock_by_id(&mut tx, id).await? else { return Ok(Ended::Left) };
    let Some(hold) = before.hold.as_ref().filter(|hold| hold.until <= now) else { return Ok(Ended::Left) };
    let handout = notes::find_handout(&mut tx, &before, &hold.agent).await?;
    let is_acked = handout.is_some_and(|handout| handout.acked_at.is_some());
    let heard = pr_fix::last_heard(&mut tx, &hold.agent).await?.unwrap_or(Timestamp(0));
    let (mut item, note, action) = match end_hold(&before, is_acked, heard, engine.settings.pr_fix, now) {
        Ending::Lives(mut item) => {
            write(engine, &mut tx, &before, &mut item).await?;
            tx.commit().await?;
            return Ok(Ended::Left);
        }
        Ending::Abandoned(item, note) => match looker {
            Looker::Sweep(_) => return Ok(Ended::Left),
            Looker::Agent => (item, note, "abandon"),
        },
        Ending::Reclaimed(item, note) => match looker {
            Looker::Sweep(Pull::NotRead) => return Ok(Ended::NeedsPull),
            Looker::Sweep(Pull::Unreadable) => return Ok(Ended::Unknown),
            Looker::Sweep(Pull::Read(facts)) if !facts.is_open => {
                let change = Change::by_dispatch("stale", AuditAction::PrFixStale);
                let change = change.noting(Some("the pull request is merged or closed"));
                save(engine, &mut tx, &before, &mut close(&before), &change).await?;
                tx.commit().await?;
                return Ok(Ended::Stale);
            }
            Looker::Sweep(Pull::Read(_)) | Looker::Agent => (item, note, "reclaim"),
        },
    };
    let change = Change::by_dispatch(action, AuditAction::PrFixReclaim).noting(Some(&note));
    save(engine, &mut tx, &before, &mut item, &change).await?;
    tx.commit().await?;
    Ok(Ended::Reclaimed { for_human: item.needs_human() })
}

async fn look_at_waiting(engine: &Engine, now: Timestamp, swept: &mut Swept) -> store::Result<()> {
    let mut tx = engine.db.read_once().await?;
    let waiting = pr_fix::list_waiting(&mut tx, Timestamp(now.0.saturating_add(1)), LOOKS).await?;
    drop(tx);
    for item in waiting {
        let pull = read_pull(engine, &item.repo, item.pr).await;
        let mut tx = engine.db.write().await?;
        let Some(before) = pr_fix::lock_by_id(&mut tx, &item.id).await? else { continue };
        if before.waiting != item.waiting {
            continue;
        }
        swept.waiting += 1;
        match look_again(&before, &pull, now) {
            Look::Waits(mut after) => {
                write(engine, &mut tx, &before, &mut after).await?;
                swept.unknown_state += u64::from(pull.facts().is_none());
            }
            Look::Wakes(mut after, why) => {
                let change = Change::by_dispatch("wake", AuditAction::PrFixWake).noting(Some(why));
                save(engine, &mut tx, &before, &mut after, &change).await?;
                swept.woken += 1;
            }
            Look::Closed(mut after) => {
                let change = Change::by_dispatch("stale", AuditAction::PrFixStale);
                let change = change.noting(Some("the pull request is merged or closed"));
                save(engine, &mut tx, &before, &mut after, &change).await?;
                swept.stale += 1;
            }
        }
        tx.commit().await?;
    }
    Ok(())
}
