//! GitHub told of a pull request: the cache follows, in the transaction that says that it was heard.

use crate::{
    domain::{
        ids::IssueNumber,
        issue::IssueState,
        pull::{CheckRun, health::Evidence},
        pull_event::{CheckEnded, CheckKind, PullEvent, PullNow},
        repo::TrackedRepo,
    },
    engine::{
        Engine, pr_fix, pr_followup,
        pulls::{
            facts::{self, Seen, Worth},
            health,
        },
    },
    store::{self, WriteTx, pull_health},
};

/// Writes down what happened. Events may come late and in any order: an older word never replaces a newer one.
pub async fn hear(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    event: &PullEvent,
) -> store::Result<()> {
    let worth = match event {
        PullEvent::Changed(pull) | PullEvent::LineComment { pull, .. } => {
            let worth = facts::hear(engine, tx, repo, Seen::Whole(pull)).await?;
            if worth == Worth::Present {
                mergeability(engine, tx, repo, pull).await?;
            }
            worth
        }
        PullEvent::Reviewed { pull, review } => {
            let worth = facts::hear(engine, tx, repo, Seen::Whole(pull)).await?;
            let take = |evidence: &mut Evidence| evidence.review(review);
            alter(engine, tx, repo, pull.number(), take).await?;
            worth
        }
        PullEvent::Comment { pull, .. } | PullEvent::Listed(pull) => {
            facts::hear(engine, tx, repo, Seen::Listed(pull)).await?
        }
        PullEvent::Checked(check) => {
            checked(engine, tx, repo, check).await?;
            Worth::Present
        }
    };
    if let Some(pull) = event.listed().filter(|pull| pull.state == IssueState::Closed) {
        pr_fix::close::pulls_are_closed(engine, tx, (&repo.id, &repo.name), &[pull.number]).await?;
    }
    pr_followup::hear(engine, tx, repo, event, worth).await
}

/// Writes what GitHub says now of a pull request that somebody read.
pub async fn read(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    pull: &PullNow,
) -> store::Result<()> {
    facts::note(engine, tx, repo, &[Seen::Whole(pull)]).await?;
    mergeability(engine, tx, repo, pull).await
}

/// A payload seldom knows whether the pull request can be merged. What it knows counts if it is of the head that is known.
async fn mergeability(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    pull: &PullNow,
) -> store::Result<()> {
    let Some(state) = pull.mergeable_state.as_deref().filter(|state| *state != "unknown") else {
        return Ok(());
    };
    health::change(engine, tx, repo, pull.number(), |subject| {
        let is_of_it = subject.head_sha.as_ref() == Some(&pull.head.sha);
        let is_new = subject.evidence.merge_state.as_deref() != Some(state);
        (is_of_it && is_new)
            .then(|| Evidence { merge_state: Some(state.to_owned()), ..subject.evidence.clone() })
    })
    .await?;
    Ok(())
}

/// A run is taken as it is; of a suite only its runs tell which check it was.
async fn checked(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    check: &CheckEnded,
) -> store::Result<()> {
    for number in pull_health::list_at(tx, &repo.id, &check.head_sha).await? {
        match check.kind {
            CheckKind::Run => {
                let run = CheckRun {
                    id: check.id,
                    suite: check.suite,
                    name: check.name.clone(),
                    conclusion: check.conclusion,
                    url: check.url.clone(),
                    completed_at: check.completed_at,
                };
                alter(engine, tx, repo, number, |evidence| evidence.check(&run)).await?;
            }
            CheckKind::Suite => {
                pull_health::look_again(tx, &repo.id, number, (engine.clock.now(), 0)).await?;
            }
        }
    }
    Ok(())
}

async fn alter(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    number: IssueNumber,
    take: impl FnOnce(&mut Evidence) -> bool,
) -> store::Result<()> {
    health::change(engine, tx, repo, number, |subject| {
        let mut evidence = subject.evidence.clone();
        take(&mut evidence).then_some(evidence)
    })
    .await?;
    Ok(())
}
