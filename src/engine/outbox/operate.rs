//! What operators do with entries: having them tried again, and giving them up.

use super::fields::{self, Turn};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        ids::{AuditId, OutboxId},
        outbox::{Content, EntryState},
        time::Timestamp,
    },
    engine::{Engine, Error, Result, labels, publish},
    store::{
        WriteTx, audit, issue_facts, outbox_fields,
        outbox_list::{self, Entry, Word, Write},
    },
};

/// Has an entry tried again now, or gives it up; gives it as it is then. What is tried again is sent at once if the
/// pace allows it.
pub async fn operate(engine: &Engine, caller: &Caller, id: &OutboxId, word: Word) -> Result<Entry> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let found = outbox_list::find(&mut tx, id).await?.ok_or_else(unknown)?;
    let turn = match &found.issue {
        Some(issue) => Turn::take(&mut tx, issue).await?,
        None => Turn::default(),
    };
    // Another may have been faster.
    let entry = outbox_list::find(&mut tx, id).await?.ok_or_else(unknown)?;
    may(&entry, word)?;
    if !outbox_list::operate(&mut tx, &entry, word, now).await? {
        return Err(Error::Conflict("It is being sent right now; try again in a moment".to_owned()));
    }
    show(engine, &mut tx, &entry, word, now).await?;
    turn.end(&mut tx).await?;
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &record(caller, &entry, word)).await?;
    tx.commit().await?;
    if word == Word::Retry {
        engine.outbox.encourage();
        match &entry.issue {
            Some(issue) => publish::now(engine, issue).await,
            None => publish::entry_now(engine, id).await,
        }
    }
    let mut tx = engine.db.read_once().await?;
    outbox_list::find(&mut tx, id).await?.ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::NotFound("No such entry in the outbox; GET /api/outbox lists those there are".to_owned())
}

fn may(entry: &Entry, word: Word) -> Result<()> {
    let refuse = |why: &str| Err(Error::Conflict(why.to_owned()));
    match (entry.state, word) {
        (EntryState::Settled, _) => refuse("GitHub has it already"),
        (EntryState::Discarded, _) => refuse("It was discarded; ask for the change anew"),
        (_, Word::Retry) if !entry.tracked => {
            refuse("Its repository is tracked no more; add it again before you retry, or discard the entry")
        }
        (EntryState::Pending | EntryState::Parked, _) => Ok(()),
    }
}

/// What is given up shows no more, what is tried again shows as if it was asked for now.
async fn show(engine: &Engine, tx: &mut WriteTx, entry: &Entry, word: Word, now: Timestamp) -> Result<()> {
    let Some(issue) = &entry.issue else { return Ok(()) };
    match (&entry.write, word) {
        (Write::Label(_), _) => {
            if let Some(issue) = issue_facts::find(tx, issue).await? {
                labels::edit(engine, tx, &issue, &[]).await?;
            }
        }
        (Write::Other(Content::Edit(edit)), Word::Retry) if entry.state == EntryState::Parked => {
            let beneath = fields::cover(engine, tx, issue, edit, now).await?;
            outbox_fields::cover(tx, &entry.id, &beneath).await?;
        }
        (Write::Other(Content::Edit(_)), Word::Discard) => {
            fields::lift(engine, tx, issue, |over| over.id == entry.id).await?;
        }
        (Write::Other(_), _) => {}
    }
    Ok(())
}

fn record(caller: &Caller, entry: &Entry, word: Word) -> NewAudit {
    let action = match word {
        Word::Retry => AuditAction::OutboxRetried,
        Word::Discard => AuditAction::OutboxDiscarded,
    };
    let whole = NewAudit::whole(caller.actor(), Some(&caller.token), action, entry.repo.as_str());
    let row = NewAudit { issue_number: entry.number, issue_id: entry.issue.clone(), ..whole };
    let what = entry.write.in_words();
    row.noting(match entry.pull {
        Some(number) => format!("PR {}#{number}: {what}", entry.repo),
        None => what,
    })
}
