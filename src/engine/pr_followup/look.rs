//! One pull request: what was said and found since it was last looked at.

use super::{Report, gates};
use crate::{
    domain::{
        ci_failure::Excerpt,
        ids::IssueNumber,
        pr_fix::enqueue::Evidence,
        pr_followup::{Event, Followed, evidence, is_conflict_over},
        pull::{CheckRun, health},
        pull_event::{PullComment, PullReview},
        repo::TrackedRepo,
        time::Timestamp,
    },
    engine::{
        Engine, Result, conditional,
        pr_fix::{self, enqueue::note},
        pulls,
    },
    github::{self, JobLog, Reading, Validator},
    store::{self, WriteTx},
};

/// What a read said, and how to go on from there.
struct Seen {
    evidence: Vec<Evidence>,
    place: String,
    etag: Option<Validator>,
    since: Option<Timestamp>,
}

/// Looks at one pull request; each read is written with what followed from it.
pub async fn look(engine: &Engine, repo: &TrackedRepo, pull: &Followed, report: &mut Report) -> Result<()> {
    comments(engine, repo, pull, report).await?;
    line_comments(engine, repo, pull, report).await?;
    reviews(engine, repo, pull, report).await?;
    checks(engine, repo, pull, report).await?;
    merge_state(engine, repo, pull, report).await
}

/// What was read. What GitHub refuses is counted, and keeps nothing else from being read: it is as if nothing were new.
fn had<T>(
    read: std::result::Result<Reading<T>, github::Error>,
    pull: &Followed,
    report: &mut Report,
) -> Result<Reading<T>> {
    match read {
        Err(error) if error.is_refusal() => {
            tracing::info!(repository = %pull.repo, pr = %pull.number, %error, "something of it could not be read");
            report.refused += 1;
            Ok(Reading::Same)
        }
        read => read.map_err(conditional::in_words),
    }
}

async fn take(engine: &Engine, repo: &TrackedRepo, seen: Seen, report: &mut Report) -> Result<()> {
    let mut tx = engine.db.write().await?;
    for evidence in &seen.evidence {
        let is_new = note(engine, &mut tx, evidence).await?;
        *(if is_new { &mut report.enqueued } else { &mut report.skipped }) += 1;
    }
    conditional::remember(engine, &mut tx, &repo.id, &seen.place, seen.etag, seen.since).await?;
    tx.commit().await?;
    Ok(())
}

async fn comments(engine: &Engine, repo: &TrackedRepo, pull: &Followed, report: &mut Report) -> Result<()> {
    let place = format!("comments/{}", pull.number);
    let held = conditional::held(engine, &repo.id, &place).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let read =
        engine.github.comments_since(&repo.name, pull.number, held.since, held.etag.as_ref(), point).await;
    let Reading::New { content, etag } = had(read, pull, report)? else { return Ok(()) };
    let made = content.iter().filter_map(|comment| evidence(&gates(engine), pull, Event::Comment(comment)));
    let seen = said(made.collect(), place, etag, held.since, &content);
    take(engine, repo, seen, report).await
}

async fn line_comments(
    engine: &Engine,
    repo: &TrackedRepo,
    pull: &Followed,
    report: &mut Report,
) -> Result<()> {
    let place = format!("line-comments/{}", pull.number);
    let held = conditional::held(engine, &repo.id, &place).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let read = engine
        .github
        .line_comments_since(&repo.name, pull.number, held.since, held.etag.as_ref(), point)
        .await;
    let Reading::New { content, etag } = had(read, pull, report)? else { return Ok(()) };
    let made =
        content.iter().filter_map(|comment| evidence(&gates(engine), pull, Event::LineComment(comment)));
    let seen = said(made.collect(), place, etag, held.since, &content);
    take(engine, repo, seen, report).await
}

/// Where a list of comments was read to. Another beginning is another address, for which this `ETag` is worth nothing.
fn said(
    evidence: Vec<Evidence>,
    place: String,
    etag: Option<Validator>,
    held: Option<Timestamp>,
    comments: &[PullComment],
) -> Seen {
    let since = comments.iter().map(|comment| comment.updated_at).max().max(held);
    Seen { evidence, place, etag: etag.filter(|_| since == held), since }
}

/// Only what a reviewer says by now counts: an approval takes back what was asked for before.
async fn reviews(engine: &Engine, repo: &TrackedRepo, pull: &Followed, report: &mut Report) -> Result<()> {
    let place = format!("reviews/{}", pull.number);
    let held = conditional::held(engine, &repo.id, &place).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let read = engine.github.reviews(&repo.name, pull.number, held.etag.as_ref(), Some(point)).await;
    let Reading::New { content, etag } = had(read, pull, report)? else { return Ok(()) };
    let mut present = health::Evidence::default();
    for review in &content {
        present.review(review);
    }
    let counts = |review: &&PullReview| present.opinions.iter().any(|opinion| opinion.review == review.id);
    let made = content
        .iter()
        .filter(counts)
        .filter_map(|review| evidence(&gates(engine), pull, Event::Review(review)));
    let seen = Seen { evidence: made.collect(), place, etag, since: None };
    take(engine, repo, seen, report).await
}

