//! What Dispatch knows of issues and GitHub may not say yet: live claims, and label edits on their way.

use std::collections::HashMap;

use crate::{
    domain::{claim::Claim, ids::IssueId, issue::Ours, time::Timestamp},
    store::{
        self, ReadTx, WriteTx, claims,
        label_edits::{self, Overlays},
    },
};

/// Before all reads: every edit that is kept counts.
pub const NEVER: Timestamp = Timestamp(i64::MIN);

/// What lies over some issues for a read that began at a certain time.
pub struct Overlay {
    claims: HashMap<IssueId, Claim>,
    edits: Overlays,
    began: Timestamp,
}

impl Overlay {
    /// Two statements, whatever the number of issues; none for none.
    pub async fn load(tx: &mut ReadTx, issues: &[IssueId], began: Timestamp) -> store::Result<Self> {
        let claims = claims::holders(tx, issues).await?;
        let edits = label_edits::overlays(tx, issues, began).await?;
        Ok(Self { claims, edits, began })
    }

    /// What is ours of an issue; its edits are handed out once.
    pub fn of(&mut self, issue: &IssueId, lane: Option<String>) -> Ours {
        let holder = self.claims.get(issue).map(|claim| claim.agent.clone());
        Ours { holder, edits: self.edits.take(issue), lane }
    }

    /// The live claim of an issue.
    pub fn claim(&self, issue: &IssueId) -> Option<&Claim> {
        self.claims.get(issue)
    }

    /// The read was applied to these issues: edits that GitHub knew of when it began have done their work.
    pub async fn forget_settled(&self, tx: &mut WriteTx, issues: &[IssueId]) -> store::Result<()> {
        label_edits::forget_settled(tx, &self.edits, issues, self.began).await
    }
}
