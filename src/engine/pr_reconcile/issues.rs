//! Issues whose pull requests are open, and issues without a lane.

use super::{ACTOR, Report};
use crate::{
    domain::{
        audit::{AuditAction, NewAudit},
        ids::{AuditId, IssueId},
        labels::{Status, status_edits},
        lane::{Classification, classify},
        repo::TrackedRepo,
    },
    engine::{Engine, Result, labels, lanes, publish},
    store::{
        audit, claims,
        followed::{self, Linked},
        issue_facts,
    },
};

/// Issues put into lanes in one pass; the others wait for the next.
const LANES: i64 = 200;

/// The status that the health of its pull request means for an issue, if another than it has. What a person blocked is
/// that person's.
fn wanted(linked: &Linked) -> Option<Status> {
    use Status::{Blocked, Done, InProgress, InReview};
    match (linked.status, linked.needs_followup) {
        (Some(Blocked | Done | InProgress), _) | (Some(InReview), false) => None,
        (_, true) => Some(InProgress),
        (_, false) if linked.draft => None,
        (_, false) => Some(InReview),
    }
}

/// The new status takes the place of the old one.
pub async fn move_linked(engine: &Engine, repo: &TrackedRepo, report: &mut Report) -> Result<()> {
    let mut tx = engine.db.read_once().await?;
    let linked = followed::list_linked(&mut tx, &repo.id).await?;
    drop(tx);
    report.open_checked += u64::try_from(linked.len()).unwrap_or_default();
    for linked in linked {
        let Some(status) = wanted(&linked) else { continue };
        let mut tx = engine.db.write().await?;
        claims::lock_issue(&mut tx, &linked.id).await?;
        let issue = issue_facts::find(&mut tx, &linked.id).await?;
        let Some(issue) = issue.filter(|issue| issue.status == linked.status) else { continue };
        let edits = status_edits(&issue.labels, status);
        let after = labels::edit(engine, &mut tx, &issue, &edits).await?;
        let place = (&issue.repo, issue.number, &issue.id);
        let why = if linked.needs_followup { "needs work" } else { "is healthy" };
        let entry = NewAudit::issue(ACTOR, None, AuditAction::ReconcileAddLabel, place)
            .labels(&issue.labels, &after.labels)
            .noting(format!("PR #{} {why}", linked.pull));
        audit::insert(&mut tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
        tx.commit().await?;
        publish::now(engine, &issue.id).await;
        report.labelled += 1;
    }
    Ok(())
}

/// Issues without a lane get one by rule; those that are worked on rest in the backlog's no more.
pub async fn put_into_lanes(engine: &Engine, repo: &TrackedRepo, report: &mut Report) -> Result<()> {
    let backlog = engine.settings.rules.lanes().backlog_lane().id.clone();
    let mut tx = engine.db.read_once().await?;
    let ids = followed::list_without_lane(&mut tx, &repo.id, &backlog, LANES).await?;
    drop(tx);
    for id in ids {
        report.lanes += u64::from(put_into_lane(engine, &id, &backlog).await?);
    }
    Ok(())
}

async fn put_into_lane(engine: &Engine, id: &IssueId, backlog: &str) -> Result<bool> {
    let rules = engine.settings.rules.lanes();
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    claims::lock_issue(&mut tx, id).await?;
    let Some(issue) = issue_facts::find(&mut tx, id).await? else { return Ok(false) };
    let judged = classify(rules, &issue.title, issue.body.as_deref(), &issue.labels);
    let judged = match &issue.current_lane {
        Some(lane) if lane != backlog => return Ok(false),
        Some(_) if judged.lane == backlog => {
            Classification { lane: rules.default_lane().id.clone(), ..judged }
        }
        None | Some(_) => judged,
    };
    if issue.current_lane.as_ref() == Some(&judged.lane) {
        return Ok(false);
    }
    let lane = judged.lane.clone();
    lanes::put(engine, &mut tx, &issue, judged, lanes::HEURISTIC, now).await?;
    let place = (&issue.repo, issue.number, &issue.id);
    let entry = NewAudit::issue(ACTOR, None, AuditAction::SetLane, place)
        .labels(&issue.labels, &issue.labels)
        .noting(format!("lane {} -> {lane}", issue.current_lane.as_deref().unwrap_or("none")));
    audit::insert(&mut tx, &AuditId(engine.ids.next()), now, &entry).await?;
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::IssueNumber;

    #[test]
    fn the_health_of_a_pull_request_moves_its_issue() {
        use Status::{Backlog, Blocked, Done, InProgress, InReview, Ready};
        // What the issue has, what follows where the pull request needs work, and where it is healthy.
        for (status, work, healthy) in [
            (None, Some(InProgress), Some(InReview)),
            (Some(Backlog), Some(InProgress), Some(InReview)),
            (Some(Ready), Some(InProgress), Some(InReview)),
            (Some(InProgress), None, None),
            (Some(InReview), Some(InProgress), None),
            (Some(Blocked), None, None),
            (Some(Done), None, None),
        ] {
            let linked = |needs_followup, draft| Linked {
                id: IssueId("i".into()),
                status,
                pull: IssueNumber(1),
                needs_followup,
                draft,
            };
            assert_eq!(wanted(&linked(true, false)), work, "{status:?}");
            assert_eq!(wanted(&linked(false, false)), healthy, "{status:?}");
            assert_eq!(wanted(&linked(false, true)), None, "a draft: {status:?}");
        }
    }
}
