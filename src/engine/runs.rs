//! Runs that agents and operators report as a whole (`contract/agents.md` section 9).

use super::{Engine, Error, Result};
use crate::{
    domain::{
        ids::{AgentName, IssueId, RunId},
        run::{Outcome, Run},
        time::Timestamp,
    },
    store::{agents, issue_list, runs},
};

/// A run to be recorded.
#[derive(Clone, Debug)]
pub struct Reported {
    pub agent: AgentName,
    pub run_type: String,
    pub status: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub summary: Option<String>,
    pub error_message: Option<String>,
    pub touched: Vec<String>,
    pub issue_id: Option<IssueId>,
    pub outcome: Option<Outcome>,
}

/// Records a run.
pub async fn record(engine: &Engine, reported: Reported) -> Result<Run> {
    let now = engine.clock.now();
    let mut tx = engine.db.write().await?;
    if let Some(issue) = &reported.issue_id
        && !issue_list::exists(&mut tx, issue).await?
    {
        let rule = format!(
            "issueId: no issue {issue} is cached; leave it out, or take it from GET /api/issues/state"
        );
        return Err(Error::Invalid { field: "issueId", rule });
    }
    let agent = agents::first_spelling(&mut tx, &reported.agent, now).await?;
    let run = Run {
        id: RunId(engine.ids.next()),
        agent,
        run_type: reported.run_type,
        status: reported.status,
        started_at: reported.started_at,
        finished_at: reported.finished_at,
        summary: reported.summary,
        error_message: reported.error_message,
        warnings: Vec::new(),
        errors: Vec::new(),
        touched: reported.touched,
        reads: Vec::new(),
        issue_id: reported.issue_id,
        outcome: reported.outcome,
        next_heartbeat_at: None,
        asked: None,
        created_at: now,
    };
    runs::insert(&mut tx, &run).await?;
    tx.commit().await?;
    Ok(run)
}
