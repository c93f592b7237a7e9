//! What is said of pull requests that need another attempt: `/api/pr-fix-queue/enqueue`, `mark`, `requeue`
//! (`contract/agents.md` 10.1, 10.3 and 10.5).

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    pr_fix::PrFixItemOut,
    work::{TEXT_MAX, text},
};
use crate::{
    domain::{
        access::{Denied, Tier},
        ids::IssueNumber,
        pr_fix::{FixLane, FixStatus, FixType, Generation, enqueue::Evidence, mark::Mark},
        repo::RepoName,
    },
    engine::pr_fix::{enqueue as enqueuing, mark as marking},
    http::{
        App,
        auth::{Maintainer, Worker, record_and_refuse},
        error::{ApiError, ApiResult},
        fields::{Fields, NOT_JSON},
    },
};

/// The longest key of evidence: it is part of an index.
const KEY_MAX: usize = 500;
/// The longest branch, title or name.
const NAME_MAX: usize = 1_000;
/// The longest URL.
const URL_MAX: usize = 2_000;
/// The longest evidence of a mark (the contract's).
const EVIDENCE_MAX: usize = 2_000;

/// Evidence that a pull request needs work.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EnqueueBody {
    #[schema(examples("acme/api"))]
    pub repo: String,
    #[schema(minimum = 1, examples(42))]
    pub pr: i64,
    /// What is wrong, in a line.
    #[schema(max_length = 20_000)]
    pub reason: String,
    /// What was said, whole.
    #[schema(max_length = 20_000)]
    pub feedback: String,
    /// Names the evidence: the same seen again is nothing new. What begins with `review:`, `review_comment:` or `comment:` was
    /// said by people; `check_run:` is of a check.
    #[schema(max_length = 500, examples("review:1"))]
    pub evidence_key: String,
    /// `NORMAL`, `ESCALATED` or `NEEDS_HUMAN`; what is none of them is for a human.
    #[schema(max_length = 200, examples("NORMAL"))]
    pub lane: Option<String>,
    /// `MERGE_CONFLICT`, `CI_FAILURE` or `REVIEW_FEEDBACK`; anything else is `OTHER`.
    #[serde(rename = "type")]
    #[schema(rename = "type", max_length = 200, examples("CI_FAILURE"))]
    pub kind: Option<String>,
    /// The issue behind the pull request: it is not given out meanwhile.
    #[schema(minimum = 1, examples(7))]
    pub issue: Option<i64>,
    #[schema(max_length = 1_000)]
    pub branch: Option<String>,
    #[schema(max_length = 2_000)]
    pub url: Option<String>,
    #[schema(max_length = 1_000)]
    pub title: Option<String>,
    #[schema(max_length = 1_000)]
    pub head_sha: Option<String>,
    #[schema(max_length = 1_000)]
    pub author: Option<String>,
}

/// Where an item stands, by somebody's word.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct MarkBody {
    #[schema(examples("acme/api"))]
    pub repo: String,
    #[schema(minimum = 1, examples(43))]
    pub pr: i64,
    /// `FIXED`, `BLOCKED`, `STALE`; for maintainers also `QUEUED` and `IGNORED`.
    #[schema(examples("FIXED"))]
    pub status: String,
    #[schema(max_length = 20_000)]
    pub note: Option<String>,
    /// Of which attempt. A maintainer may leave it out: the present one is meant.
    #[schema(minimum = 1, examples(1))]
    pub generation: Option<i64>,
    /// The head that the attempt began from, for items that do not know it.
    #[schema(pattern = "^[0-9a-fA-F]{7,40}$", examples("0123abc"))]
    pub attempt_head_sha: Option<String>,
    /// With `FIXED`: nothing had to be done, so the head need not have moved.
    pub already_addressed: Option<bool>,
    #[schema(max_length = 2_000)]
    pub evidence: Option<String>,
}

