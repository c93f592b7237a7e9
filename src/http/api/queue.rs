//! What an agent is served: `/api/agents/{agentName}/queue`, `next-task`, `work-summary` (`contract/agents.md` 3 and 5).

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    domain::{
        ids::{AgentName, IssueId, IssueNumber},
        labels::{Status, priority_label},
        page::DEFAULT_LIMIT,
        queue::{Ask, is_claimable},
        repo::RepoName,
    },
    engine::queue::{self, Served},
    http::{
        App,
        auth::{Acting, Polling},
        error::{ApiError, ApiResult},
        etag,
        params::Params,
    },
    store::queue::LaneCount,
};

/// What the query string asks for; `lane` is checked before anything is read.
pub(super) fn asked(app: &App, agent: AgentName, params: &Params) -> ApiResult<Ask> {
    let is = |name: &str| params.text(name) == Some("true");
    Ok(Ask {
        lane: params.text("lane").map(|raw| lane(app, raw, "lane")).transpose()?,
        exclude_decomposed: is("exclude_decomposed"),
        include_claimed: is("includeClaimed"),
        include_automated: is("includeRenovate"),
        agent,
    })
}

/// The key of a lane that a request names in `field`.
pub(super) fn lane(app: &App, raw: &str, field: &str) -> ApiResult<String> {
    let lanes = app.engine.settings().rules.lanes();
    queue::lane_asked(lanes, raw).map_err(|message| ApiError::invalid(field, message))
}

/// One task, or none.
pub async fn next_task(
    State(app): State<App>,
    Polling { agent }: Polling,
    params: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let ask = asked(&app, agent, &params)?;
    etag::answer(&headers, &queue::next_task(&app.engine, &ask).await?)
}

/// An issue in a queue.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedIssueOut {
    #[serde(rename = "type")]
    kind: &'static str,
    number: IssueNumber,
    title: String,
    url: String,
    labels: Vec<String>,
    priority: Option<&'static str>,
    status: Option<&'static str>,
    agent_match: bool,
    ranking_reason: String,
    /// As it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<String>,
    decomposed: bool,
    issue_id: IssueId,
    repo_full_name: RepoName,
    claimable: bool,
    /// Always empty: what is blocked is not served.
    blocked_by: Vec<IssueNumber>,
    dependency_block_reason: &'static str,
    linked_pr_health: LinkedPrHealthOut,
}

/// The pull request of an issue; nothing is known of it yet.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkedPrHealthOut {
    number: Option<i64>,
    url: Option<String>,
    needs_followup: Option<bool>,
    followup_reasons: Vec<String>,
    review_decision: Option<String>,
    merge_state: Option<String>,
    checked_at: Option<String>,
}

impl QueuedIssueOut {
    fn new(served: Served, agent: &AgentName) -> Self {
        let Served { id, facts, entry, ranking_reason } = served;
        Self {
            kind: "issue",
            number: facts.number,
            title: entry.title,
            url: entry.url,
            labels: entry.labels,
            priority: priority_label(facts.priority),
            status: facts.status.map(Status::label),
            agent_match: facts.agent.as_deref() == Some(&agent.key()),
            ranking_reason,
            lane: entry.lane,
            decomposed: facts.decomposed,
            issue_id: id,
            repo_full_name: entry.repo,
            claimable: is_claimable(&facts),
            blocked_by: Vec::new(),
            dependency_block_reason: "",
            linked_pr_health: LinkedPrHealthOut::default(),
        }
    }
}

/// Everything that the agent is served, in the order in which it would be.
pub async fn queue(
    State(app): State<App>,
    acting: Acting,
    params: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let ask = asked(&app, acting.agent, &params)?;
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let served = queue::list(&app.engine, &ask, limit).await?;
    let items: Vec<_> = served.into_iter().map(|served| QueuedIssueOut::new(served, &ask.agent)).collect();
    etag::answer(&headers, &items)
}

/// How much there is to do in each lane; the same for every agent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkSummaryOut {
    agent_name: AgentName,
    /// By lane; every configured one is there.
    issues: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    unknown_lanes: Map<String, Value>,
    pr_fixes: PrFixesOut,
}

/// Pull requests that wait to be fixed; none are known yet.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrFixesOut {
    local: PrFixCountOut,
    frontier: PrFixCountOut,
    needs_human: PrFixCountOut,
}

/// See [`PrFixesOut`].
#[derive(Default, Serialize)]
pub struct PrFixCountOut {
    total: i64,
    blocked: i64,
}

/// Counts open issues by lane.
pub async fn work_summary(State(app): State<App>, acting: Acting) -> ApiResult<Json<WorkSummaryOut>> {
    let summary = queue::summary(&app.engine).await?;
    let one =
        |count: LaneCount| (count.lane, json!({ "queued": count.queued, "inProgress": count.in_progress }));
    Ok(Json(WorkSummaryOut {
        agent_name: acting.agent,
        issues: summary.lanes.into_iter().map(one).collect(),
        unknown_lanes: summary.unknown.into_values().map(one).collect(),
        pr_fixes: PrFixesOut::default(),
    }))
}
