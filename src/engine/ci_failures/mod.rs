//! The `ci-failures` verb (`contract/operations.md` 5.4): workflows that fail twice on the default branch get an issue, and
//! what works again has it closed. Which issue tells of what stands in a table; GitHub's issues are not listed for it.

mod file;

use tokio::sync::Mutex;

use super::{Engine, Error, Result, conditional};
use crate::{
    domain::{
        ci_failure::{Filed, Health, Run, Shown, State, by_workflow, find_marker, judge},
        ids::IssueNumber,
        outbox::EntryState,
        repo::RepoName,
    },
    github::Reading,
    store::{
        self, ci_failures, outbox_list,
        repos::{self, RepoRow},
    },
};

/// One look at a time.
#[derive(Debug, Default)]
pub struct Turn(Mutex<()>);

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Issues that were wished for; the number where GitHub gave it at once.
    pub filed: Vec<(RepoName, Option<IssueNumber>, String)>,
    pub closed: Vec<(RepoName, Option<IssueNumber>, String)>,
    /// Workflows that were left as they are, and why.
    pub skipped: Vec<(RepoName, String, String)>,
    pub errors: Vec<(RepoName, String)>,
}

/// Looks at all tracked repositories; `None` while somebody else does.
pub async fn sync(engine: &Engine) -> store::Result<Option<Report>> {
    let Ok(_turn) = engine.ci_failures.0.try_lock() else { return Ok(None) };
    let mut tx = engine.db.read_once().await?;
    let repos = repos::list_all(&mut tx).await?;
    drop(tx);
    let mut report = Report::default();
    for repo in repos.into_iter().filter(|repo| repo.tracked && !repo.archived) {
        match look(engine, &repo, &mut report).await {
            Ok(()) => {}
            Err(Error::Database(error)) => return Err(error),
            Err(error) => report.errors.push((repo.full_name, error.to_string())),
        }
    }
    Ok(Some(report))
}

