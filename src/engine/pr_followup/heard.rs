//! What webhooks tell of the pull requests of bots: the same rules as for what is read.

use super::{gates, look::forget_merge_state};
use crate::{
    domain::{
        ids::IssueNumber,
        issue::{IssueState, RemotePull},
        pr_followup::{Event, Followed, evidence, is_conflict_over},
        pull::{CheckRun, health::Opinion},
        pull_event::{CheckEnded, CheckKind, PullEvent, PullHead, PullReview, Written},
        repo::{RepoName, TrackedRepo},
    },
    engine::{
        Engine,
        pr_fix::{self, enqueue::note},
        pulls::facts::Worth,
    },
    store::{self, WriteTx, followed, pull_health},
};

/// GitHub told of a pull request, in the transaction that says that it was heard. Call it after the cache followed: what
/// the pull request is about is asked of it.
pub async fn hear(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    event: &PullEvent,
    worth: Worth,
) -> store::Result<()> {
    let gates = gates(engine);
    if let PullEvent::Checked(ended) = event {
        return checked(engine, tx, repo, ended).await;
    }
    let (listed, head) = match event {
        PullEvent::Changed(pull) | PullEvent::Reviewed { pull, .. } | PullEvent::LineComment { pull, .. } => {
            (&pull.listed, Some(&pull.head))
        }
        PullEvent::Comment { pull, .. } => (&**pull, None),
        PullEvent::Checked(_) | PullEvent::Listed(_) => return Ok(()),
    };
    if !gates.follows(&repo.name, listed.author.as_deref()) {
        return Ok(());
    }
    let issue = followed::find_issue_of(tx, &repo.id, listed.number).await?;
    let pull = Followed { issue, ..followed_of(&repo.name, listed, head) };
    if worth == Worth::Doubtful {
        forget_merge_state(engine, tx, repo, pull.number).await?;
    }
    let found = match event {
        PullEvent::Reviewed { review, .. } if stands(tx, repo, pull.number, review).await? => {
            evidence(&gates, &pull, Event::Review(review))
        }
        PullEvent::LineComment { comment, .. } if comment.written == Written::Created => {
            evidence(&gates, &pull, Event::LineComment(comment))
        }
        PullEvent::Comment { comment, .. } if comment.written == Written::Created => {
            evidence(&gates, &pull, Event::Comment(comment))
        }
        // Of one that is not the present the next look tells.
        PullEvent::Changed(now) if worth == Worth::Present => {
            let state = now.mergeable_state.as_deref().unwrap_or_default();
            if is_conflict_over(state) == Some(true) {
                pr_fix::close::conflict_is_over(engine, tx, &repo.name, pull.number).await?;
            }
            // One that conflicts with nothing may be behind or unstable.
            evidence(&gates, &pull, Event::MergeState(state))
        }
        _ => None,
    };
    if let Some(evidence) = found {
        note(engine, tx, &evidence).await?;
    }
    Ok(())
}

async fn checked(
    engine: &Engine,
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    ended: &CheckEnded,
) -> store::Result<()> {
    // Of a suite only its runs tell which check it was; what GitHub names is of a head that may be old by now.
    if ended.kind != CheckKind::Run {
        return Ok(());
    }
    let gates = gates(engine);
    let run = CheckRun {
        id: ended.id,
        suite: ended.suite,
        name: ended.name.clone(),
        conclusion: ended.conclusion,
        url: ended.url.clone(),
        completed_at: ended.completed_at,
    };
    let open = followed::list_of_authors(tx, &repo.id, gates.bots).await?;
    for pull in open.iter().filter(|pull| pull.head_sha.as_ref() == Some(&ended.head_sha)) {
        // A newer run may have been heard of before.
        let known = pull_health::find(tx, &repo.id, pull.number).await?;
        if !known.is_some_and(|it| it.evidence.checks.iter().any(|check| check.run == run.id)) {
            continue;
        }
        if let Some(evidence) = evidence(&gates, pull, Event::Check(&run, None)) {
            note(engine, tx, &evidence).await?;
        }
    }
    Ok(())
}

/// Is it still what this reviewer says? An approval, or one that took it back, may have been heard of before.
async fn stands(
    tx: &mut WriteTx,
    repo: &TrackedRepo,
    number: IssueNumber,
    review: &PullReview,
) -> store::Result<bool> {
    let known = pull_health::find(tx, &repo.id, number).await?;
    let says = |opinion: &Opinion| opinion.review == review.id && opinion.says.is_some();
    Ok(known.is_some_and(|it| it.evidence.opinions.iter().any(says)))
}

fn followed_of(repo: &RepoName, pull: &RemotePull, head: Option<&PullHead>) -> Followed {
    Followed {
        repo: repo.clone(),
        number: pull.number,
        author: pull.author.clone(),
        title: pull.title.clone(),
        url: pull.url.clone(),
        branch: head.map(|head| head.branch.clone()),
        head_sha: head.map(|head| head.sha.clone()),
        issue: None,
        is_open: pull.state == IssueState::Open,
    }
}
