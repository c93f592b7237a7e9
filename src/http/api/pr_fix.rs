//! The PR-fix queue as it stands: `/api/pr-fix-queue/queued` and `history` (`contract/agents.md` 10.2 and 10.4).

use axum::{Json, extract::State, http::HeaderMap};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        ids::{AgentName, IssueNumber, PrFixId},
        page::DEFAULT_LIMIT,
        pr_fix::{FixLane, FixStatus, FixType, Generation, enqueue::Late},
        repo::RepoName,
        time::Timestamp,
    },
    engine::pr_fix::{Shown, show},
    http::{
        App,
        auth::Worker,
        error::{ApiError, ApiResult},
        params::{Limit, Params, Start},
    },
    store::{
        pr_fix::{self, Listing},
        pr_fix_notes::{self as store_notes, Event, Handout, Notes},
    },
};

/// Events of a history without a limit, and at most (the contract's).
const EVENTS: i64 = 50;
const EVENTS_MAX: i64 = 200;

/// A pull request in the queue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrFixItem)]
pub struct PrFixItemOut {
    id: PrFixId,
    /// In lower case.
    repo: RepoName,
    pr: IssueNumber,
    #[schema(required)]
    issue: Option<IssueNumber>,
    #[schema(required)]
    branch: Option<String>,
    lane: FixLane,
    #[serde(rename = "type")]
    kind: FixType,
    reason: String,
    /// What was said, the newest last.
    #[schema(max_items = 12)]
    feedback: Vec<String>,
    /// The newest; more are known.
    #[schema(max_items = 40)]
    evidence_keys: Vec<String>,
    status: FixStatus,
    /// When the first evidence came.
    queued_at: Timestamp,
    updated_at: Timestamp,
    #[schema(required)]
    url: Option<String>,
    #[schema(required)]
    title: Option<String>,
    /// The head that was last heard of.
    #[schema(required)]
    head_sha: Option<String>,
    /// The head when the present attempt began.
    #[schema(required)]
    attempt_head_sha: Option<String>,
    #[schema(required)]
    author: Option<String>,
    /// With the id it names the present attempt.
    generation: Generation,
    #[schema(minimum = 1)]
    fix_attempts: i64,
    /// When the present attempt was first handed out.
    #[schema(required)]
    dispatched_at: Option<Timestamp>,
    #[schema(required)]
    dispatched_generation: Option<Generation>,
    /// What came while the present attempt was out.
    #[schema(max_items = 20)]
    post_dispatch_evidence_keys: Vec<String>,
    /// To whom the present attempt was handed: `<agent>@<generation>`.
    #[schema(examples(json!(["coder@1"])))]
    agent_handouts: Vec<String>,
    /// Who of them began.
    #[schema(examples(json!(["coder@1"])))]
    handout_acks: Vec<String>,
    #[schema(minimum = 0)]
    handout_reclaims: i64,
    /// Who has it now.
    #[schema(required)]
    held_by: Option<AgentName>,
    /// At least; longer while more is heard of that agent.
    #[schema(required)]
    held_until: Option<Timestamp>,
    /// Since when it is handed to nobody, until its pull request changes.
    #[schema(required)]
    waiting_since: Option<Timestamp>,
}

fn stamp(handout: &Handout) -> String {
    format!("{}@{}", handout.agent_name, handout.generation)
}

/// To whom the present attempt was handed, as lists show it.
pub(super) fn handouts(notes: &Notes) -> Vec<String> {
    notes.handouts.iter().map(stamp).collect()
}

impl From<Shown> for PrFixItemOut {
    fn from(shown: Shown) -> Self {
        let agent_handouts = handouts(&shown.notes);
        let Shown { item, notes } = shown;
        let (held_by, held_until) = item.hold.map(|hold| (hold.agent, hold.until)).unzip();
        Self {
            id: item.id,
            repo: item.repo,
            pr: item.pr,
            issue: item.issue,
            branch: item.branch,
            lane: item.lane,
            kind: item.kind,
            reason: item.reason,
            feedback: notes.feedback,
            evidence_keys: notes.evidence,
            status: item.status,
            queued_at: item.queued_at,
            updated_at: item.updated_at,
            url: item.url,
            title: item.title,
            head_sha: item.head_sha,
            attempt_head_sha: item.attempt_head_sha,
            author: item.author,
            generation: item.generation,
            fix_attempts: item.fix_attempts,
            dispatched_at: item.dispatched.map(|(at, _)| at),
            dispatched_generation: item.dispatched.map(|(_, generation)| generation),
            post_dispatch_evidence_keys: notes.late.iter().map(Late::shown).collect(),
            agent_handouts,
            handout_acks: notes.handouts.iter().filter(|one| one.acked_at.is_some()).map(stamp).collect(),
            handout_reclaims: item.reclaims,
            held_by,
            held_until,
            waiting_since: item.waiting.map(|waiting| waiting.since),
        }
    }
}

/// Which pull requests.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QueuedFilter {
    /// Only those of this lane: `NORMAL`, `ESCALATED` or `NEEDS_HUMAN`.
    #[param(example = "NORMAL")]
    pub lane: Option<String>,
    /// `true`: also those that are for a human.
    pub include_blocked: Option<bool>,
    /// `false`: the oldest first, whatever is wrong with them.
    pub prioritize_by_type: Option<bool>,
}

