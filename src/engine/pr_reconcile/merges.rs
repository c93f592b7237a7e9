//! Merges and the issues that they close. GitHub closes them itself, as a rule; each merge is followed once, so that what a
//! person does with the issue afterwards stands.

use super::{ACTOR, Report};
use crate::{
    domain::{
        audit::{AuditAction, NewAudit},
        ids::AuditId,
        issue::IssueState,
        outbox::{Asker, StateEdit},
        repo::TrackedRepo,
    },
    engine::{
        Engine, Result, conditional,
        outbox::{self, Turn},
        publish,
    },
    github::{self, Reading},
    store::{
        audit,
        followed::{self, Merge},
        issue_facts,
        repos::RepoRow,
    },
};

pub async fn follow(engine: &Engine, repo: &TrackedRepo, row: &RepoRow, report: &mut Report) -> Result<()> {
    let mut tx = engine.db.read_once().await?;
    let merges = followed::list_merges(&mut tx, &repo.id).await?;
    drop(tx);
    for merge in merges {
        report.merged_found += 1;
        match is_to_close(engine, repo, row, &merge).await {
            Ok(is_to_close) => {
                report.closed += u64::from(settle(engine, repo, &merge, is_to_close).await?);
            }
            // It is asked about again, and keeps nothing else from being followed.
            Err(error) if error.is_refusal() => {
                let why = format!("the merge of #{}: {}", merge.pull, conditional::in_words(error));
                report.errors.push((repo.name.clone(), why));
            }
            Err(error) => return Err(conditional::in_words(error)),
        }
    }
    Ok(())
}

async fn is_to_close(
    engine: &Engine,
    repo: &TrackedRepo,
    row: &RepoRow,
    merge: &Merge,
) -> std::result::Result<bool, github::Error> {
    let base = match &merge.base_ref {
        Some(base) => base.clone(),
        None => base_of(engine, repo, merge).await?,
    };
    // A person who opened it again had a reason, and GitHub's own word on the merge was spoken.
    let standing = engine.github.issue_standing(&repo.name, merge.issue).await?;
    Ok(base == row.default_branch
        && standing.is_some_and(|standing| standing.is_open && !standing.is_reopened))
}

/// The branch that it was merged into.
async fn base_of(
    engine: &Engine,
    repo: &TrackedRepo,
    merge: &Merge,
) -> std::result::Result<String, github::Error> {
    let point = engine.github.admit(&repo.name).map_err(github::Error::Backoff)?;
    Ok(match engine.github.pull_now(&repo.name, merge.pull, None, Some(point)).await? {
        Reading::New { content, .. } => content.base_ref,
        Reading::Same => String::new(),
    })
}

async fn settle(engine: &Engine, repo: &TrackedRepo, merge: &Merge, is_to_close: bool) -> Result<bool> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let turn = Turn::take(&mut tx, &merge.id).await?;
    if !followed::settle_merge(&mut tx, &repo.id, merge, now).await? {
        return Ok(false);
    }
    let issue = issue_facts::find(&mut tx, &merge.id).await?;
    let Some(issue) = issue.filter(|issue| is_to_close && issue.state == IssueState::Open) else {
        tx.commit().await?;
        return Ok(false);
    };
    let by = Asker { actor: ACTOR.to_owned(), ..Asker::system() };
    outbox::set_state(engine, &mut tx, turn, &issue, StateEdit::Completed, &by).await?;
    let place = (&issue.repo, issue.number, &issue.id);
    let entry = NewAudit::issue(ACTOR, None, AuditAction::ReconcileCloseIssue, place)
        .labels(&issue.labels, &issue.labels)
        .noting(format!("PR #{} was merged", merge.pull));
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry).await?;
    tx.commit().await?;
    publish::now(engine, &issue.id).await;
    Ok(true)
}
