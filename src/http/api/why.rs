//! `GET /api/issues/{issueId}/why`: why an issue is served to an agent, or why it is not.

use axum::{Json, extract::State, http::Method};
use serde::Serialize;
use utoipa::ToSchema;

use super::queue::asked;
use crate::{
    domain::{
        access::{Scope, Tier},
        ids::{AgentName, IssueId, IssueNumber},
        queue::is_claimable,
        repo::RepoName,
    },
    engine::queue,
    http::{
        App,
        auth::{Worker, refuse_and_record},
        error::{ApiError, ApiResult},
        params::{Asking, IssueInPath, Params},
    },
};

/// What the queue does with an issue, in words.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Why)]
pub struct WhyOut {
    issue_id: IssueId,
    repo: RepoName,
    number: IssueNumber,
    agent: AgentName,
    /// The lane that it belongs to.
    lane: String,
    /// Is it in the agent's queue?
    served: bool,
    /// May it come as the agent's next task?
    claimable: bool,
    /// Everything that keeps it out of the queue; `pr_fix` keeps it from being the next task alone.
    reasons: Vec<ReasonOut>,
    /// Lower comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = false)]
    rank: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    ranking_reason: Option<String>,
    /// 1 is the next; absent behind the first thousand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize, required = false)]
    place: Option<usize>,
}

/// One rule that keeps an issue out.
#[derive(Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct ReasonOut {
    /// The name of the rule.
    #[schema(examples("dependency_blocked"))]
    code: &'static str,
    #[schema(examples("Blocked by open #5, acme/web#9"))]
    message: String,
}

/// Explains what the queue does with an issue.
///
/// By the queue's own rules and parameters. A worker's token asks for its own agent, which it need not name.
#[utoipa::path(
    get,
    path = "/api/issues/{issueId}/why",
    operation_id = "explainIssue",
    tag = "why",
    security(("bearer" = ["worker"])),
    params(
        ("issueId" = String, Path, description = "Which issue; closed and hidden ones too."),
        ("agent" = Option<AgentName>, Query, description = "For whom; a bound worker's own agent without it.", nullable = false),
        Asking,
    ),
    responses(
        (status = 200, description = "Where the issue stands, or what keeps it out.", body = WhyOut),
        (status = 403, description = "The token is bound to another agent: code `other_agent`."),
        (status = 404, description = "No such issue is cached."),
    ),
)]
pub async fn why(
    State(app): State<App>,
    Worker(caller): Worker,
    IssueInPath(issue): IssueInPath,
    params: Params,
) -> ApiResult<Json<WhyOut>> {
    let bound = match &caller.tier {
        Tier::Worker(bound) => Some(bound.clone()),
        Tier::Maintainer | Tier::UnboundWorker => None,
    };
    let missing = || ApiError::invalid("agent", "agent is required: for whom the issue would be served");
    let agent = params.agent("agent")?.or(bound).ok_or_else(missing)?;
    if let Err(denied) = caller.may_act_for(&agent, Scope::BoundOnly) {
        return Err(refuse_and_record(&app, &caller, denied, &Method::GET, "/api/issues/{issueId}/why").await);
    }
    let ask = asked(&app, agent.clone(), &params)?;
    let why = queue::why(&app.engine, &issue, &ask).await?;
    let served = why.reasons.is_empty();
    let claimable = served && is_claimable(&why.facts) && why.deferred.is_none();
    Ok(Json(WhyOut {
        issue_id: issue,
        repo: why.repo,
        number: why.number,
        agent,
        lane: why.facts.lane.clone(),
        served,
        claimable,
        reasons: why
            .reasons
            .into_iter()
            .chain(why.deferred)
            .map(|reason| ReasonOut { code: reason.code, message: reason.message })
            .collect(),
        rank: served.then_some(why.score),
        ranking_reason: served.then_some(why.ranking_reason),
        place: why.place,
    }))
}