async fn look(engine: &Engine, repo: &RepoRow, report: &mut Report) -> Result<()> {
    let branch = &repo.default_branch;
    let place = format!("runs/{branch}");
    let held = conditional::held(engine, &repo.id, &place).await?;
    let point = conditional::admit(engine, &repo.full_name)?;
    let read = engine.github.runs(&repo.full_name, branch, held.etag.as_ref(), point).await;
    let Reading::New { content, etag } = read.map_err(conditional::in_words)? else { return Ok(()) };
    let workflows = by_workflow(&content);
    adopt(engine, repo, &workflows).await?;
    let mut is_done = true;
    for runs in &workflows {
        is_done &= look_at(engine, repo, runs, report).await?;
    }
    if is_done {
        let mut tx = engine.db.write().await?;
        conditional::remember(engine, &mut tx, &repo.id, &place, etag, None).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Issues that somebody else opened for Dispatch, such as its earlier edition, are taken up.
async fn adopt(engine: &Engine, repo: &RepoRow, workflows: &[Vec<&Run>]) -> Result<()> {
    let mut tx = engine.db.read().await?;
    let marked = ci_failures::list_marked(&mut tx, &repo.id).await?;
    if marked.is_empty() {
        return Ok(());
    }
    let known = ci_failures::list(&mut tx, &repo.id).await?;
    drop(tx);
    for (number, text) in marked {
        let of_ours = known.iter().any(|filed| filed.number == Some(number));
        let is_on_its_way = |entry: &str| text.contains(entry);
        if of_ours || known.iter().any(|it| it.entry.as_ref().is_some_and(|id| is_on_its_way(&id.0))) {
            continue;
        }
        let Some(tag) = find_marker(&text) else { continue };
        let of_workflow = |runs: &&Vec<&Run>| Some(&runs[0].workflow) == tag.workflow.as_ref();
        let Some(runs) = workflows.iter().find(of_workflow) else { continue };
        let filed = Filed {
            id: engine.ids.next(),
            repo: repo.id.clone(),
            workflow_id: runs[0].workflow_id,
            workflow: runs[0].workflow.clone(),
            signature: tag.signature,
            run_id: 0,
            entry: None,
            number: Some(number),
            state: State::Open,
            closed_at: None,
            created_at: engine.clock.now(),
        };
        let mut tx = engine.db.write().await?;
        ci_failures::insert(&mut tx, &filed).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Looks at one workflow; false when something is left to be done though nothing runs anew.
async fn look_at(engine: &Engine, repo: &RepoRow, runs: &[&Run], report: &mut Report) -> Result<bool> {
    let known = standing(engine, repo, runs[0].workflow_id).await?;
    let (name, workflow) = (&repo.full_name, &runs[0].workflow);
    let mut skip = |why: String| report.skipped.push((name.clone(), workflow.clone(), why));
    match judge(runs) {
        Health::Unknown => Ok(true),
        Health::Flapping => {
            skip("flapping: it succeeds and fails by turns".to_owned());
            Ok(true)
        }
        Health::FailedOnce => {
            skip("failed once: the second failure counts".to_owned());
            Ok(true)
        }
        Health::Healthy => {
            let mut is_done = true;
            for (filed, shown) in known.into_iter().filter(|(filed, _)| filed.state == State::Open) {
                if shown == Shown::NotYet {
                    report.skipped.push((
                        name.clone(),
                        workflow.clone(),
                        "it works again; its issue is not in the cache yet".to_owned(),
                    ));
                    is_done = false;
                } else if file::close(engine, repo, &filed, runs[0]).await? {
                    report.closed.push((name.clone(), filed.number, workflow.clone()));
                }
            }
            Ok(is_done)
        }
        Health::Failing(last, before) => {
            match file::file(engine, repo, &known, last, before).await? {
                file::Outcome::Filed(number) => {
                    report.filed.push((name.clone(), number, workflow.clone()));
                }
                file::Outcome::Skipped(why) => skip(why),
                file::Outcome::Refused(error) => {
                    report.errors.push((name.clone(), format!("{workflow}: {error}")));
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// What is known of a workflow's issues, brought up to date with the outbox and the cache.
async fn standing(engine: &Engine, repo: &RepoRow, workflow: i64) -> Result<Vec<(Filed, Shown)>> {
    let mut tx = engine.db.write().await?;
    let all = ci_failures::list(&mut tx, &repo.id).await?;
    let mut standing = Vec::new();
    for mut filed in all.into_iter().filter(|filed| filed.workflow_id == workflow) {
        let mut is_given_up = false;
        if let (None, Some(entry)) = (filed.number, &filed.entry) {
            // An entry that was settled long ago is forgotten; by then its number is known.
            let entry = outbox_list::find(&mut tx, entry).await?;
            is_given_up = entry.as_ref().is_some_and(|entry| entry.state == EntryState::Discarded);
            filed.number = entry.and_then(|entry| entry.made?.number);
            if filed.number.is_some() {
                ci_failures::update(&mut tx, &filed).await?;
            }
        }
        let cached = match filed.number {
            Some(number) => ci_failures::find_issue(&mut tx, &repo.id, number).await?,
            None => None,
        };
        let shown = cached.as_ref().map_or(Shown::NotYet, ci_failures::Cached::shown);
        let is_closed = matches!(shown, Shown::Gone | Shown::Is(crate::domain::issue::IssueState::Closed));
        if filed.state == State::Open && (is_closed || is_given_up) {
            let at = cached.and_then(|issue| issue.closed_at).unwrap_or_else(|| engine.clock.now());
            ci_failures::close(&mut tx, &filed.id, at).await?;
            (filed.state, filed.closed_at) = (State::Closed, Some(at));
        }
        standing.push((filed, shown));
    }
    tx.commit().await?;
    Ok(standing)
}
