//! What an agent is served: `/api/agents/{agentName}/queue`, `next-task`, `work-summary` (`contract/agents.md` 3 and 5).

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::{AgentName, IssueId, IssueNumber, PrFixId},
        labels::{Status, priority_label},
        page::{DEFAULT_LIMIT, Skipped},
        place::Place,
        pr_fix::{FixLane, FixStatus, FixType, Generation},
        pull::{LinkedPull, health::Decision},
        queue::{Ask, is_claimable},
        repo::RepoName,
        task::Task,
        time::Timestamp,
    },
    engine::{
        pr_fix::{self, Shown as ShownFix},
        queue::{self, Listed, Served},
    },
    http::{
        App,
        auth::{Acting, Polling},
        error::{ApiError, ApiResult},
        etag,
        params::{self, Asking, Limit, Params, Shown, Start},
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
        after: None,
        agent,
    })
}

/// The key of a lane that a request names in `field`.
pub(super) fn lane(app: &App, raw: &str, field: &str) -> ApiResult<String> {
    let lanes = app.engine.settings().rules.lanes();
    queue::lane_asked(lanes, raw).map_err(|message| ApiError::invalid(field, message))
}

/// Names the agent's next task.
///
/// Pull requests that need another attempt come first, and are handed to the agent: it gets the same one until it has
/// reported it, and nobody else does, as long as it beats, acknowledges or reports. Of issues nothing is reserved: the claim
/// decides who gets one, and who does not asks again. A worker's token asks for its own agent only, and must be bound to one.
#[utoipa::path(
    get,
    path = "/api/agents/{agentName}/next-task",
    operation_id = "getNextTask",
    tag = "queue",
    security(("bearer" = ["worker"])),
    params(
        ("agentName" = AgentName, Path, description = "Whose task."),
        Asking,
        ("mode" = Option<String>, Query, description = "`groom` is retired; anything else means nothing.", nullable = false),
        Shown,
    ),
    responses(
        (status = 200, description = "A task, or that there is none.", body = Task),
        (status = 304, description = "It is the same as before."),
        (status = 410, description = "`mode=groom`: code `groom_retired`."),
    ),
)]
pub async fn next_task(
    State(app): State<App>,
    Polling { caller, agent }: Polling,
    params: Params,
    uri: Uri,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let ask = asked(&app, agent, &params)?;
    let (task, lasting) = queue::next_task_and_how_long(&app.engine, &ask).await?;
    let response = etag::answer(&headers, &task)?;
    if let Some(lasting) = lasting.filter(|_| response.status() == StatusCode::NOT_MODIFIED) {
        app.front.remember((&uri, &headers), &response, lasting, caller, &app.access);
    }
    Ok(response)
}

/// An issue in a queue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QueuedIssue)]
pub struct QueuedIssueOut {
    /// `issue`.
    #[serde(rename = "type")]
    kind: &'static str,
    number: IssueNumber,
    title: String,
    /// The issue's page at GitHub.
    #[schema(format = "uri")]
    url: String,
    labels: Vec<String>,
    /// Its priority label.
    #[schema(required, examples("priority/p1"))]
    priority: Option<&'static str>,
    /// Its status label.
    #[schema(required, examples("status/ready"))]
    status: Option<&'static str>,
    /// Does it carry the agent's label?
    agent_match: bool,
    /// Why it stands where it does.
    #[schema(examples("priority/p1, agent/coder, ready, aged 15d (+1 tier)"))]
    ranking_reason: String,
    /// As it is stored; without it the issue is in the default lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    lane: Option<String>,
    decomposed: bool,
    issue_id: IssueId,
    repo_full_name: RepoName,
    /// May it be claimed? Whether it comes as the next task also hangs on its pull request: `why` tells.
    claimable: bool,
    /// Always empty: what is blocked is not served.
    blocked_by: Vec<IssueNumber>,
    /// Always empty, as well.
    dependency_block_reason: &'static str,
    linked_pr_health: LinkedPrHealthOut,
}

/// The pull request of an issue; all of it is null where there is none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LinkedPrHealth)]
pub struct LinkedPrHealthOut {
    #[schema(required)]
    number: Option<IssueNumber>,
    #[schema(required)]
    url: Option<String>,
    #[schema(required)]
    needs_followup: Option<bool>,
    followup_reasons: Vec<String>,
    #[schema(required)]
    review_decision: Option<Decision>,
    #[schema(required)]
    merge_state: Option<String>,
    #[schema(required)]
    checked_at: Option<Timestamp>,
}

