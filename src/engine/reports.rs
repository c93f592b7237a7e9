//! The `report` verb: what came of a task, told once, on record with its run, and settled even after a crash.

use std::time::Duration;

use url::Url;

use super::{
    Engine, Error, Result,
    failpoint::failpoint,
    pr_fix::settle::{self as pr_fix, Recorded},
};
use crate::{
    domain::{
        ids::{AgentName, IssueNumber, RunId},
        issue::Issue,
        pr_fix::Pull,
        repo::RepoName,
        report::{Report, Resolution},
        run::Run,
        time::Timestamp,
    },
    store::{
        self, ReadTx, WriteTx, agents, issue_list,
        reports::{self, NewReport, Stored},
        repos, runs,
    },
};

/// A report that was received.
#[derive(Clone, Debug)]
pub struct Received {
    pub agent: AgentName,
    pub report: Report,
    /// See [`Report::payload_hash`].
    pub payload_hash: String,
    pub key: Option<String>,
    /// A maintainer's token told it.
    pub by_maintainer: bool,
}

/// What it came to.
#[derive(Clone, Debug)]
pub struct Told {
    /// As it was first spelled.
    pub agent: AgentName,
    pub run: RunId,
    pub resolution: Resolution,
    /// The key's report was told before.
    pub duplicate: bool,
}

/// The longest text of a run; what is longer is cut.
const TEXT_MAX: usize = 20_000;
/// Reports settled at once.
const BATCH: i64 = 100;
/// A report this old is not being settled by its own request any more.
const PATIENCE: Duration = Duration::from_mins(1);

/// Records a report with its run, and settles it. Under a key it is recorded once.
pub async fn report(engine: &Engine, received: &Received) -> Result<Told> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    let agent = agents::first_spelling(&mut tx, &received.agent, now).await?;
    let resolution = (!received.report.concerns_pull_request()).then_some(Resolution::NONE);
    let binds = received.by_maintainer && received.report.pr_fix_item.is_none();
    let present = if binds { pr_fix::present_attempt(&mut tx, &received.report).await? } else { None };
    let id = engine.ids.next();
    let new = NewReport {
        id: &id,
        agent: &agent,
        key: received.key.as_deref(),
        payload_hash: &received.payload_hash,
        payload: &received.report,
        by_maintainer: received.by_maintainer,
        attempt: present.as_ref(),
        resolution: resolution.as_ref(),
        at: now,
    };
    if !reports::insert(&mut tx, &new).await? {
        let stored = match &received.key {
            Some(key) => reports::find_by_key(&mut tx, &agent, key).await?,
            None => None,
        };
        drop(tx);
        return replay(engine, received, agent, stored).await;
    }
    let run = run_of(engine, &mut tx, &agent, &received.report, now).await?;
    runs::insert(&mut tx, &run).await?;
    reports::link(&mut tx, &id, &run.id).await?;
    tx.commit().await?;
    failpoint!("report.recorded");
    let (report, by_maintainer) = (&received.report, received.by_maintainer);
    let recorded = Recorded { report, by_maintainer, present: present.as_ref() };
    let resolution = match resolution {
        Some(resolution) => resolution,
        None => finish(engine, &id, &agent, recorded).await?,
    };
    Ok(Told { agent, run: run.id, resolution, duplicate: false })
}

/// The key was used: the same report gets the same answer.
async fn replay(
    engine: &Engine,
    received: &Received,
    agent: AgentName,
    stored: Option<Stored>,
) -> Result<Told> {
    let Some(stored) = stored else {
        return Err(Error::Busy("the report of this key was forgotten just now; try again".to_owned()));
    };
    if stored.payload_hash != received.payload_hash {
        let message =
            format!("idempotencyKey was already used with a different report payload for agent {agent}");
        return Err(Error::Conflict(message));
    }
    let Some(run) = stored.run_id.clone() else {
        return Err(Error::Conflict("idempotencyKey is claimed but has no recorded result".to_owned()));
    };
    let resolution = match &stored.resolution {
        Some(resolution) => resolution.0.clone(),
        None => finish(engine, &stored.id, &agent, recorded(&stored)).await?,
    };
    Ok(Told { agent, run, resolution, duplicate: true })
}

