//! Sending comments, edits, new issues, and what pull requests bear. What went out and was never answered is looked for
//! before it is sent again.

use std::time::Duration;

use super::{failure, park};
use crate::{
    domain::{
        issue::IssueState,
        labels::LabelEdit,
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
        outbox_pulls,
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
    let Some(mut sending) = taken else { return Ok(Went::On) };
    published.tried += 1;
    failpoint!("outbox.write.taken");
    if let Some(since) = sending.unsure_since {
        match look_for(engine, due, &sending, since).await {
            // Looking may have taken long.
            Ok(Found::Absent) if hold(engine, &sending).await? => {}
            Ok(Found::Absent) => return Ok(Went::On),
            // It says what was wanted then.
            Ok(Found::There(made)) if matches!(sending.content.0, Content::Call(_)) => {
                if !hold(engine, &sending).await? {
                    return Ok(Went::On);
                }
                sending.made = Some(made.into());
            }
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
        // A person deleted the comment.
        Err(GitHubError::NotFound) if sending.made.is_some() => {
            let mut tx = engine.db.write().await?;
            outbox_pulls::lose(&mut tx, &sending, engine.clock.now()).await?;
            tx.commit().await?;
            Ok(Went::On)
        }
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

/// Is it there already? An edit or a label is as good as absent: the same again changes nothing. So is a comment whose
/// number is known.
async fn look_for(
    engine: &Engine,
    due: &Due,
    sending: &Sending,
    since: Timestamp,
) -> Result<Found, GitHubError> {
    let since = since.minus(CLOCKS_DIFFER);
    match (&sending.content.0, due.number) {
        (Content::Call(_), _) if sending.made.is_some() => Ok(Found::Absent),
        (Content::Comment(_) | Content::Call(_), Some(number)) => {
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
        (Content::Label(LabelEdit { label, wanted: true }), Some(number)) => {
            github.add_labels(home, number, &[label]).await.map(|()| None)
        }
        (Content::Label(edit), Some(number)) => {
            github.remove_label(home, number, &edit.label).await.map(|()| None)
        }
        (Content::Call(text), Some(number)) => {
            match (text, sending.made.as_ref().and_then(|made| made.comment)) {
                (Some(text), None) => {
                    engine.outbox.posts.take();
                    github.comment(home, number, text, &sending.id).await.map(Some)
                }
                (Some(text), Some(comment)) => {
                    github.edit_comment(home, comment, text, &sending.id).await.map(Some)
                }
                (None, Some(comment)) => github.delete_comment(home, comment).await.map(|()| None),
                (None, None) => Ok(None),
            }
        }
        // Of an issue that was forgotten meanwhile.
        (_, None) => Err(GitHubError::NotFound),
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
    match (next_try_at, &due.issue_id, due.pull) {
        (Some(at), ..) => {
            let is_looked_for = tried == Try::Unsure
                && sending.made.is_none()
                && matches!(due.kind, Kind::Comment | Kind::CreateIssue);
            let at = if is_looked_for { at.max(engine.clock.now().plus(outbox::LAG)) } else { at };
            let mut tx = engine.db.write().await?;
            outbox::put_off(&mut tx, sending, (&what, tried), at).await?;
            tx.commit().await?;
        }
        (None, Some(issue), _) if went == Went::Over => {
            park::issue(engine, issue, Some(sending), &what).await?;
        }
        (None, _, Some(number)) if went == Went::Over => {
            park::pull(engine, (due, number), sending, &what).await?;
        }
        (None, ..) => park::entry(engine, due, sending, (&what, tried)).await?,
    }
    Ok(if due.issue_id.is_none() && went == Went::Over { Went::On } else { went })
}
