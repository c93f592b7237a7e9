//! Sending label edits: all additions to an issue in one request, each removal in its own.

use super::{failure, park};
use crate::{
    domain::{notice::Subject, outbox::Try, time::Timestamp},
    engine::{
        Engine,
        failpoint::failpoint,
        labels,
        publish::{After, Published, SENDING, Went, after},
    },
    github::{Error as GitHubError, Home},
    store::{
        self, claims, issue_facts,
        label_edits::{self, Due, Sending},
    },
};

/// Sends the edits of one issue.
pub async fn send(engine: &Engine, due: &Due, published: &mut Published) -> store::Result<Went> {
    if !engine.outbox.pace.has_room() {
        return Ok(Went::No);
    }
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    // What another process takes at the same time is seen only after it has the issue no more.
    claims::lock_issue(&mut tx, &due.issue_id).await?;
    let edits = label_edits::take(&mut tx, &due.issue_id, &engine.instance, now, now.plus(SENDING)).await?;
    tx.commit().await?;
    published.tried += edits.len() as u64;
    failpoint!("outbox.taken");
    let mut went = Went::On;
    for (n, mut batch) in batches(edits).into_iter().enumerate() {
        if went == Went::Over {
            break;
        }
        if went == Went::No {
            put_off(engine, due, &batch, ("not tried yet", Try::Void), engine.clock.now()).await?;
            continue;
        }
        // The requests before may have taken long.
        if n > 0 {
            batch = hold(engine, due, batch).await?;
        }
        if batch.is_empty() {
            continue;
        }
        engine.outbox.pace.take();
        let outcome = request(engine, due, &batch).await;
        went = settle(engine, due, &batch, outcome, published).await?;
    }
    Ok(went)
}

/// Those of the edits that are still ours to send, and wanted as they were taken; the others are left alone.
async fn hold(engine: &Engine, due: &Due, batch: Vec<Sending>) -> store::Result<Vec<Sending>> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    claims::lock_issue(&mut tx, &due.issue_id).await?;
    let mut held = Vec::with_capacity(batch.len());
    for edit in batch {
        if label_edits::hold(&mut tx, &due.issue_id, &edit, now.plus(SENDING)).await? {
            held.push(edit);
        } else {
            label_edits::put_off(&mut tx, &due.issue_id, &edit, ("not tried yet", Try::Void), now).await?;
        }
    }
    tx.commit().await?;
    Ok(held)
}

/// The requests to be made. What was refused before goes out one by one, so that one label that GitHub does not take
/// keeps no other from being added.
fn batches(edits: Vec<Sending>) -> Vec<Vec<Sending>> {
    let (adds, removals): (Vec<_>, Vec<_>) = edits.into_iter().partition(|edit| edit.wanted);
    let together = adds.len() > 1 && adds.iter().all(|edit| edit.attempts == 1);
    let mut batches: Vec<Vec<Sending>> =
        if together { vec![adds] } else { adds.into_iter().map(|edit| vec![edit]).collect() };
    batches.extend(removals.into_iter().map(|edit| vec![edit]));
    batches
}

async fn request(engine: &Engine, due: &Due, batch: &[Sending]) -> Result<(), GitHubError> {
    let home = Home { name: &due.full_name, github_id: due.github_id };
    match batch {
        [edit] if !edit.wanted => engine.github.remove_label(home, due.number, &edit.label).await,
        adds => {
            let names: Vec<&str> = adds.iter().map(|edit| edit.label.as_str()).collect();
            engine.github.add_labels(home, due.number, &names).await
        }
    }
}

/// Writes down what became of a request.
async fn settle(
    engine: &Engine,
    due: &Due,
    edits: &[Sending],
    outcome: Result<(), GitHubError>,
    published: &mut Published,
) -> store::Result<Went> {
    failpoint!("outbox.sent");
    let error = match outcome {
        Ok(()) => {
            let now = engine.clock.now();
            let mut tx = engine.db.write().await?;
            claims::lock_issue(&mut tx, &due.issue_id).await?;
            for edit in edits {
                label_edits::settle(&mut tx, &due.issue_id, edit, now).await?;
            }
            tx.commit().await?;
            engine.unheard.add(&due.full_name);
            failpoint!("outbox.settled");
            published.sent += edits.len() as u64;
            return Ok(Went::On);
        }
        Err(error) => error,
    };
    let subject = Subject::Issue(format!("{}#{}", due.full_name, due.number));
    let tries = edits.iter().map(|edit| edit.attempts).max().unwrap_or(1);
    let After { went, next_try_at } = after(engine, subject, &error, tries, published);
    let what = failure::in_words(&error);
    match next_try_at {
        Some(at) => put_off(engine, due, edits, (&what, failure::tried(&error)), at).await?,
        None if went == Went::Over => park::issue(engine, &due.issue_id, None, &what).await?,
        None => park_these(engine, due, edits, &what).await?,
    }
    Ok(went)
}

async fn put_off(
    engine: &Engine,
    due: &Due,
    edits: &[Sending],
    why: (&str, Try),
    next_try_at: Timestamp,
) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    claims::lock_issue(&mut tx, &due.issue_id).await?;
    for edit in edits {
        label_edits::put_off(&mut tx, &due.issue_id, edit, why, next_try_at).await?;
    }
    tx.commit().await
}

/// GitHub does not take these: the cache shows what it says again.
async fn park_these(engine: &Engine, due: &Due, edits: &[Sending], error: &str) -> store::Result<()> {
    let mut tx = engine.db.write().await?;
    claims::lock_issue(&mut tx, &due.issue_id).await?;
    for edit in edits {
        if label_edits::park_one(&mut tx, &due.issue_id, edit, error).await? == 0 {
            // It was changed meanwhile: GitHub may take what it is now.
            let now = engine.clock.now();
            label_edits::put_off(&mut tx, &due.issue_id, edit, (error, Try::Refused), now).await?;
        }
    }
    if let Some(issue) = issue_facts::find(&mut tx, &due.issue_id).await? {
        labels::edit(engine, &mut tx, &issue, &[]).await?;
    }
    tx.commit().await
}