fn recorded(stored: &Stored) -> Recorded<'_> {
    let present = stored.attempt.as_ref().map(|attempt| &attempt.0);
    Recorded { report: &stored.payload.0, by_maintainer: stored.by_maintainer, present }
}

/// Settles a report that was recorded and stores what that came to, in one transaction: it may run twice, and at a time,
/// and happens once.
async fn finish(
    engine: &Engine,
    id: &str,
    agent: &AgentName,
    recorded: Recorded<'_>,
) -> store::Result<Resolution> {
    let mut pull = Pull::NotRead;
    loop {
        let mut tx = engine.db.write().await?;
        let Some(resolution) = pr_fix::settle(engine, &mut tx, agent, recorded, &pull).await? else {
            tx.rollback().await?;
            pull = pr_fix::ask(engine, recorded.report).await;
            continue;
        };
        if reports::settle(&mut tx, id, &resolution, engine.clock.now()).await? {
            failpoint!("report.settled");
            tx.commit().await?;
            pr_fix::tell(engine, recorded.report, &resolution).await;
            return Ok(resolution);
        }
        let stored = reports::find_resolution(&mut tx, id).await?;
        tx.rollback().await?;
        return Ok(stored.unwrap_or(resolution));
    }
}

/// Settles what reports left behind whose request did not live to do it; how many there were.
pub async fn settle_pending(engine: &Engine) -> store::Result<u64> {
    let mut settled = 0;
    loop {
        let before = engine.clock.now().minus(PATIENCE);
        let mut tx = engine.db.read_once().await?;
        let pending = reports::list_pending(&mut tx, before, BATCH).await?;
        drop(tx);
        if pending.is_empty() {
            return Ok(settled);
        }
        for report in pending {
            finish(engine, &report.id, &report.agent_name, recorded(&report)).await?;
            settled += 1;
        }
    }
}

/// How often the scheduler settles.
pub const SETTLE_EVERY: Duration = Duration::from_mins(1);

async fn run_of(
    engine: &Engine,
    tx: &mut WriteTx,
    agent: &AgentName,
    report: &Report,
    now: Timestamp,
) -> store::Result<Run> {
    let repo: Option<RepoName> = report.repo_full_name.as_ref().and_then(|name| name.parse().ok());
    let issue = match (&repo, report.issue_number) {
        (Some(repo), Some(number)) => find_issue(tx, repo, IssueNumber(number)).await?,
        _ => None,
    };
    Ok(Run {
        id: RunId(engine.ids.next()),
        agent: agent.clone(),
        run_type: report.task_type.as_str().to_owned(),
        status: report.outcome.run_status().to_owned(),
        started_at: report.started_at.unwrap_or(now),
        finished_at: Some(now),
        summary: report.summary.as_deref().map(cut),
        error_message: report.error.as_deref().map(cut),
        warnings: Vec::new(),
        errors: Vec::new(),
        touched: touched(engine, report, repo.as_ref(), issue.as_ref()),
        reads: Vec::new(),
        issue_id: issue.map(|issue| issue.id),
        outcome: None,
        next_heartbeat_at: None,
        asked: None,
        created_at: now,
    })
}

async fn find_issue(tx: &mut ReadTx, repo: &RepoName, number: IssueNumber) -> store::Result<Option<Issue>> {
    match repos::find_tracked(tx, repo).await? {
        Some(tracked) => issue_list::find(tx, &tracked.id, number).await,
        None => Ok(None),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The issue, then the pull request, as people open them.
fn touched(engine: &Engine, report: &Report, repo: Option<&RepoName>, issue: Option<&Issue>) -> Vec<String> {
    let composed = |kind: &str, number: Option<i64>| {
        let number = number.filter(|number| *number > 0)?;
        Some(format!("{}/{}/{kind}/{number}", engine.github.site(), repo?))
    };
    let issue = issue.map(|issue| issue.url.clone()).or_else(|| composed("issues", report.issue_number));
    let named = report.pull_request_url.clone().filter(|text| is_link(text));
    let pull = named.or_else(|| composed("pull", report.pull_request_number));
    let mut urls: Vec<String> = issue.into_iter().chain(pull).collect();
    urls.dedup();
    urls
}

/// Can it be shown as a link?
fn is_link(text: &str) -> bool {
    !text.contains(char::is_control)
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
