//! Opening an issue about a failure, and closing it when the workflow works again. Both go out by the outbox.

use crate::{
    domain::{
        audit::{AuditAction, NewAudit, SYSTEM},
        ci_failure::{Excerpt, Filed, Filing, Run, Shown, State, Told, decide, is_scan, signature},
        ids::{AuditId, IssueNumber},
        issue::IssueState,
        outbox::{Asker, StateEdit},
    },
    engine::{
        Engine, Error, Result, conditional,
        outbox::{self, Turn},
        publish,
    },
    github::JobLog,
    store::{audit, ci_failures, issue_facts, outbox_list, repos::RepoRow},
};

/// What came of a failure.
pub enum Outcome {
    Filed(Option<IssueNumber>),
    /// Why no issue was opened.
    Skipped(String),
    /// GitHub refused or failed to give what there is to be known of it; of other workflows it may well tell.
    Refused(Error),
}

fn told() -> Outcome {
    Outcome::Skipped("an open issue tells of it".to_owned())
}

/// Opens an issue unless one tells of that failure.
pub async fn file(
    engine: &Engine,
    repo: &RepoRow,
    known: &[(Filed, Shown)],
    last: &Run,
    before: &Run,
) -> Result<Outcome> {
    let is_open = |shown: Shown, filed: &Filed| match shown {
        Shown::Is(state) => state == IssueState::Open,
        Shown::NotYet => filed.state == State::Open,
        Shown::Gone => false,
    };
    if known.iter().any(|(filed, shown)| filed.run_id == last.id && is_open(*shown, filed)) {
        return Ok(told());
    }
    let name = &repo.full_name;
    let job = match engine.github.find_failed_job(name, last.id).await {
        Err(error) if error.is_refusal() => return Ok(Outcome::Refused(conditional::in_words(error))),
        found => found.map_err(conditional::in_words)?,
    };
    let Some(job) = job else {
        return Ok(Outcome::Skipped("the run failed, and none of its jobs did".to_owned()));
    };
    let log = match engine.github.job_log(name, job.id).await {
        Ok(JobLog::Text(log)) => log,
        // Only the log tells whether an open issue is about this failure: the next look may have it.
        Ok(JobLog::OutOfReach(error)) if known.iter().any(|(filed, shown)| is_open(*shown, filed)) => {
            return Ok(Outcome::Refused(conditional::in_words(error)));
        }
        Ok(JobLog::NotThere | JobLog::OutOfReach(_)) => String::new(),
        Err(error) if error.is_outage() => return Ok(Outcome::Refused(conditional::in_words(error))),
        Err(error) => return Err(conditional::in_words(error)),
    };
    let excerpt = Excerpt::of(&log);
    let signed = |excerpt: &Excerpt| signature(name.as_str(), &last.workflow, &job.name, excerpt);
    // An issue that was opened without a log tells of whatever fails in its job.
    let (signature, bare) = (signed(&excerpt), signed(&Excerpt::of("")));
    let same: Vec<(&Filed, Shown)> = known
        .iter()
        .filter(|(filed, _)| [&signature, &bare].contains(&&filed.signature))
        .map(|(filed, shown)| (filed, *shown))
        .collect();
    let predecessor = match decide(&same, before) {
        Filing::Told => {
            saw_again(engine, &same, last).await?;
            return Ok(told());
        }
        Filing::JustClosed(number) => {
            return Ok(Outcome::Skipped(format!("#{number} was closed; two failures after that count")));
        }
        Filing::File(predecessor) => predecessor,
    };
    let is_scan = is_scan(&last.workflow, &job.name, &excerpt);
    let told_of = Told {
        run: last,
        branch: &repo.default_branch,
        job: &job,
        excerpt: &excerpt,
        signature: &signature,
        is_scan,
        before: predecessor,
    };
    let issue = told_of.issue(&engine.settings.follow_up.ci_labels);
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let title = issue.title.clone();
    let entry = outbox::create(engine, &mut tx, &repo.id, issue, &Asker::system()).await?;
    let filed = Filed {
        id: engine.ids.next(),
        repo: repo.id.clone(),
        workflow_id: last.workflow_id,
        workflow: last.workflow.clone(),
        signature,
        run_id: last.id,
        entry: Some(entry.clone()),
        number: None,
        state: State::Open,
        closed_at: None,
        created_at: now,
    };
    if !ci_failures::insert(&mut tx, &filed).await? {
        tx.rollback().await?;
        return Ok(told());
    }
    let row = NewAudit::whole(SYSTEM, None, AuditAction::CiFailureFiled, name.as_str()).noting(title);
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &row).await?;
    tx.commit().await?;
    publish::entry_now(engine, &entry).await;
    let mut tx = engine.db.read_once().await?;
    let made = outbox_list::find(&mut tx, &entry).await?.and_then(|entry| entry.made);
    Ok(Outcome::Filed(made.and_then(|made| made.number)))
}

/// The newest run that failed thus needs no second look.
async fn saw_again(engine: &Engine, same: &[(&Filed, Shown)], last: &Run) -> Result<()> {
    let mut tx = engine.db.write().await?;
    for (filed, _) in same {
        ci_failures::update(&mut tx, &Filed { run_id: last.id, ..(*filed).clone() }).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Closes an issue of ours, and says why; false where it is closed already, gone, or was opened again by a person.
pub async fn close(engine: &Engine, repo: &RepoRow, filed: &Filed, last: &Run) -> Result<bool> {
    let Some(number) = filed.number else { return Ok(false) };
    // Somebody may have closed it and opened it again since the last look; only GitHub knows.
    let standing = engine.github.issue_standing(&repo.full_name, number).await;
    let standing = standing.map_err(conditional::in_words)?;
    let mut tx = engine.db.write().await?;
    if !standing.is_some_and(|standing| standing.is_open && !standing.is_reopened) {
        ci_failures::close(&mut tx, &filed.id, engine.clock.now()).await?;
        tx.commit().await?;
        return Ok(false);
    }
    let Some(cached) = ci_failures::find_issue(&mut tx, &repo.id, number).await? else { return Ok(false) };
    let turn = Turn::take(&mut tx, &cached.id).await?;
    let Some(issue) = issue_facts::find(&mut tx, &cached.id).await? else { return Ok(false) };
    let now = engine.clock.now();
    if issue.state != IssueState::Open || !ci_failures::close(&mut tx, &filed.id, now).await? {
        return Ok(false);
    }
    let by = Asker::system();
    let text = format!(
        "The workflow works again: [this run]({}) succeeded, and so did the one before. Open this issue again if it should \
         stay; Dispatch will not close it then.",
        last.url
    );
    outbox::comment(engine, &mut tx, &issue, &text, &by).await?;
    outbox::set_state(engine, &mut tx, turn, &issue, StateEdit::Completed, &by).await?;
    let row = NewAudit::issue(SYSTEM, None, AuditAction::CiFailureClosed, (&issue.repo, number, &issue.id))
        .labels(&issue.labels, &issue.labels)
        .noting(format!("the workflow {} works again", filed.workflow));
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &row).await?;
    tx.commit().await?;
    publish::now(engine, &issue.id).await;
    Ok(true)
}
