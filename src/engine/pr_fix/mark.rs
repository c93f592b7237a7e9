//! The verbs `mark` and `requeue`: somebody says where an item stands, or gives it another chance.

use super::{Change, Shown, read_pull, save, show_one};
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        ids::IssueNumber,
        pr_fix::{
            Decision, Pull,
            mark::{Mark, Marked, Refusal, mark as decide, requeue as decide_requeue},
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
        let late = notes::list_late_evidence(&mut tx, &before.id).await?;
        match decide(&before, ask, &late, &pull, engine.settings.pr_fix, engine.clock.now()) {
            Decision::NeedsPull => {
                tx.rollback().await?;
                pull = read_pull(engine, &repo, pr).await;
            }
            Decision::Refused(refusal) => return Err(Error::Conflict(refusal.to_string())),
            Decision::Is(Marked { mut item, applied, note }) => {
                let change = Change::by(caller, "mark", AuditAction::PrFixMark).noting(note.as_deref());
                save(engine, &mut tx, &before, &mut item, &change).await?;
                let shown = show_one(&mut tx, item).await?;
                tx.commit().await?;
                return Ok((shown, applied));
            }
        }
    }
}

/// Gives the item of a pull request another chance, from its first attempt on.
pub async fn requeue(
    engine: &Engine,
    caller: &Caller,
    (repo, pr): (&RepoName, IssueNumber),
    said_closed: bool,
    note: Option<&str>,
) -> Result<Shown> {
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
            Decision::Refused(refusal) => return Err(refused(&refusal)),
            Decision::Is(mut item) => {
                let change = Change::by(caller, "requeue", AuditAction::PrFixRequeue).noting(note);
                save(engine, &mut tx, &before, &mut item, &change).await?;
                let shown = show_one(&mut tx, item).await?;
                tx.commit().await?;
                return Ok(shown);
            }
        }
    }
}

fn refused(refusal: &Refusal) -> Error {
    Error::Invalid { field: "pr", rule: refusal.to_string() }
}
