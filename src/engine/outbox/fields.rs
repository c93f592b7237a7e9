//! Titles, texts and states as Dispatch shows them: with our edits on top until GitHub says the same.

use std::{borrow::Cow, collections::HashMap};

use crate::{
    domain::{
        ids::{IssueId, OutboxId, RepoId},
        issue::RemoteIssue,
        outbox::{Beneath, Edit, Fields},
        time::Timestamp,
    },
    engine::{Engine, dependencies, labels},
    store::{
        self, ReadTx, WriteTx, claims, issue_facts,
        outbox_fields::{self, Over},
    },
};

/// An issue is locked with those that wait for it: its state may change.
#[derive(Default)]
pub struct Turn(dependencies::Settled);

impl Turn {
    /// Locks them. Call it before anything else is locked.
    pub async fn take(tx: &mut WriteTx, issue: &IssueId) -> store::Result<Self> {
        let Some(found) = issue_facts::find(tx, issue).await? else {
            claims::lock_issue(tx, issue).await?;
            return Ok(Self::default());
        };
        Ok(Self(dependencies::leaving(tx, &found.repo_id, issue, found.number).await?))
    }

    /// The state is written: those that wait for it are counted anew.
    pub async fn end(self, tx: &mut WriteTx) -> store::Result<()> {
        self.0.write(tx).await
    }
}

/// Shows an edit at once; gives what GitHub said last of its field.
pub async fn cover(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueId,
    edit: &Edit,
    at: Timestamp,
) -> store::Result<Beneath> {
    let over = outbox_fields::list(tx, std::slice::from_ref(issue)).await?;
    let mut shown = outbox_fields::find_shown(tx, issue).await?.ok_or(store::Error::RowNotFound)?;
    let lowest = over.into_iter().find(|other| other.field == edit.field());
    let beneath = lowest.and_then(|other| other.beneath).unwrap_or_else(|| shown.beneath(edit.field()));
    shown.lay(edit, at);
    show(engine, tx, issue, &shown).await?;
    Ok(beneath)
}

/// Some edits lie over an issue no more: what is left of ours shows, else what GitHub said last.
pub async fn lift(
    engine: &Engine,
    tx: &mut WriteTx,
    issue: &IssueId,
    is_gone: impl Fn(&Over) -> bool,
) -> store::Result<()> {
    let over = outbox_fields::list(tx, std::slice::from_ref(issue)).await?;
    let (gone, left): (Vec<Over>, Vec<Over>) = over.into_iter().partition(is_gone);
    let Some(shown) = outbox_fields::find_shown(tx, issue).await? else { return Ok(()) };
    if gone.is_empty() {
        return Ok(());
    }
    let mut shown = beneath(shown, &gone);
    lay(&mut shown, &left);
    let ids: Vec<OutboxId> = gone.into_iter().map(|over| over.id).collect();
    outbox_fields::lift(tx, &ids).await?;
    show(engine, tx, issue, &shown).await
}

/// Nothing is written to a repository any more: its issues show what GitHub said last.
pub async fn lift_all_in(engine: &Engine, tx: &mut WriteTx, repo: &RepoId) -> store::Result<()> {
    let issues = outbox_fields::list_covered(tx, repo).await?;
    claims::lock_issues(tx, &issues).await?;
    for issue in issues {
        lift(engine, tx, &issue, |over| over.settled_at.is_none()).await?;
    }
    Ok(())
}

/// What lies beneath all of these edits.
fn beneath(mut shown: Fields, over: &[Over]) -> Fields {
    // The lowest last.
    for beneath in over.iter().rev().filter_map(|over| over.beneath.as_ref()) {
        shown.uncover(beneath);
    }
    shown
}

fn lay(shown: &mut Fields, over: &[Over]) {
    for over in over {
        if let Some(edit) = over.content.edit() {
            shown.lay(edit, over.created_at);
        }
    }
}

async fn show(engine: &Engine, tx: &mut WriteTx, issue: &IssueId, shown: &Fields) -> store::Result<()> {
    outbox_fields::show(tx, issue, shown).await?;
    if let Some(issue) = issue_facts::find(tx, issue).await? {
        labels::edit(engine, tx, &issue, &[]).await?;
    }
    Ok(())
}

/// What lies over some issues for a read.
pub struct Laid {
    over: HashMap<IssueId, Vec<Over>>,
    /// Settled before the read began: GitHub tells of them now.
    told: HashMap<IssueId, Vec<Over>>,
}

impl Laid {
    /// For a read that began at `began`; the issues must be locked. One statement, none for no issues.
    pub async fn load(tx: &mut ReadTx, issues: &[IssueId], began: Timestamp) -> store::Result<Self> {
        let mut laid = Self { over: HashMap::new(), told: HashMap::new() };
        for over in outbox_fields::list(tx, issues).await? {
            let is_told = over.settled_at.is_some_and(|at| at < began);
            let those = if is_told { &mut laid.told } else { &mut laid.over };
            those.entry(over.issue.clone()).or_default().push(over);
        }
        Ok(laid)
    }

    /// The issue as it is to be shown.
    pub fn over<'i>(&self, id: &IssueId, issue: &'i RemoteIssue) -> Cow<'i, RemoteIssue> {
        let Some(over) = self.over.get(id) else { return Cow::Borrowed(issue) };
        let mut shown = Fields::of(issue);
        lay(&mut shown, over);
        Cow::Owned(shown.put_into(issue))
    }

    /// The issue as it would be without the edits that this read tells of; none where GitHub says something else.
    pub fn without_ours<'i>(&self, id: &IssueId, issue: &'i RemoteIssue) -> Option<Cow<'i, RemoteIssue>> {
        let Some(told) = self.told.get(id) else { return Some(Cow::Borrowed(issue)) };
        let said = Fields::of(issue);
        let mut wanted = said.clone();
        lay(&mut wanted, told);
        if wanted != said {
            return None;
        }
        Some(Cow::Owned(beneath(said, told).put_into(issue)))
    }

    /// The read was applied to these issues: keeps what GitHub said beneath our edits, and lifts those it told of.
    pub async fn remember(&self, tx: &mut WriteTx, issues: &[(IssueId, &RemoteIssue)]) -> store::Result<()> {
        if self.over.is_empty() && self.told.is_empty() {
            return Ok(());
        }
        let mut told = Vec::new();
        for (id, issue) in issues {
            told.extend(self.told.get(id).into_iter().flatten().map(|over| over.id.clone()));
            let said = Fields::of(issue);
            for over in self.over.get(id).into_iter().flatten() {
                let beneath = said.beneath(over.field);
                if over.beneath.as_ref() != Some(&beneath) {
                    outbox_fields::set_beneath(tx, &over.id, &beneath).await?;
                }
            }
        }
        outbox_fields::lift(tx, &told).await
    }
}