impl From<Option<LinkedPull>> for LinkedPrHealthOut {
    fn from(linked: Option<LinkedPull>) -> Self {
        let Some(linked) = linked else { return Self::default() };
        Self {
            number: Some(linked.number),
            url: Some(linked.url),
            needs_followup: Some(linked.needs_followup),
            followup_reasons: linked.reasons,
            review_decision: linked.decision,
            merge_state: linked.merge_state,
            checked_at: linked.checked_at,
        }
    }
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
            linked_pr_health: entry.linked.into(),
        }
    }
}

/// A pull request that needs another attempt, in a queue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QueuedPrFix)]
pub struct QueuedPrFixOut {
    /// `pr-review-fix`.
    #[serde(rename = "type")]
    kind: &'static str,
    fix_type: FixType,
    id: PrFixId,
    /// In lower case.
    repo: RepoName,
    pr: IssueNumber,
    #[schema(required)]
    issue: Option<IssueNumber>,
    #[schema(required)]
    branch: Option<String>,
    #[schema(required)]
    url: Option<String>,
    #[schema(required)]
    title: Option<String>,
    lane: FixLane,
    status: FixStatus,
    reason: String,
    feedback: Vec<String>,
    evidence_keys: Vec<String>,
    #[schema(required)]
    head_sha: Option<String>,
    #[schema(required)]
    attempt_head_sha: Option<String>,
    #[schema(required)]
    author: Option<String>,
    generation: Generation,
    #[schema(examples(json!(["coder@1"])))]
    agent_handouts: Vec<String>,
    queued_at: Timestamp,
    updated_at: Timestamp,
    #[schema(examples("queued PR review-fix item (CI_FAILURE)"))]
    ranking_reason: String,
}

impl From<ShownFix> for QueuedPrFixOut {
    fn from(shown: ShownFix) -> Self {
        let agent_handouts = super::pr_fix::handouts(&shown.notes);
        let ShownFix { item, notes } = shown;
        Self {
            kind: "pr-review-fix",
            fix_type: item.kind,
            id: item.id,
            repo: item.repo,
            pr: item.pr,
            issue: item.issue,
            branch: item.branch,
            url: item.url,
            title: item.title,
            lane: item.lane,
            status: item.status,
            reason: item.reason,
            feedback: notes.feedback,
            evidence_keys: notes.evidence,
            head_sha: item.head_sha,
            attempt_head_sha: item.attempt_head_sha,
            author: item.author,
            generation: item.generation,
            agent_handouts,
            queued_at: item.queued_at,
            updated_at: item.updated_at,
            ranking_reason: format!("queued PR review-fix item ({})", item.kind.as_str()),
        }
    }
}

/// What there is in a queue.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = QueueItem)]
pub enum QueueItemOut {
    PrFix(Box<QueuedPrFixOut>),
    Issue(Box<QueuedIssueOut>),
}

/// Lists what the agent is served, first things first.
///
/// That is pull requests that need another attempt, whoever has them, then issues.
#[utoipa::path(
    get,
    path = "/api/agents/{agentName}/queue",
    operation_id = "listQueue",
    tag = "queue",
    security(("bearer" = ["worker"])),
    params(("agentName" = AgentName, Path, description = "Whose queue."), Asking, Limit, Start, Shown),
    responses(
        (status = 200, description = "A page of pull requests and issues.", body = Vec<QueueItemOut>),
        (status = 304, description = "They are the same as before."),
    ),
)]
pub async fn queue(
    State(app): State<App>,
    acting: Acting,
    params: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let mut ask = asked(&app, acting.agent, &params)?;
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let begins = begins(&app, &params)?;
    let (mut items, next) = match begins {
        Begins::Fixes(skipped) => fixes(&app, &ask, skipped, limit).await?,
        Begins::Behind(place) => {
            ask.after = Some(place);
            (Vec::new(), None)
        }
    };
    let left = limit.saturating_sub(i64::try_from(items.len()).unwrap_or(limit));
    let next = if next.is_some() || left == 0 {
        next
    } else {
        let Listed { served, next } = queue::list(&app.engine, &ask, left).await?;
        let issue = |served| QueueItemOut::Issue(Box::new(QueuedIssueOut::new(served, &ask.agent)));
        items.extend(served.into_iter().map(issue));
        next.map(|place| place.encode())
    };
    etag::answer_page(&headers, &items, next.map(|cursor| params.next_page_at(&cursor)))
}

