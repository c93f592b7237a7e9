//! The `enqueue` verb: evidence that a pull request needs work.

use super::{Change, Shown, record, save, show_one};
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        ids::PrFixId,
        pr_fix::enqueue::{Enqueued, Evidence, enqueue as decide, first},
    },
    engine::Engine,
    store::{self, WriteTx, pr_fix, pr_fix_notes as notes},
};

/// Notes evidence, and opens the item or opens it again if that is what it means.
pub async fn enqueue(engine: &Engine, caller: &Caller, evidence: &Evidence) -> store::Result<Shown> {
    let mut tx = engine.db.write().await?;
    let repo = pr_fix::present_name(&mut tx, &evidence.repo).await?;
    let evidence = Evidence { repo, ..evidence.clone() };
    let change = Change {
        evidence_key: Some(&evidence.key),
        ..Change::by(caller, "enqueue", AuditAction::PrFixEnqueue)
    };
    // Whoever loses the race for the first row finds it, as rows are taken away only long after they were settled.
    let item = loop {
        if let Some(before) = pr_fix::lock(&mut tx, &evidence.repo, evidence.pr).await? {
            let is_known = !notes::add_evidence(&mut tx, &before.id, &evidence.key).await?;
            notes::add_feedback(&mut tx, &before.id, &evidence.feedback).await?;
            let limits = engine.settings.pr_fix;
            let Enqueued { mut item, note, late } =
                decide(&before, &evidence, is_known, limits, engine.clock.now());
            save(engine, &mut tx, &before, &mut item, &change.noting(note.as_deref())).await?;
            if let Some(late) = late {
                notes::add_late_evidence(&mut tx, &item.id, &late).await?;
            }
            break item;
        }
        let item = first(PrFixId(engine.ids.next()), &evidence, engine.clock.now());
        if pr_fix::insert(&mut tx, &item).await? {
            note_first(&mut tx, &item.id, &evidence).await?;
            record(engine, &mut tx, None, &item, &change).await?;
            break item;
        }
    };
    let shown = show_one(&mut tx, item).await?;
    tx.commit().await?;
    Ok(shown)
}

async fn note_first(tx: &mut WriteTx, item: &PrFixId, evidence: &Evidence) -> store::Result<()> {
    notes::add_evidence(tx, item, &evidence.key).await?;
    notes::add_feedback(tx, item, &evidence.feedback).await
}
