//! What pull requests bear at GitHub while an agent can do nothing for them: a label, and a comment that calls a human. Who
//! wants it has locked the row that it hangs on.

use super::park::UNTRACKED;
use crate::{
    domain::{
        ids::{IssueNumber, OutboxId},
        labels::LabelEdit,
        outbox::{Asker, Content, Facet},
        pr_fix::call::{Call, NEEDS_HUMAN},
        repo::RepoName,
    },
    engine::Engine,
    store::{
        self, WriteTx,
        outbox::{self, Parked},
        outbox_pulls::{self, NewWish},
        repos,
    },
};

/// Wants them there, or gone. Of a repository that is not tracked nothing is written; what is there keeps its row, parked.
/// Whether anything was recorded.
pub async fn call(
    engine: &Engine,
    tx: &mut WriteTx,
    (repo, pull): (&RepoName, IssueNumber),
    call: Call,
    by: &Asker,
) -> store::Result<bool> {
    let Some(repo) = repos::find_id(tx, repo).await? else { return Ok(false) };
    let tracked = repos::find_row(tx, &repo).await?.is_some_and(|row| row.tracked);
    let at = engine.clock.now();
    let wish = |facet, content| NewWish { repo: &repo, pull, facet, content, by, at };
    let (label, comment) = match call {
        Call::Human(_) if !tracked => return Ok(false),
        Call::Human(text) => {
            let (label, comment) = (Content::Label(LabelEdit::add(NEEDS_HUMAN)), Content::Call(Some(text)));
            for (facet, content) in [(Facet::Label, &label), (Facet::Call, &comment)] {
                outbox_pulls::want(tx, &OutboxId(engine.ids.next()), &wish(facet, content)).await?;
            }
            return Ok(true);
        }
        Call::Over => (Content::Label(LabelEdit::remove(NEEDS_HUMAN)), Content::Call(None)),
    };
    let mut any = outbox_pulls::take_back(tx, &wish(Facet::Label, &label)).await?;
    any |= outbox_pulls::take_back(tx, &wish(Facet::Call, &comment)).await?;
    if any && !tracked {
        for facet in Facet::ALL {
            outbox::park(tx, Parked::OfPull(&repo, pull, facet), UNTRACKED).await?;
        }
    }
    Ok(any)
}