/// Where a page begins: pull requests come first, whoever has them.
enum Begins {
    /// Behind so many pull requests.
    Fixes(Skipped),
    Behind(Place),
}

fn begins(app: &App, params: &Params) -> ApiResult<Begins> {
    let Some(text) = params.text("cursor") else { return Ok(Begins::Fixes(Skipped::default())) };
    let place = match Skipped::decode(text) {
        Some(skipped) => skipped.map(Begins::Fixes),
        None => Place::decode(text, app.engine.settings().aging).map(Begins::Behind),
    };
    place.map_err(params::not_a_cursor)
}

/// A page of pull requests, and the cursor of the next if they fill this one.
async fn fixes(
    app: &App,
    ask: &Ask,
    skipped: Skipped,
    limit: i64,
) -> ApiResult<(Vec<QueueItemOut>, Option<String>)> {
    let most = limit.min(skipped.left());
    if most == 0 {
        return Ok((Vec::new(), None));
    }
    let page = pr_fix::list_for(&app.engine, ask, skipped, most).await?.into_iter();
    let items: Vec<_> = page.map(|fix| QueueItemOut::PrFix(Box::new(fix.into()))).collect();
    // Else issues fill it up.
    let is_full = i64::try_from(items.len()).is_ok_and(|rows| rows == limit);
    let next = is_full.then(|| skipped.after(items.len()).encode());
    Ok((items, next))
}

/// How much there is to do in each lane; the same for every agent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WorkSummary)]
pub struct WorkSummaryOut {
    agent_name: AgentName,
    /// By lane; every configured one is there.
    issues: BTreeMap<String, LaneWorkOut>,
    /// Lanes that are configured no more.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    unknown_lanes: BTreeMap<String, LaneWorkOut>,
    pr_fixes: PrFixesOut,
}

/// The open issues of a lane.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LaneWork)]
pub struct LaneWorkOut {
    #[schema(minimum = 0)]
    queued: i64,
    /// In progress or in review.
    #[schema(minimum = 0)]
    in_progress: i64,
}

/// Pull requests that wait to be fixed, by whom.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrFixes)]
pub struct PrFixesOut {
    local: PrFixCountOut,
    frontier: PrFixCountOut,
    needs_human: PrFixCountOut,
}

/// How many pull requests.
#[derive(Serialize, ToSchema)]
#[schema(as = PrFixCount)]
pub struct PrFixCountOut {
    #[schema(minimum = 0)]
    total: i64,
    #[schema(minimum = 0)]
    blocked: i64,
}

/// Counts open issues, and pull requests that need another attempt, by lane.
///
/// What updaters of dependencies made is left out. The counts are the same for every agent.
#[utoipa::path(
    get,
    path = "/api/agents/{agentName}/work-summary",
    operation_id = "getWorkSummary",
    tag = "queue",
    security(("bearer" = ["worker"])),
    params(("agentName" = AgentName, Path, description = "Who asks.")),
    responses((status = 200, description = "How much there is to do.", body = WorkSummaryOut)),
)]
pub async fn work_summary(State(app): State<App>, acting: Acting) -> ApiResult<Json<WorkSummaryOut>> {
    let summary = queue::summary(&app.engine).await?;
    let one =
        |count: LaneCount| (count.lane, LaneWorkOut { queued: count.queued, in_progress: count.in_progress });
    let fixes = |lane| {
        let (total, blocked) = summary.pr_fixes_of(lane);
        PrFixCountOut { total, blocked }
    };
    let pr_fixes = PrFixesOut {
        local: fixes(FixLane::Normal),
        frontier: fixes(FixLane::Escalated),
        needs_human: fixes(FixLane::NeedsHuman),
    };
    Ok(Json(WorkSummaryOut {
        agent_name: acting.agent,
        issues: summary.lanes.into_iter().map(one).collect(),
        unknown_lanes: summary.unknown.into_values().map(one).collect(),
        pr_fixes,
    }))
}
