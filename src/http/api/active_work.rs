//! `GET /api/agents/{agentName}/active-work` (`contract/agents.md` section 5.2).

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        claim::{Claim, Fence},
        ids::{AgentName, ClaimId, IssueId, IssueNumber},
        issue::IssueState,
        repo::RepoName,
        time::Timestamp,
    },
    http::{App, auth::Bound, error::ApiResult},
    store::{
        issue_facts::{self, IssueFacts},
        work,
    },
};

/// The lane of an issue that has none (the contract's word).
const NO_LANE: &str = "default";

/// Does the agent work on something, and on what?
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ActiveWork)]
pub struct ActiveOut {
    has_active_work: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ContextOut, required = false)]
    context: Option<ContextOut>,
}

/// Where the work stands, and what comes next.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WorkContext)]
pub struct ContextOut {
    issue_id: IssueId,
    repo_full_name: RepoName,
    issue_number: IssueNumber,
    agent_name: AgentName,
    /// In the lower-case vocabulary.
    #[schema(value_type = String, examples("branch_created"))]
    checkpoint: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pr_url: Option<String>,
    #[schema(value_type = String, examples("continue_changes"))]
    next_action: &'static str,
    /// As `claimId`.
    lease_id: ClaimId,
    #[schema(examples("default"))]
    lane: String,
    /// What GitHub says, not the status label.
    status: IssueState,
    labels: Vec<String>,
    claim_id: ClaimId,
    fence: Fence,
    /// When a leased claim must be renewed, and a held one counts as stale.
    expires_at: Timestamp,
}

impl ContextOut {
    fn new(claim: Claim, issue: IssueFacts) -> Self {
        Self {
            issue_id: issue.id,
            repo_full_name: issue.repo,
            issue_number: issue.number,
            agent_name: claim.agent,
            checkpoint: claim.checkpoint.lease_name(),
            branch: claim.branch,
            pr_url: claim.pr_url,
            next_action: claim.checkpoint.next_action(),
            lease_id: claim.id.clone(),
            lane: issue.current_lane.unwrap_or_else(|| NO_LANE.to_owned()),
            status: issue.state,
            labels: issue.labels,
            claim_id: claim.id,
            fence: claim.fence,
            expires_at: claim.expires_at,
        }
    }
}

/// Shows where an agent is with its work.
///
/// That is the claim on an issue that it renewed last; asking changes nothing.
#[utoipa::path(
    get,
    path = "/api/agents/{agentName}/active-work",
    operation_id = "getActiveWork",
    tag = "work",
    security(("bearer" = ["worker"])),
    params(("agentName" = AgentName, Path, description = "Whose work.")),
    responses(
        (status = 200, description = "What it works on, if anything.", body = ActiveOut),
        (status = 403, description = "The token is bound to another agent or to none."),
    ),
)]
pub async fn active(State(app): State<App>, bound: Bound) -> ApiResult<Json<ActiveOut>> {
    let mut tx = app.engine.db().read().await?;
    let claim = work::find_active(&mut tx, &bound.agent).await?;
    let issue = match claim.as_ref().and_then(|claim| claim.issue.as_ref()) {
        Some(issue) => issue_facts::find(&mut tx, issue).await?,
        None => None,
    };
    let context = claim.zip(issue).map(|(claim, issue)| ContextOut::new(claim, issue));
    Ok(Json(ActiveOut { has_active_work: context.is_some(), context }))
}
