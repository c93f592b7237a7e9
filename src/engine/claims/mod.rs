//! Claims: granting, renewing, taking back. The database refuses a second live claim of an issue; every verb
//! here decides under the issue's lock and writes its audit row in the same transaction.

mod end;
mod grant;
mod release;
mod status;

pub use end::{
    end_by_github, end_by_operator, expire, issue_is_gone, repo_is_gone, take_back, verdict_of_github,
};
pub use grant::{ClaimAsk, Granted, Start, claim};
pub(super) use grant::{confirm, grant, may_be_claimed};
pub use release::{Shown, UnclaimAsk, Unclaimed, unclaim};
pub use status::{StatusAsk, set_status};

use super::{Engine, Error, Result};
use crate::{
    domain::{
        claim::{Claim, EndReason},
        ids::{IssueId, IssueNumber},
        time::Timestamp,
    },
    store::{
        self, ReadTx, WriteTx,
        claims::{Entry, note},
        issue_facts::{self, IssueFacts},
        work,
    },
};

/// Adds what a claim has become to its history.
pub(super) async fn remember(
    engine: &Engine,
    tx: &mut WriteTx,
    claim: &Claim,
    action: &str,
    at: Timestamp,
) -> store::Result<()> {
    let entry = Entry {
        id: &engine.ids.next(),
        claim: &claim.id,
        at,
        action,
        state: claim.state,
        checkpoint: claim.checkpoint,
        summary: claim.summary.as_deref(),
        blocker: claim.blocker.as_deref(),
    };
    note(tx, &entry).await
}

/// A live claim as it is once nobody renews it meanwhile; none when it has ended. Its issue must be locked.
async fn locked(tx: &mut WriteTx, claim: Claim) -> store::Result<Option<Claim>> {
    work::lock(tx, &claim.id).await?;
    let found = store::claims::find(tx, &claim.id).await?;
    Ok(found.filter(|found| found.ended_at.is_none()))
}

/// The issue that a request names by id and by repository and number, which must agree.
pub(super) async fn named_issue(
    tx: &mut ReadTx,
    id: &IssueId,
    named: Option<(&str, IssueNumber)>,
) -> Result<IssueFacts> {
    let not_there = || Error::NotFound("Issue not found in local cache".to_owned());
    let issue = issue_facts::find(tx, id).await?.ok_or_else(not_there)?;
    if let Some((repo, number)) = named {
        must_be(&issue, repo, number)?;
    }
    Ok(issue)
}

/// The place that a request names is the issue's own.
pub(super) fn must_be(issue: &IssueFacts, repo: &str, number: IssueNumber) -> Result<()> {
    if number == issue.number && repo.eq_ignore_ascii_case(issue.repo.as_str()) {
        return Ok(());
    }
    let rule =
        format!("issueId does not match repoFullName/issueNumber; expected {}#{}", issue.repo, issue.number);
    Err(Error::Invalid { field: "issueId", rule })
}

/// What a late writer learns.
pub(super) fn lost(shown: &Shown, found: Option<&Claim>, holder: Option<&Claim>) -> Error {
    let ended = found.and_then(|claim| Some((claim.ended_at?, claim.end_reason?)));
    let why = match ended {
        Some((at, reason)) => format!("{shown} ended at {at} ({})", reason_in_words(reason)),
        None => format!("{shown} is not the one that holds this issue"),
    };
    let holder = holder.map(|claim| claim.agent.clone());
    let message = match &holder {
        Some(holder) => format!("{why}; {holder} holds the issue now"),
        None => format!("{why}; nobody holds the issue now"),
    };
    Error::ClaimLost { message, holder, at: ended.map(|(at, _)| at) }
}

const fn reason_in_words(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Released => "released",
        EndReason::Finished => "finished",
        EndReason::Expired => "not renewed in time",
        EndReason::Forced => "taken by force",
        EndReason::Reassigned => "reassigned by an operator",
        EndReason::Withdrawn => "released by an operator",
        EndReason::Revoked => "the agent's label was removed on GitHub",
        EndReason::IssueEnded => "the issue is closed, gone or done",
        EndReason::Untracked => "its repository is tracked no more",
        EndReason::Superseded => "its holder began other work",
    }
}
