//! Whose issues are (`contract/operations.md` 3.6 and 3.7): `/api/issues/actions`, `actions/agents`, `unassign`.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::actions::{actor, named, required};
use crate::{
    domain::{
        audit::AuditAction,
        ids::AgentName,
        labels::{AGENT_PREFIX, LABEL_MAX, OWNER_PREFIX},
        version::Version,
    },
    engine::actions::{self, Ask, Assignee, Changed, Named, Unassigned},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
        if_match::{IfMatch, Seen, StaleView},
    },
};

/// Which issue is to be whose.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct AssignBody {
    /// `assign_agent` or `assign_owner`.
    #[schema(examples("assign_agent"))]
    pub action: String,
    /// The whole label: `agent/` or `owner/` and a name.
    #[schema(max_length = 50, examples("agent/coder"))]
    pub value: String,
    #[schema(max_length = 100)]
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    /// Only noted in the audit log: assigning replaces whoever it was in any case.
    #[schema(rename = "force_claim")]
    pub force_claim: Option<bool>,
    /// Who is named in the audit log.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    pub agent_name: Option<AgentName>,
}

/// Which issue is to be nobody's.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UnassignBody {
    #[schema(max_length = 100)]
    pub issue_id: String,
    #[schema(examples("acme/api"))]
    pub repo_full_name: String,
    #[schema(minimum = 1)]
    pub issue_number: i64,
    /// `unassign_agent` or `unassign_owner`.
    #[schema(examples("unassign_agent"))]
    pub action: String,
    /// Who is named in the audit log.
    #[schema(max_length = 100)]
    pub actor: Option<String>,
    pub agent_name: Option<AgentName>,
}

/// The labels of an issue that was assigned.
#[derive(Serialize, ToSchema)]
#[schema(as = IssueAssigned)]
pub struct AssignedOut {
    success: bool,
    labels: Vec<String>,
    version: Version,
}

/// Assigns an issue to an agent or to a person, in place of whoever it was assigned to.
///
/// An assignment is a label and no claim: it routes the issue, blocks others and never runs out. It replaces the label of
/// an agent that holds the issue, which ends that claim. GitHub's word on the repository must be recent: it is asked if
/// it is not.
#[utoipa::path(
    post,
    path = "/api/issues/actions",
    operation_id = "assignIssue",
    tag = "assignments",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = AssignBody,
    responses(
        (status = 200, description = "The issue is assigned.", body = AssignedOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn assign(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<AssignedOut>> {
    const MISSING: &str = "Missing required fields: action, value, issueId, repoFullName, issueNumber";
    let action = required(&body, "action", LABEL_MAX, MISSING)?;
    let value = required(&body, "value", LABEL_MAX, MISSING)?;
    let to = assignee(&action, &value)?;
    let (issue, repo, number) = named(&body, MISSING)?;
    let force = body.boolean("force_claim")?.unwrap_or(false);
    let ask = Ask { issue: Named::Both(issue, repo, number), actor: actor(&body, &caller)?, if_match };
    let Changed { labels, version, .. } = actions::assign(&app.engine, &caller, &ask, &to, force).await?;
    Ok(Json(AssignedOut { success: true, labels, version }))
}

fn assignee(action: &str, value: &str) -> ApiResult<Assignee> {
    let prefix = match action {
        "assign_agent" => AGENT_PREFIX,
        "assign_owner" => OWNER_PREFIX,
        _ => {
            let message = format!("Invalid action: {action}. Allowed: assign_agent, assign_owner");
            return Err(ApiError::invalid("action", message));
        }
    };
    let name = value.strip_prefix(prefix).map(str::trim);
    let name = name.ok_or_else(|| ApiError::invalid("value", format!("value must start with {prefix}")))?;
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(ApiError::invalid("value", format!("value must be {prefix} and a name")));
    }
    if prefix == OWNER_PREFIX {
        return Ok(Assignee::Owner(format!("{prefix}{name}")));
    }
    let agent = name.parse().map_err(|rule| ApiError::invalid("value", format!("value: {rule}")))?;
    Ok(Assignee::Agent(agent))
}

/// The labels of an issue that is assigned no more.
#[derive(Serialize, ToSchema)]
#[schema(as = IssueUnassigned)]
pub struct UnassignedOut {
    success: bool,
    labels: Vec<String>,
    /// The labels that were taken from it.
    removed: Vec<String>,
    version: Version,
}

/// Takes every label of an agent, or of a person, from an issue.
///
/// That ends the claim of an agent that holds it. The status stays as it is.
#[utoipa::path(
    post,
    path = "/api/issues/unassign",
    operation_id = "unassignIssue",
    tag = "assignments",
    security(("bearer" = ["maintainer"])),
    params(Seen),
    request_body = UnassignBody,
    responses(
        (status = 200, description = "The issue is nobody's.", body = UnassignedOut),
        (status = 404, description = "No such issue is cached."),
        (status = 412, description = "The issue is not as the caller saw it.", body = StaleView),
    ),
)]
pub async fn unassign(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> ApiResult<Json<UnassignedOut>> {
    const MISSING: &str = "Missing required fields: issueId, repoFullName, issueNumber, action";
    let (issue, repo, number) = named(&body, MISSING)?;
    let action = match required(&body, "action", LABEL_MAX, MISSING)?.as_str() {
        "unassign_agent" => AuditAction::UnassignAgent,
        "unassign_owner" => AuditAction::UnassignOwner,
        other => {
            let message = format!("Invalid action: {other}. Allowed: unassign_agent, unassign_owner");
            return Err(ApiError::invalid("action", message));
        }
    };
    let ask = Ask { issue: Named::Both(issue, repo, number), actor: actor(&body, &caller)?, if_match };
    let Unassigned { issue, removed } = actions::unassign(&app.engine, &caller, &ask, action).await?;
    Ok(Json(UnassignedOut { success: true, labels: issue.labels, removed, version: issue.version }))
}

/// Lists the agents that issues can be assigned to, by name.
///
/// Those of `AGENTS`, in its order; where it is not set, those that were seen, 1000 at most.
#[utoipa::path(
    get,
    path = "/api/issues/actions/agents",
    operation_id = "listAssignableAgents",
    tag = "assignments",
    security(("bearer" = ["maintainer"])),
    responses((status = 200, description = "Names of agents.", body = Vec<AgentName>)),
)]
pub async fn agents(State(app): State<App>, _: Maintainer) -> ApiResult<Json<Vec<AgentName>>> {
    Ok(Json(actions::list_agents(&app.engine).await?))
}
