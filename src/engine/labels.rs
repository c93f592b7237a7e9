//! Changing labels of an issue: the wish goes to the outbox and shows in the cache at once.

use super::{
    Engine,
    overlay::{NEVER, Overlay},
};
use crate::{
    domain::{issue::Derived, labels::LabelEdit},
    store::{self, WriteTx, issue_facts::IssueFacts, issues, label_edits},
};

/// Records the edits and derives what the cache shows; gives the labels as they are shown now. Call it after claims
/// of the issue changed, too: they have a say in whose it is.
pub async fn edit(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueFacts,
    edits: &[LabelEdit],
) -> store::Result<Derived> {
    let now = engine.clock.now();
    label_edits::wish(tx, &issue.id, edits, now).await?;
    let mut overlay = Overlay::load(tx, std::slice::from_ref(&issue.id), NEVER).await?;
    let ours = overlay.of(&issue.id, issue.current_lane.clone());
    let rules = &engine.settings.rules;
    let derived = Derived::of(issue.state, &issue.title, &issue.github_labels, &ours, rules);
    issues::rederive(tx, &issue.id, &derived, now).await?;
    Ok(derived)
}
