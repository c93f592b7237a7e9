//! Saying whose an issue is: an agent's, a person's, nobody's. An assignment is a label and no claim: it routes the issue,
//! and it never runs out.

use super::{Ask, Change, Changed, find, look, open, write};
use crate::{
    domain::{
        access::Caller,
        audit::{AuditAction, NewAudit},
        ids::{AgentName, AuditId},
        issue::IssueState,
        labels::{AGENT_PREFIX, LabelEdit, OWNER_PREFIX, agent_label, assign_edits, family, owner_edits},
    },
    engine::{Engine, Error, Result, freshness},
    store::{self, agents, audit, issue_facts::IssueFacts},
};

/// Agents that are listed at most.
const AGENTS_MAX: i64 = 1_000;

/// Whose the issue is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignee {
    Agent(AgentName),
    /// A whole label.
    Owner(String),
}

impl Assignee {
    const fn action(&self) -> AuditAction {
        match self {
            Self::Agent(_) => AuditAction::AssignAgent,
            Self::Owner(_) => AuditAction::AssignOwner,
        }
    }

    const fn prefix(&self) -> &'static str {
        match self {
            Self::Agent(_) => AGENT_PREFIX,
            Self::Owner(_) => OWNER_PREFIX,
        }
    }

    fn agent(&self) -> Option<AgentName> {
        match self {
            Self::Agent(agent) => Some(agent.clone()),
            Self::Owner(_) => None,
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Agent(agent) => agent_label(agent),
            Self::Owner(label) => label.clone(),
        }
    }

    fn edits(&self, labels: &[String]) -> Vec<LabelEdit> {
        match self {
            Self::Agent(agent) => assign_edits(labels, agent),
            Self::Owner(label) => owner_edits(labels, label),
        }
    }
}

/// Assigns an issue, in place of whoever it was assigned to. It is decided on labels that GitHub confirmed lately.
pub async fn assign(
    engine: &Engine,
    caller: &Caller,
    ask: &Ask,
    to: &Assignee,
    force: bool,
) -> Result<Changed> {
    let known = find(engine, &ask.issue).await?;
    must_be_open(&known)?;
    if let Err(error) = freshness::confirm(engine, &known.repo).await {
        refuse(engine, caller, ask, &known, (to, &error)).await?;
        return Err(error);
    }
    let mut tx = engine.db.write().await?;
    let issue = open(&mut tx, ask).await?;
    must_be_open(&issue)?;
    let to = match to {
        Assignee::Agent(agent) => {
            Assignee::Agent(agents::find_spelling(&mut tx, agent).await?.unwrap_or_else(|| agent.clone()))
        }
        Assignee::Owner(_) => to.clone(),
    };
    let others = family(&issue.labels, to.prefix()).filter(|label| !label.eq_ignore_ascii_case(&to.label()));
    let mut notes: Vec<String> = others.map(|label| format!("in place of {label}")).collect();
    if force {
        notes.push("force_claim=true".to_owned());
    }
    let change = Change::of(to.action(), to.edits(&issue.labels));
    let notes = (!notes.is_empty()).then(|| notes.join("; "));
    let change = Change { notes, agent: to.agent(), ..change };
    write(engine, tx, caller, ask, &issue, change).await
}

fn must_be_open(issue: &IssueFacts) -> Result<()> {
    if issue.state == IssueState::Closed {
        let rule = "Cannot assign a closed issue".to_owned();
        return Err(Error::Invalid { field: "issueId", rule });
    }
    Ok(())
}

/// An assignment that GitHub could not be asked about changes nothing, and is on record.
async fn refuse(
    engine: &Engine,
    caller: &Caller,
    ask: &Ask,
    issue: &IssueFacts,
    (to, error): (&Assignee, &Error),
) -> Result<()> {
    let place = (&issue.repo, issue.number, &issue.id);
    let entry = NewAudit::issue(&ask.actor, Some(&caller.token), to.action(), place);
    let entry = NewAudit { agent: to.agent(), ..entry };
    let entry = entry.labels(&issue.labels, &issue.labels).failed(error.to_string());
    let mut tx = engine.db.write().await?;
    audit::insert(&mut tx, &AuditId(engine.ids.next()), engine.clock.now(), &entry).await?;
    Ok(tx.commit().await?)
}

/// An issue that is nobody's, and whose it was.
#[derive(Clone, Debug)]
pub struct Unassigned {
    pub issue: Changed,
    pub removed: Vec<String>,
}

/// Takes every label of an agent, or of an owner, from an issue.
pub async fn unassign(
    engine: &Engine,
    caller: &Caller,
    ask: &Ask,
    action: AuditAction,
) -> Result<Unassigned> {
    let prefix = if action == AuditAction::UnassignOwner { OWNER_PREFIX } else { AGENT_PREFIX };
    let arrival = engine.clock.now();
    look(engine, &find(engine, &ask.issue).await?, arrival).await?;
    let mut tx = engine.db.write().await?;
    let issue = open(&mut tx, ask).await?;
    let removed: Vec<String> = family(&issue.labels, prefix).cloned().collect();
    if removed.is_empty() {
        let rule = format!("Issue has no {prefix}* label");
        return Err(Error::Invalid { field: "action", rule });
    }
    let edits = removed.iter().map(LabelEdit::remove).collect();
    // Of several the first, which is whose the issue was.
    let agent = removed.first().and_then(|label| label.get(AGENT_PREFIX.len()..)?.parse().ok());
    let agent = agent.filter(|_| prefix == AGENT_PREFIX);
    let change = Change { agent, ..Change::of(action, edits) };
    let issue = write(engine, tx, caller, ask, &issue, change).await?;
    Ok(Unassigned { issue, removed })
}

/// The agents that issues may be assigned to: those that the operator named, else those that were seen.
pub async fn list_agents(engine: &Engine) -> store::Result<Vec<AgentName>> {
    if !engine.settings.agents.is_empty() {
        return Ok(engine.settings.agents.clone());
    }
    let mut tx = engine.db.read_once().await?;
    agents::list(&mut tx, AGENTS_MAX).await
}