/// Lists pull requests that need another attempt.
///
/// Conflicts come first, then failed checks, reviews, and the rest; of each the one whose turn came first.
#[utoipa::path(
    get,
    path = "/api/pr-fix-queue/queued",
    operation_id = "listPrFixes",
    tag = "pr_fix",
    security(("bearer" = ["worker"])),
    params(QueuedFilter, Limit, Start),
    responses((status = 200, description = "A page of the pull requests.", body = Vec<PrFixItemOut>)),
)]
pub async fn queued(
    State(app): State<App>,
    _: Worker,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<PrFixItemOut>>)> {
    let lane = params.text("lane").map(named_lane).transpose()?;
    let skipped = params.skipped()?;
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT).min(skipped.left());
    let listing = Listing {
        status: None,
        lanes: lane.as_ref().map_or(&FixLane::ALL, std::slice::from_ref),
        with_blocked: params.text("include_blocked") == Some("true"),
        by_type: params.text("prioritize_by_type") != Some("false"),
        skipped,
        limit,
    };
    let mut tx = app.engine.db().read().await?;
    let items = pr_fix::list(&mut tx, listing).await?;
    let next = i64::try_from(items.len())
        .is_ok_and(|rows| rows > 0 && rows == limit)
        .then(|| skipped.after(items.len()));
    let shown = show(&mut tx, items).await?;
    let headers = next.map_or_else(HeaderMap::new, |next| params.next_page_at(&next.encode()));
    Ok((headers, Json(shown.into_iter().map(PrFixItemOut::from).collect())))
}

fn named_lane(text: &str) -> ApiResult<FixLane> {
    FixLane::named(text).ok_or_else(|| {
        let names = FixLane::ALL.map(FixLane::as_str).join(", ");
        ApiError::invalid("lane", format!("Invalid lane. Valid lanes: {names}"))
    })
}

/// What happened to a pull request in the queue.
#[derive(Serialize, ToSchema)]
#[schema(as = PrFixHistory)]
pub struct HistoryOut {
    item: PrFixHeadOut,
    /// The newest first.
    history: Vec<EventOut>,
}

/// Where it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrFixHead)]
pub struct PrFixHeadOut {
    id: PrFixId,
    repo: RepoName,
    pr: IssueNumber,
    lane: FixLane,
    status: FixStatus,
    #[serde(rename = "type")]
    kind: FixType,
    reason: String,
    queued_at: Timestamp,
    updated_at: Timestamp,
}

/// One thing that happened, and where the item stood since.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrFixEvent)]
pub struct EventOut {
    at: Timestamp,
    /// `enqueue`, `mark`, `requeue`, `report`, `ack`, `reclaim`, `abandon`, `wake` or `stale`.
    #[schema(examples("enqueue"))]
    action: String,
    status: FixStatus,
    reason: String,
    #[schema(required)]
    note: Option<String>,
    #[schema(required)]
    evidence_key: Option<String>,
    lane: FixLane,
}

impl From<Event> for EventOut {
    fn from(event: Event) -> Self {
        let Event { at, action, status, lane, reason, note, evidence_key } = event;
        Self { at, action, status, reason, note, evidence_key, lane }
    }
}

/// Which history, and how much of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryOf {
    #[param(value_type = RepoName)]
    pub repo: String,
    #[param(minimum = 1)]
    pub pr: i64,
    /// More than 200 counts as 200; 50 without it.
    #[param(minimum = 1)]
    pub limit: Option<i64>,
}

/// Tells what happened to a pull request in the queue.
#[utoipa::path(
    get,
    path = "/api/pr-fix-queue/history",
    operation_id = "showPrFixHistory",
    tag = "pr_fix",
    security(("bearer" = ["worker"])),
    params(HistoryOf),
    responses(
        (status = 200, description = "Where it stands, and how it came there.", body = HistoryOut),
        (status = 404, description = "It is not in the queue."),
    ),
)]
pub async fn history(State(app): State<App>, _: Worker, params: Params) -> ApiResult<Json<HistoryOut>> {
    const MISSING: &str = "Missing required query parameters: repo, pr";
    let missing = |field: &str| ApiError::invalid(field, MISSING);
    let repo = params.repo("repo")?.ok_or_else(|| missing("repo"))?;
    let pr = params.text("pr").ok_or_else(|| missing("pr"))?;
    let pr = positive(pr).ok_or_else(|| ApiError::invalid("pr", format!("Invalid pr: {pr}")))?;
    let limit = match params.text("limit") {
        None => EVENTS,
        Some(text) => {
            let limit = positive(text);
            limit.ok_or_else(|| ApiError::invalid("limit", format!("Invalid limit: {text}")))?.min(EVENTS_MAX)
        }
    };
    let mut tx = app.engine.db().read().await?;
    let present = pr_fix::present_name(&mut tx, &repo).await?;
    let item = pr_fix::find(&mut tx, &present, IssueNumber(pr)).await?;
    let item = item.ok_or_else(|| ApiError::not_found(format!("No PR-fix item for {repo}#{pr}")))?;
    let events = store_notes::list_history(&mut tx, &item.id, limit).await?;
    Ok(Json(HistoryOut {
        item: PrFixHeadOut {
            id: item.id,
            repo: item.repo,
            pr: item.pr,
            lane: item.lane,
            status: item.status,
            kind: item.kind,
            reason: item.reason,
            queued_at: item.queued_at,
            updated_at: item.updated_at,
        },
        history: events.into_iter().map(EventOut::from).collect(),
    }))
}

fn positive(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number > 0)
}