/// Which item gets another chance.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RequeueBody {
    #[schema(examples("acme/api"))]
    pub repo: String,
    #[schema(minimum = 1, examples(44))]
    pub pr: i64,
    #[schema(max_length = 20_000)]
    pub note: Option<String>,
    /// `true` refuses it. GitHub is asked in any case.
    pub is_pr_merged_or_closed: Option<bool>,
}

/// An item after a mark.
#[derive(Serialize, ToSchema)]
#[schema(as = MarkedPrFix)]
pub struct MarkedOut {
    #[serde(flatten)]
    item: PrFixItemOut,
    /// The item stands where the request said. If not, its `status` and its history tell why.
    applied: bool,
}

/// An item that has another chance.
#[derive(Serialize, ToSchema)]
#[schema(as = RequeuedPrFix)]
pub struct RequeuedOut {
    item: PrFixItemOut,
}

/// Notes evidence that a pull request needs work.
///
/// New evidence opens the item, again if it was settled; evidence that is known changes nothing but for a pull request that
/// was said to be fixed and has the same head still. `STALE` and `IGNORED` items stay so. An item that took
/// `PR_FIX_MAX_ATTEMPTS` attempts is for a human.
#[utoipa::path(
    post,
    path = "/api/pr-fix-queue/enqueue",
    operation_id = "enqueuePrFix",
    tag = "pr_fix_changes",
    security(("bearer" = ["maintainer"])),
    request_body = EnqueueBody,
    responses((status = 200, description = "The item as it stands.", body = PrFixItemOut)),
)]
pub async fn enqueue(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: Fields,
) -> ApiResult<Json<PrFixItemOut>> {
    let (repo, pr) = pull_request(&body)?;
    let evidence = Evidence {
        repo,
        pr,
        reason: needed(&body, "reason", TEXT_MAX)?,
        feedback: body.short("feedback", TEXT_MAX)?.ok_or_else(|| missing("feedback"))?,
        key: needed(&body, "evidenceKey", KEY_MAX)?,
        lane: FixLane::asked(&body.short("lane", 200)?.unwrap_or_default()),
        kind: FixType::asked(&body.short("type", 200)?.unwrap_or_default()),
        issue: body.positive("issue")?.map(IssueNumber),
        branch: text(&body, "branch", NAME_MAX)?,
        url: text(&body, "url", URL_MAX)?,
        title: text(&body, "title", NAME_MAX)?,
        head_sha: text(&body, "headSha", NAME_MAX)?,
        author: text(&body, "author", NAME_MAX)?,
    };
    Ok(Json(enqueuing::enqueue(&app.engine, &caller, &evidence).await?.into()))
}

/// Says where an item stands.
///
/// The item may stand elsewhere afterwards: what is said to be `FIXED` is opened again when its head has not moved since the
/// attempt began, and so is what is settled while new evidence came. Read `status`, or `applied`.
#[utoipa::path(
    post,
    path = "/api/pr-fix-queue/mark",
    operation_id = "markPrFix",
    tag = "pr_fix_changes",
    security(("bearer" = ["worker"])),
    request_body = MarkBody,
    responses(
        (status = 200, description = "The item as it stands.", body = MarkedOut),
        (status = 403, description = "`QUEUED` and `IGNORED` are for maintainers."),
        (status = 404, description = "It is not in the queue."),
        (status = 409, description = "Another attempt has begun since, or the repository is archived."),
    ),
)]
pub async fn mark(
    State(app): State<App>,
    Worker(caller): Worker,
    body: Fields,
) -> ApiResult<Json<MarkedOut>> {
    let (repo, pr) = pull_request(&body)?;
    let status = needed(&body, "status", NAME_MAX)?;
    let status: FixStatus = status.parse().map_err(|_| ApiError::invalid("status", "Invalid status"))?;
    let mark = Mark {
        status,
        note: text(&body, "note", TEXT_MAX)?,
        generation: generation(&body)?,
        attempt_head_sha: attempt_head(&body)?,
        already_addressed: addressed(&body, status)?,
        evidence: text(&body, "evidence", EVIDENCE_MAX)?,
    };
    if caller.tier != Tier::Maintainer {
        if matches!(status, FixStatus::Queued | FixStatus::Ignored) {
            let refusal = format!("Marking {} requires a maintainer token", status.as_str());
            let refused = record_and_refuse(&app, &caller, Denied::Tier, "/api/pr-fix-queue/mark").await;
            return Err(refused.said(&refusal));
        }
        if mark.generation.is_none() {
            let rule = "generation is required for agent/bridge marks (#1074)";
            return Err(ApiError::invalid("generation", rule));
        }
    }
    let (shown, applied) = marking::mark(&app.engine, &caller, (&repo, pr), &mark).await?;
    Ok(Json(MarkedOut { item: shown.into(), applied }))
}