async fn checks(engine: &Engine, repo: &TrackedRepo, pull: &Followed, report: &mut Report) -> Result<()> {
    let Some(head) = &pull.head_sha else { return Ok(()) };
    let place = format!("checks/{head}");
    let last = conditional::held(engine, &repo.id, &place).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let read = engine.github.check_runs(&repo.name, head, last.etag.as_ref(), Some(point)).await;
    // A token may well be good for pull requests and not for checks: then there are none.
    if let Err(github::Error::Forbidden | github::Error::NotFound) = read {
        tracing::debug!(repo = %repo.name, "the checks of commits may not be read");
        return Ok(());
    }
    let Reading::New { content, etag } = had(read, pull, report)? else { return Ok(()) };
    let mut is_whole = true;
    for run in &content {
        let Some(bare) = evidence(&gates(engine), pull, Event::Check(run, None)) else { continue };
        // Before its log: what failed is work whether there is one or not.
        if pr_fix::enqueue::is_known(engine, &bare).await? {
            report.skipped += 1;
        } else {
            let mut tx = engine.db.write().await?;
            let is_new = note(engine, &mut tx, &bare).await?;
            tx.commit().await?;
            *(if is_new { &mut report.enqueued } else { &mut report.skipped }) += 1;
        }
        is_whole &= bring_log(engine, repo, pull, (run, &bare), report).await?;
    }
    if !is_whole {
        return Ok(());
    }
    take(engine, repo, Seen { evidence: Vec::new(), place, etag, since: None }, report).await
}

/// Adds the log of a failing check to what was noted of it, once; a webhook brings none. False where it could not be fetched,
/// which passes: it is asked for again at the next look, for which the checks must not be as they were.
async fn bring_log(
    engine: &Engine,
    repo: &TrackedRepo,
    pull: &Followed,
    (run, bare): (&CheckRun, &Evidence),
    report: &mut Report,
) -> Result<bool> {
    let Some(place) = log_place(run) else { return Ok(true) };
    if conditional::was_read(engine, &repo.id, &place).await? {
        return Ok(true);
    }
    let said = match log_of(engine, repo, run).await {
        Ok(said) => said,
        Err(error) if error.is_outage() => {
            tracing::info!(repository = %pull.repo, pr = %pull.number, job = run.id, %error, "its log could not be fetched");
            report.refused += 1;
            return Ok(false);
        }
        Err(error) => return Err(conditional::in_words(error)),
    };
    let mut tx = engine.db.write().await?;
    if let Some(whole) = evidence(&gates(engine), pull, Event::Check(run, said.as_deref())) {
        pr_fix::enqueue::say_more(&mut tx, bare, &whole).await?;
    }
    conditional::remember(engine, &mut tx, &repo.id, &place, None, None).await?;
    tx.commit().await?;
    Ok(true)
}

/// Where it stands that the log of a failing check was asked for; none of a check that has no log. What is a job of GitHub
/// Actions bears its number.
fn log_place(run: &CheckRun) -> Option<String> {
    let is_job = run.url.as_deref().is_some_and(|url| url.contains("/actions/runs/"));
    is_job.then(|| format!("log/{}", run.id))
}

/// What matters of a log; none where it is not to be had.
async fn log_of(
    engine: &Engine,
    repo: &TrackedRepo,
    run: &CheckRun,
) -> std::result::Result<Option<String>, github::Error> {
    match engine.github.job_log(&repo.name, run.id).await? {
        JobLog::Text(log) => Ok(Some(Excerpt::of(&log).shown)),
        JobLog::NotThere => Ok(None),
        JobLog::OutOfReach(error) => Err(error),
    }
}

async fn merge_state(
    engine: &Engine,
    repo: &TrackedRepo,
    pull: &Followed,
    report: &mut Report,
) -> Result<()> {
    let place = merge_state_of(pull.number);
    let held = conditional::held(engine, &repo.id, &place).await?;
    let point = conditional::admit(engine, &repo.name)?;
    let read = engine.github.pull_now(&repo.name, pull.number, held.etag.as_ref(), Some(point)).await;
    let Reading::New { content, etag } = had(read, pull, report)? else { return Ok(()) };
    let state = content.mergeable_state.as_deref().unwrap_or_default();
    let mut tx = engine.db.write().await?;
    // What comes late is held against it.
    pulls::heard::read(engine, &mut tx, repo, &content).await?;
    // A poll makes work of conflicts only; of `behind` and the like webhooks tell (`contract/operations.md` 5.1, 5.3).
    match is_conflict_over(state) {
        Some(true) => pr_fix::close::conflict_is_over(engine, &mut tx, &repo.name, pull.number).await?,
        Some(false) => {
            let pull = Followed { head_sha: Some(content.head.sha.clone()), ..pull.clone() };
            if let Some(evidence) = evidence(&gates(engine), &pull, Event::MergeState(state)) {
                let is_new = note(engine, &mut tx, &evidence).await?;
                *(if is_new { &mut report.enqueued } else { &mut report.skipped }) += 1;
            }
        }
        None => {}
    }
    conditional::remember(engine, &mut tx, &repo.id, &place, etag, None).await?;
    tx.commit().await?;
    Ok(())
}

fn merge_state_of(pull: IssueNumber) -> String {
    format!("pull/{pull}/follow-up")
}

/// What was last read of it is in doubt: the next look reads it whether it changed or not.
pub async fn forget_merge_state(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    pull: IssueNumber,
) -> store::Result<()> {
    conditional::remember(engine, tx, &repo.id, &merge_state_of(pull), None, None).await
}
