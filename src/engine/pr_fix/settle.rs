//! What a report means to the queue. Whoever calls it stores the answer in the same transaction, so that it happens once.

use std::time::Duration;

use super::{Change, read_pull, save};
use crate::{
    domain::{
        audit::AuditAction,
        ids::{AgentName, IssueNumber, PrFixId},
        pr_fix::{
            Decision, Pull,
            settle::{Settlement, Told, settle as decide},
        },
        repo::RepoName,
        report::{Action, Attempt, Report, Resolution},
    },
    engine::{Engine, publish},
    store::{self, ReadTx, WriteTx, pr_fix, pr_fix_notes as notes},
};

/// GitHub works out whether a pull request can be merged when it is asked, and knows soon after.
const ASKED: usize = 3;
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The pull request that a report names.
pub fn named(report: &Report) -> Option<(RepoName, IssueNumber)> {
    let repo = report.repo_full_name.as_ref()?.parse().ok()?;
    let number = report.pull_request_number.filter(|number| *number > 0)?;
    Some((repo, IssueNumber(number)))
}

/// A report as it is on record.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    pub report: &'a Report,
    pub by_maintainer: bool,
    /// See [`present_attempt`].
    pub present: Option<&'a Attempt>,
}

/// The attempt that a maintainer's report is for which names none: the present one when it was recorded, whatever is the
/// present one when it is settled.
pub async fn present_attempt(tx: &mut ReadTx, report: &Report) -> store::Result<Option<Attempt>> {
    let Some((repo, pr)) = named(report) else { return Ok(None) };
    let repo = pr_fix::present_name(tx, &repo).await?;
    let item = pr_fix::find(tx, &repo, pr).await?;
    Ok(item.map(|item| Attempt { id: item.id.0, generation: item.generation.0 }))
}

/// Settles what the report means to the queue; `None`: that hangs on what GitHub says, and nothing was written.
pub async fn settle(
    engine: &Engine,
    tx: &mut WriteTx,
    agent: &AgentName,
    Recorded { report, by_maintainer, present }: Recorded<'_>,
    pull: &Pull,
) -> store::Result<Option<Resolution>> {
    let Some((repo, pr)) = named(report) else { return Ok(Some(Resolution::NONE)) };
    let repo = pr_fix::present_name(tx, &repo).await?;
    let is_of_present = report.pr_fix_item.is_none() && by_maintainer;
    let attempt = match (&report.pr_fix_item, present) {
        (Some(attempt), _) => attempt.clone(),
        (None, Some(present)) if by_maintainer => present.clone(),
        (None, _) if by_maintainer => return Ok(Some(Resolution::NONE)),
        (None, _) => {
            let item = pr_fix::find(tx, &repo, pr).await?;
            return Ok(Some(item.map_or(Resolution::NONE, |item| names_no_attempt(item.id))));
        }
    };
    let Some(before) = pr_fix::lock_by_id(tx, &PrFixId(attempt.id.clone())).await? else {
        let echoed = report.pr_fix_item.as_ref().map(|attempt| attempt.generation);
        return Ok(Some(Resolution { attempt_generation: echoed, ..Resolution::NONE }));
    };
    let was_handed = is_of_present || notes::find_handout(tx, &before, agent).await?.is_some();
    let late = notes::list_late_evidence(tx, &before.id).await?;
    let told = Told { agent, repo: Some(&repo), report, attempt: &attempt, was_handed };
    let Settlement { resolution, item, note } =
        match decide(&before, told, &late, pull, engine.settings.pr_fix, engine.clock.now()) {
            Decision::NeedsPull => return Ok(None),
            Decision::Refused(never) => match never {},
            Decision::Is(settlement) => settlement,
        };
    if let Some(mut item) = item {
        let change = Change {
            actor: agent.as_str(),
            agent: Some(agent),
            ..Change::by_dispatch("report", AuditAction::PrFixSettle).noting(note.as_deref())
        };
        save(engine, tx, &before, &mut item, &change).await?;
    }
    Ok(Some(resolution))
}

fn names_no_attempt(item: PrFixId) -> Resolution {
    Resolution {
        matched: true,
        action: Action::Skipped,
        item_id: Some(item.0),
        reason: Some("the report names no attempt: send the prFixItem of its task".to_owned()),
        attempt_generation: None,
    }
}

/// What a report came to is committed: GitHub is told at once if a human is called.
pub async fn tell(engine: &Engine, report: &Report, resolution: &Resolution) {
    if resolution.action != Action::Blocked {
        return;
    }
    if let Some((repo, pr)) = named(report) {
        publish::pull_now(engine, &repo, pr).await;
    }
}

/// Asks GitHub about the pull request of a report, again while it is working out whether it can be merged.
pub async fn ask(engine: &Engine, report: &Report) -> Pull {
    let Some((repo, pr)) = named(report) else { return Pull::Unreadable };
    let mut pull = read_pull(engine, &repo, pr).await;
    for _ in 1..ASKED {
        let is_unsure = pull.facts().is_some_and(|facts| facts.is_open && facts.mergeable.is_none());
        if !is_unsure {
            break;
        }
        engine.clock.sleep_until(engine.clock.now().plus(ASK_AGAIN)).await;
        pull = read_pull(engine, &repo, pr).await;
    }
    pull
}
