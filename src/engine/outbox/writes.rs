//! Sending comments, edits and new issues. What went out and was never answered is looked for before it is sent again.

use std::time::Duration;

use super::{failure, park};
use crate::{
    domain::{
        issue::IssueState,
        notice::Subject,
        outbox::{Content, Edit, Kind, Made, Try},
        time::Timestamp,
    },
    engine::{
        Engine,
        failpoint::failpoint,
        labels,
        publish::{After, Published, SENDING, Went, after},
    },
    github::{Error as GitHubError, Found, Home},
    store::{
        self, claims,
        outbox::{self, Due, Sending},
    },
};

/// Our clock and GitHub's may differ by so much, and a comment of ours is found all the same.
const CLOCKS_DIFFER: Duration = Duration::from_hours(24);
/// Why an entry is parked that may be at GitHub or not.
const UNKNOWN: &str = "an earlier try was never answered, and too much was written since to find out whether it worked; \
    look on GitHub, then discard it";

/// Sends one entry.
pub async fn send(engine: &Engine, due: &Due, published: &mut Published) -> store::Result<Went> {
    if !engine.outbox.pace.has_room() {
        return Ok(Went::No);
    }
    // Left to the next look at what is due, which leaves out what has no room.
    if !engine.outbox.has_room_for(due) {
        return Ok(Went::On);
    }
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let taken = outbox::take(&mut tx, &due.id, &engine.instance, now, now.plus(SENDING)).await?;
    tx.commit().await?;
    let Some(sending) = taken else { return Ok(Went::On) };
    published.tried += 1;
    failpoint!("outbox.write.taken");
    if let Some(since) = sending.unsure_since {
        match look_for(engine, due, &sending, since).await {
            // Looking may have taken long.
            Ok(Found::Absent) if hold(engine, &sending).await? => {}
            Ok(Found::Absent) => return Ok(Went::On),
            Ok(Found::There(made)) => return settle(engine, due, &sending, Some(made), published).await,
            Ok(Found::TooMany) => {
                park::entry(engine, due, &sending, (UNKNOWN, Try::Refused)).await?;
                return Ok(Went::On);
            }
            Err(error) => {
                let tried = match failure::tried(&error) {
                    // Only the looking failed.
                    Try::Unsure => Try::Refused,
                    tried => tried,
                };
                return failed(engine, due, &sending, (&error, tried), published).await;
            }
        }
    }
    engine.outbox.pace.take();
    let outcome = request(engine, due, &sending).await;
    failpoint!("outbox.write.sent");
    match outcome {
        Ok(made) => settle(engine, due, &sending, made, published).await,
        Err(error) => failed(engine, due, &sending, (&error, failure::tried(&error)), published).await,
    }
}

/// Is it still ours to send?
async fn hold(engine: &Engine, sending: &Sending) -> store::Result<bool> {
    let mut tx = engine.db.write().await?;
    let held = outbox::hold(&mut tx, sending, engine.clock.now().plus(SENDING)).await?;
    tx.commit().await?;
    Ok(held)
}

/// Is it there already? An edit is as good as absent: the same again changes nothing.
async fn look_for(
    engine: &Engine,
    due: &Due,
    sending: &Sending,
    since: Timestamp,
) -> Result<Found, GitHubError> {
    let since = since.minus(CLOCKS_DIFFER);
    match (&sending.content.0, due.number) {
        (Content::Comment(_), Some(number)) => {
            engine.github.find_comment(&due.full_name, number, &sending.id, since).await
        }
        (Content::CreateIssue(_), _) => engine.github.find_issue(&due.full_name, &sending.id, since).await,
        _ => Ok(Found::Absent),
    }
}

async fn request(engine: &Engine, due: &Due, sending: &Sending) -> Result<Option<Made>, GitHubError> {
    let github = &engine.github;
    let home = Home { name: &due.full_name, github_id: due.github_id };
    match (&sending.content.0, due.number) {
        (Content::Comment(text), Some(number)) => {
            engine.outbox.posts.take();
            github.comment(home, number, text, &sending.id).await.map(Some)
        }
        (Content::Edit(edit), Some(number)) => github.edit_issue(home, number, edit).await.map(|()| None),
        (Content::CreateIssue(new), _) => {
            engine.outbox.posts.take();
            github.create_issue(home, new, &sending.id).await.map(Some)
        }
        // Of an issue that was forgotten meanwhile.
        (Content::Comment(_) | Content::Edit(_), None) => Err(GitHubError::NotFound),
    }
}

/// GitHub has it.
async fn settle(
    engine: &Engine,
    due: &Due,
    sending: &Sending,
    made: Option<Made>,
    published: &mut Published,
) -> store::Result<Went> {
    let mut tx = engine.db.write().await?;
    if let Some(issue) = &due.issue_id {
        claims::lock_issue(&mut tx, issue).await?;
    }
    let settled = outbox::settle(&mut tx, sending, made.as_ref(), engine.clock.now()).await?;
    if let Content::Edit(_) = sending.content.0 {
        engine.unheard.add(&due.full_name);
    }
    if let (true, Content::Edit(Edit::State(edit)), Some(issue)) =
        (settled, &sending.content.0, &due.issue_id)
        && edit.state() == IssueState::Closed
    {
        labels::mark_done(engine, &mut tx, issue).await?;
    }
    tx.commit().await?;
    failpoint!("outbox.write.settled");
    published.sent += 1;
    Ok(Went::On)
}

/// It did not work, as far as anybody knows.
async fn failed(
    engine: &Engine,
    due: &Due,
    sending: &Sending,
    (error, tried): (&GitHubError, Try),
    published: &mut Published,
) -> store::Result<Went> {
    let subject = match due.number {
        Some(number) => Subject::Issue(format!("{}#{number}", due.full_name)),
        None => Subject::Repo(due.full_name.clone()),
    };
    let After { went, next_try_at } = after(engine, subject, error, sending.attempts, published);
    let what = failure::in_words(error);
    match (next_try_at, &due.issue_id) {
        (Some(at), _) => {
            let is_looked_for = tried == Try::Unsure && due.kind != Kind::Edit;
            let at = if is_looked_for { at.max(engine.clock.now().plus(outbox::LAG)) } else { at };
            let mut tx = engine.db.write().await?;
            outbox::put_off(&mut tx, sending, (&what, tried), at).await?;
            tx.commit().await?;
        }
        (None, Some(issue)) if went == Went::Over => park::issue(engine, issue, Some(sending), &what).await?,
        (None, _) => park::entry(engine, due, sending, (&what, tried)).await?,
    }
    Ok(if due.issue_id.is_none() && went == Went::Over { Went::On } else { went })
}
