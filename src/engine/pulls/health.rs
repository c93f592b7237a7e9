//! What the health of a pull request means: it is stored, shown by the issues that it is about, and becomes an item of the
//! PR-fix queue (`contract/agents.md` 3.2, step 4).

use crate::{
    domain::{
        ids::{IssueId, IssueNumber},
        labels::LabelEdit,
        outbox::{Content, Facet},
        pr_fix::{FixLane, FixType, call::NEEDS_HUMAN, enqueue, handout::lanes_for},
        pull::health::{Evidence, Health},
        repo::TrackedRepo,
    },
    engine::{Engine, pr_fix},
    store::{
        self, WriteTx,
        claims::lock_issues,
        outbox_pulls,
        pull_health::{self, Subject},
        pull_links::{self, Linked},
    },
};

/// Where a pull request has no base that is known, GitHub's usual one stands for it in words.
const USUAL_BASE: &str = "its base";

/// Locks a pull request and what shows it, lets `change` look at what is known, and stores what comes of it. `change`
/// says whether anything is to be written.
pub async fn change(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    number: IssueNumber,
    change: impl FnOnce(&Subject) -> Option<Evidence>,
) -> store::Result<Option<Health>> {
    let Some(before) = pull_health::lock(tx, &repo.id, number).await? else { return Ok(None) };
    let Some(evidence) = change(&before) else { return Ok(None) };
    let linked = pull_links::list_linked(tx, &repo.id, number).await?;
    let ids: Vec<IssueId> = linked.iter().map(|issue| issue.id.clone()).collect();
    lock_issues(tx, &ids).await?;
    let health =
        evidence.health(before.base_ref.as_deref().unwrap_or(USUAL_BASE), before.head_sha.as_deref());
    let shows_otherwise = before.reasons != health.reasons
        || before.decision != health.decision
        || before.evidence.merge_state != evidence.merge_state;
    let after = Subject {
        evidence,
        reasons: health.reasons.clone(),
        decision: health.decision,
        causes: health.causes.clone(),
        ..before.clone()
    };
    let heard = if shows_otherwise { ids.as_slice() } else { &[] };
    pull_health::write(tx, &repo.id, &after, engine.clock.now(), heard).await?;
    if before.is_open && health.needs_followup() {
        let is_new = health.causes.iter().any(|cause| !before.causes.contains(cause));
        open_item(engine, tx, repo, &after, &linked, is_new).await?;
    }
    pull_links::relink(tx, &ids).await?;
    Ok(Some(health))
}

/// Makes an item of a pull request that needs another look, if it is about an issue and has none. One that was mended is
/// opened again by what is new; whatever else became of an item stays as somebody decided it.
async fn open_item(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    pull: &Subject,
    linked: &[Linked],
    is_new: bool,
) -> store::Result<()> {
    let Some(issue) = linked.iter().find(|issue| issue.shown) else { return Ok(()) };
    if is_for_human(tx, repo, pull).await? {
        return Ok(());
    }
    let lanes = lanes_for(engine.settings.rules.lanes(), Some(&issue.lane));
    let Some((reason, others)) = pull.reasons.split_first() else { return Ok(()) };
    let evidence = enqueue::Evidence {
        repo: repo.name.clone(),
        pr: pull.number,
        reason: reason.clone(),
        feedback: reason.clone(),
        key: format!("linked-health:{}:{}", issue.number, engine.clock.now()),
        lane: lanes.first().copied().unwrap_or(FixLane::Normal),
        kind: FixType::Other,
        issue: Some(issue.number),
        branch: pull.head_ref.clone(),
        url: Some(pull.url.clone()),
        title: Some(pull.title.clone()),
        head_sha: pull.head_sha.clone(),
        author: pull.author.clone(),
    };
    pr_fix::enqueue::enqueue_by_health(engine, tx, &evidence, others, is_new).await
}

/// Does it bear the label for humans? Where GitHub says so still that took it away for us, or is about to, it does not.
async fn is_for_human(tx: &mut WriteTx, repo: &TrackedRepo, pull: &Subject) -> store::Result<bool> {
    if !pull.labels.iter().any(|label| label.eq_ignore_ascii_case(NEEDS_HUMAN)) {
        return Ok(false);
    }
    let ours = outbox_pulls::find_newer(tx, &repo.id, pull.number, Facet::Label).await?;
    Ok(ours != Some(Content::Label(LabelEdit::remove(NEEDS_HUMAN))))
}