/// Gives an item that is blocked, fixed or waiting another chance, from its first attempt on.
#[utoipa::path(
    post,
    path = "/api/pr-fix-queue/requeue",
    operation_id = "requeuePrFix",
    tag = "pr_fix_changes",
    security(("bearer" = ["maintainer"])),
    request_body = RequeueBody,
    responses(
        (status = 200, description = "It is queued.", body = RequeuedOut),
        (status = 404, description = "It is not in the queue."),
    ),
)]
pub async fn requeue(
    State(app): State<App>,
    Maintainer(caller): Maintainer,
    body: ApiResult<Fields>,
) -> ApiResult<Json<RequeuedOut>> {
    let body = body.map_err(|refusal| refusal.reworded(NOT_JSON, "Invalid JSON"))?;
    let (repo, pr) = pull_request(&body)?;
    let note = text(&body, "note", TEXT_MAX)?;
    let said_closed = body.boolean("isPrMergedOrClosed")?.unwrap_or(false);
    let shown = marking::requeue(&app.engine, &caller, (&repo, pr), said_closed, note.as_deref()).await?;
    Ok(Json(RequeuedOut { item: shown.into() }))
}

pub(super) fn missing(field: &str) -> ApiError {
    ApiError::invalid(field, format!("Missing required field: {field}"))
}

/// The pull request that a request is about.
pub(super) fn pull_request(body: &Fields) -> ApiResult<(RepoName, IssueNumber)> {
    let repo = needed(body, "repo", NAME_MAX)?;
    let repo = repo.parse().map_err(|rule| ApiError::invalid("repo", format!("repo: {rule}")))?;
    let pr = body.positive("pr")?.ok_or_else(|| missing("pr"))?;
    Ok((repo, IssueNumber(pr)))
}

/// A text that must be there.
fn needed(body: &Fields, field: &str, most: usize) -> ApiResult<String> {
    text(body, field, most)?.ok_or_else(|| missing(field))
}

/// The attempt that a request is about.
pub(super) fn generation(body: &Fields) -> ApiResult<Option<Generation>> {
    let refuse = || ApiError::invalid("generation", "generation must be an integer >= 1");
    let number = body.integer("generation").map_err(|_| refuse())?;
    match number {
        Some(number) if number < 1 => Err(refuse()),
        number => Ok(number.map(Generation)),
    }
}

fn attempt_head(body: &Fields) -> ApiResult<Option<String>> {
    let refuse = || ApiError::invalid("attemptHeadSha", "Invalid attemptHeadSha");
    let Some(text) = body.string("attemptHeadSha").map_err(|_| refuse())? else { return Ok(None) };
    let is_sha = (7..=40).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_hexdigit());
    if is_sha { Ok(Some(text.to_owned())) } else { Err(refuse()) }
}

fn addressed(body: &Fields, status: FixStatus) -> ApiResult<bool> {
    let refuse = |rule: &str| ApiError::invalid("alreadyAddressed", format!("alreadyAddressed {rule}"));
    let addressed =
        body.boolean("alreadyAddressed").map_err(|_| refuse("must be a boolean"))?.unwrap_or(false);
    if addressed && status != FixStatus::Fixed {
        return Err(refuse("requires status FIXED"));
    }
    Ok(addressed)
}
