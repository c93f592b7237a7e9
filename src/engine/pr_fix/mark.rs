//! The verbs `mark` and `requeue`: somebody says where an item stands, or gives it another chance.

use super::{Change, Shown, call, read_pull, save, show_one};
use crate::{
    domain::{
        access::{Caller, Tier},
        audit::AuditAction,
        ids::IssueNumber,
        pr_fix::{
            Decision, Pull,
            mark::{Mark, Marked, Refusal, mark as decide, requeue as decide_requeue, worker_may},
        },
        repo::RepoName,
    },
    engine::{Engine, Error, Result},
    store::{pr_fix, pr_fix_notes as notes},
};

/// Marks the item of a pull request; whether it stands there since.
pub async fn mark(
    engine: &Engine,
    caller: &Caller,
    (repo, pr): (&RepoName, IssueNumber),
    ask: &Mark,
) -> Result<(Shown, bool)> {
    let mut pull = Pull::NotRead;
    loop {
        let mut tx = engine.db.write().await?;
        let repo = pr_fix::present_name(&mut tx, repo).await?;
        let before = pr_fix::lock(&mut tx, &repo, pr).await?;
        let before = before.ok_or_else(|| Error::NotFound("PR fix queue item not found".to_owned()))?;
        let was_handed = match &caller.tier {
            Tier::Worker(agent) => notes::find_handout(&mut tx, &before, agent).await?.is_some(),
            // It stands for any agent.
            Tier::UnboundWorker | Tier::Maintainer => true,
        };
        if caller.tier != Tier::Maintainer {
            worker_may(&before, ask, was_handed).map_err(|refusal| not_marked(&refusal))?;
        }
        let late = notes::list_late_evidence(&mut tx, &before.id).await?;
        match decide(&before, ask, &late, &pull, engine.settings.pr_fix, engine.clock.now()) {
            Decision::NeedsPull => {
                tx.rollback().await?;
                pull = read_pull(engine, &repo, pr).await;
            }
            Decision::Refused(refusal) => return Err(not_marked(&refusal)),
            Decision::Is(Marked { mut item, applied, note }) => {
                let change = Change::by(caller, "mark", AuditAction::PrFixMark).noting(note.as_deref());
                save(engine, &mut tx, &before, &mut item, &change).await?;
                let shown = show_one(&mut tx, item).await?;
                tx.commit().await?;
                call::send(engine, Some(before.status), &shown.item).await;
                return Ok((shown, applied));
            }
        }
    }
}

/// What becomes of a requeue.
#[derive(Debug)]
pub enum Requeued {
    Again(Box<Shown>),
    Refused(Refusal),
}

/// Gives the item of a pull request another chance, from its first attempt on.
pub async fn requeue(
    engine: &Engine,
    caller: &Caller,
    (repo, pr): (&RepoName, IssueNumber),
    said_closed: bool,
    note: Option<&str>,
) -> Result<Requeued> {
    let mut pull = Pull::NotRead;
    loop {
        let mut tx = engine.db.write().await?;
        let repo = pr_fix::present_name(&mut tx, repo).await?;
        let before = pr_fix::lock(&mut tx, &repo, pr).await?;
        let before = before.ok_or_else(|| Error::NotFound("pr-fix item not found".to_owned()))?;
        match decide_requeue(&before, said_closed, &pull, engine.clock.now()) {
            Decision::NeedsPull => {
                tx.rollback().await?;
                pull = read_pull(engine, &repo, pr).await;
            }
            Decision::Refused(refusal) => return Ok(Requeued::Refused(refusal)),
            Decision::Is(mut item) => {
                let change = Change::by(caller, "requeue", AuditAction::PrFixRequeue).noting(note);
                save(engine, &mut tx, &before, &mut item, &change).await?;
                let shown = show_one(&mut tx, item).await?;
                tx.commit().await?;
                call::send(engine, Some(before.status), &shown.item).await;
                return Ok(Requeued::Again(Box::new(shown)));
            }
        }
    }
}

fn not_marked(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::NotHanded => Error::Forbidden(refusal.to_string()),
        _ => Error::Conflict(refusal.to_string()),
    }
}
