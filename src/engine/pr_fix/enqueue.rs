//! The `enqueue` verb: evidence that a pull request needs work.

use super::{Change, Shown, call, record, save, show_one};
use crate::{
    domain::{
        access::Caller,
        audit::AuditAction,
        ids::PrFixId,
        pr_fix::{
            FixStatus, FixType, Item,
            enqueue::{Enqueued, Evidence, IS_CLOSED, Known, enqueue as decide, first},
        },
    },
    engine::Engine,
    store::{self, WriteTx, claims, pr_fix, pr_fix_notes as notes, pull_links, pulls},
};

/// Notes evidence, and opens the item or opens it again if that is what it means.
pub async fn enqueue(engine: &Engine, caller: &Caller, evidence: &Evidence) -> store::Result<Shown> {
    let mut tx = engine.db.write().await?;
    let repo = pr_fix::present_name(&mut tx, &evidence.repo).await?;
    let evidence = Evidence { repo, ..evidence.clone() };
    let is_closed = pulls::is_closed(&mut tx, &evidence.repo, evidence.pr).await?;
    let change = Change {
        evidence_key: Some(&evidence.key),
        ..Change::by(caller, "enqueue", AuditAction::PrFixEnqueue)
    };
    // The issues before the item, as all others lock them.
    let behind = pull_links::list_issues_behind(&mut tx, &evidence.repo, evidence.pr).await?;
    claims::lock_issues(&mut tx, &behind).await?;
    // Whoever loses the race for the first row finds it, as rows are taken away only long after they were settled.
    let (before, item) = loop {
        if let Some(before) = pr_fix::lock(&mut tx, &evidence.repo, evidence.pr).await? {
            let item = add(engine, &mut tx, &before, (&evidence, is_closed), &change).await?;
            break (Some(before.status), item);
        }
        if let Some(item) = insert(engine, &mut tx, (&evidence, is_closed), &change).await? {
            break (None, item);
        }
    };
    let shown = show_one(&mut tx, item).await?;
    tx.commit().await?;
    call::send(engine, before, &shown.item).await;
    Ok(shown)
}

/// The health of a pull request that an issue has asks for work: it gets an item if it has none, and one that was mended
/// is opened again by what is new. Any other is left as it is (`contract/agents.md` 3.2, step 4).
pub async fn enqueue_by_health(
    engine: &Engine,
    tx: &mut WriteTx,
    evidence: &Evidence,
    more: &[String],
    is_new: bool,
) -> store::Result<()> {
    let repo = pr_fix::present_name(tx, &evidence.repo).await?;
    let evidence = Evidence { repo, ..evidence.clone() };
    let change = Change {
        evidence_key: Some(&evidence.key),
        ..Change::by_dispatch("enqueue", AuditAction::PrFixEnqueue)
    };
    let item = match pr_fix::lock(tx, &evidence.repo, evidence.pr).await? {
        Some(before) if is_new && before.status == FixStatus::Fixed => {
            Some(add(engine, tx, &before, (&evidence, false), &change).await?)
        }
        Some(_) => None,
        // Who else made one meanwhile saw more than this.
        None => insert(engine, tx, (&evidence, false), &change).await?,
    };
    let Some(item) = item else { return Ok(()) };
    for text in more {
        notes::add_feedback(tx, &item.id, text).await?;
    }
    Ok(())
}

/// What Dispatch itself saw; false when it was known. A conflict of a commit that is said to be mended is told again.
pub async fn note(engine: &Engine, tx: &mut WriteTx, evidence: &Evidence) -> store::Result<bool> {
    let repo = pr_fix::present_name(tx, &evidence.repo).await?;
    let evidence = Evidence { repo, ..evidence.clone() };
    // Issues before the item, as everywhere.
    let behind = pull_links::list_issues_behind(tx, &evidence.repo, evidence.pr).await?;
    claims::lock_issues(tx, &behind).await?;
    let is_closed = pulls::is_closed(tx, &evidence.repo, evidence.pr).await?;
    let change = Change {
        evidence_key: Some(&evidence.key),
        ..Change::by_dispatch("enqueue", AuditAction::PrFixEnqueue)
    };
    loop {
        if let Some(before) = pr_fix::lock(tx, &evidence.repo, evidence.pr).await? {
            let is_back = before.status == FixStatus::Fixed && evidence.kind == FixType::MergeConflict;
            if !is_back && notes::knows(tx, &before.id, &evidence.key).await? {
                return Ok(false);
            }
            add(engine, tx, &before, (&evidence, is_closed), &change).await?;
            return Ok(true);
        }
        if insert(engine, tx, (&evidence, is_closed), &change).await?.is_some() {
            return Ok(true);
        }
    }
}

/// More is known of evidence that was noted in fewer words. It is no news: nothing else follows from it.
pub async fn say_more(tx: &mut WriteTx, before: &Evidence, now: &Evidence) -> store::Result<()> {
    if before.feedback == now.feedback {
        return Ok(());
    }
    let repo = pr_fix::present_name(tx, &now.repo).await?;
    let Some(item) = pr_fix::lock(tx, &repo, now.pr).await? else { return Ok(()) };
    notes::replace_feedback(tx, &item.id, &before.feedback, &now.feedback).await
}

/// Was this evidence noted?
pub async fn is_known(engine: &Engine, evidence: &Evidence) -> store::Result<bool> {
    let mut tx = engine.db.read().await?;
    let repo = pr_fix::present_name(&mut tx, &evidence.repo).await?;
    let Some(item) = pr_fix::find(&mut tx, &repo, evidence.pr).await? else { return Ok(false) };
    notes::knows(&mut tx, &item.id, &evidence.key).await
}

async fn add(
    engine: &Engine,
    tx: &mut WriteTx,
    before: &Item,
    (evidence, is_closed): (&Evidence, bool),
    change: &Change<'_>,
) -> store::Result<Item> {
    let is_known = !notes::add_evidence(tx, &before.id, &evidence.key).await?;
    notes::add_feedback(tx, &before.id, &evidence.feedback).await?;
    let limits = engine.settings.pr_fix;
    let Enqueued { mut item, note, late } =
        decide(before, evidence, Known { is_known, is_closed }, limits, engine.clock.now());
    save(engine, tx, before, &mut item, &change.noting(note.as_deref())).await?;
    if let Some(late) = late {
        notes::add_late_evidence(tx, &item.id, &late).await?;
    }
    Ok(item)
}

/// The first item of a pull request, and what it means for the issues that show the pull request. `None`: it has one by now.
async fn insert(
    engine: &Engine,
    tx: &mut WriteTx,
    (evidence, is_closed): (&Evidence, bool),
    change: &Change<'_>,
) -> store::Result<Option<Item>> {
    let item = first(PrFixId(engine.ids.next()), evidence, is_closed, engine.clock.now());
    if !pr_fix::insert(tx, &item).await? {
        return Ok(None);
    }
    notes::add_evidence(tx, &item.id, &evidence.key).await?;
    notes::add_feedback(tx, &item.id, &evidence.feedback).await?;
    record(engine, tx, None, &item, &change.noting(is_closed.then_some(IS_CLOSED))).await?;
    let behind = pull_links::list_issues_behind(tx, &item.repo, item.pr).await?;
    claims::lock_issues(tx, &behind).await?;
    pull_links::relink(tx, &behind).await?;
    Ok(Some(item))
}
