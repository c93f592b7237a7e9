//! `POST /api/agents/{agentName}/tasks/report` (`contract/agents.md` section 4).

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::{
        access::Tier,
        ids::{AgentName, RunId},
        report::{Attempt, Report, Resolution, TaskOutcome, TaskType, believable_start},
        time::Timestamp,
    },
    engine::reports::{Received, Told, report as tell},
    http::{
        App,
        auth::Acting,
        error::{ApiError, ApiResult},
        fields::Fields,
    },
};

/// The longest evidence and idempotency key (the contract's).
const EVIDENCE_MAX: usize = 2_000;
const KEY_MAX: usize = 200;
/// The longest name or URL.
const NAME_MAX: usize = 2_000;

/// What came of a task, and of which.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ReportBody {
    /// `implement`, `followup-pr` or `groom`.
    #[schema(examples("implement"))]
    pub task_type: String,
    /// `pr_opened`, `pr_updated`, `issue_updated`, `issue_closed`, `blocked`, `failed`, `no_changes_needed` or
    /// `already_addressed`.
    #[schema(examples("pr_opened"))]
    pub outcome: String,
    #[schema(value_type = String, required = false, max_length = 2_000, examples("acme/api"))]
    pub repo_full_name: Option<String>,
    #[schema(examples(42))]
    pub issue_number: Option<i64>,
    #[schema(examples(43))]
    pub pull_request_number: Option<i64>,
    #[schema(value_type = String, required = false, max_length = 2_000)]
    pub pull_request_url: Option<String>,
    /// The run keeps its first 20 000 characters.
    #[schema(value_type = String, required = false)]
    pub summary: Option<String>,
    /// The run keeps its first 20 000 characters.
    #[schema(value_type = String, required = false)]
    pub error: Option<String>,
    /// Why nothing had to be done; counts with `already_addressed` only.
    #[schema(value_type = String, required = false, max_length = 2_000)]
    pub evidence: Option<String>,
    /// When the task began: a time with its zone, of the last 24 hours. Anything else is left aside.
    #[schema(value_type = String, required = false, examples("2026-01-31T12:00:00Z"))]
    pub started_at: Option<Value>,
    /// Of which attempt; a maintainer may leave it out: the present one is meant.
    pub pr_fix_item: Option<Attempt>,
    /// Names this report: sent again, it is recorded once.
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    pub idempotency_key: Option<String>,
}

/// What a report came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TaskReported)]
pub struct ToldOut {
    ok: bool,
    agent_name: AgentName,
    /// As it was understood.
    report: Report,
    agent_run_id: RunId,
    pr_fix_resolution: Resolution,
    /// It was recorded before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    duplicate: Option<bool>,
}

/// Records what came of a task.
///
/// It becomes a run. With an `idempotencyKey`, the same report sent again gets the same answer and records nothing. No
/// claim and no label changes by it. A worker's token reports for its own agent only.
#[utoipa::path(
    post,
    path = "/api/agents/{agentName}/tasks/report",
    operation_id = "reportTask",
    tag = "reports",
    security(("bearer" = ["worker"])),
    params(("agentName" = AgentName, Path, description = "Whose task it was.")),
    request_body = ReportBody,
    responses(
        (status = 200, description = "The report is on record.", body = ToldOut),
        (status = 409, description = "The `idempotencyKey` was used for another report, or its run is gone."),
    ),
)]
pub async fn report(State(app): State<App>, acting: Acting, body: Fields) -> ApiResult<Json<ToldOut>> {
    let (report, key) = read(&body, app.engine.clock().now())?;
    let payload_hash = report.payload_hash(body.raw("startedAt"));
    let by_maintainer = acting.caller.tier == Tier::Maintainer;
    let received = Received { agent: acting.agent, report, payload_hash, key, by_maintainer };
    let Told { agent, run, resolution, duplicate } = tell(&app.engine, &received).await?;
    Ok(Json(ToldOut {
        ok: true,
        agent_name: agent,
        report: received.report,
        agent_run_id: run,
        pr_fix_resolution: resolution,
        duplicate: duplicate.then_some(true),
    }))
}

/// The report in its normal form and its key, checked in the order of the contract.
fn read(body: &Fields, now: Timestamp) -> ApiResult<(Report, Option<String>)> {
    let task_type = one_of(body, "taskType", TaskType::ALL, TaskType::as_str)?;
    let outcome = one_of(body, "outcome", TaskOutcome::ALL, TaskOutcome::as_str)?;
    let issue_number = body.integer("issueNumber")?;
    let pull_request_number = body.integer("pullRequestNumber")?;
    let repo_full_name = string(body, "repoFullName")?;
    let pull_request_url = string(body, "pullRequestUrl")?;
    let summary = string(body, "summary")?;
    let error = string(body, "error")?;
    let evidence = string(body, "evidence")?.map(|evidence| evidence.trim().to_owned());
    for (field, text) in [("repoFullName", &repo_full_name), ("pullRequestUrl", &pull_request_url)] {
        at_most(field, text.as_deref(), NAME_MAX)?;
    }
    at_most("evidence", evidence.as_deref(), EVIDENCE_MAX)?;
    let counts = |evidence: &String| outcome == TaskOutcome::AlreadyAddressed && !evidence.is_empty();
    let pr_fix_item = attempt(body)?;
    let key = key(body)?;
    let started_at = body.raw("startedAt").and_then(Value::as_str);
    let report = Report {
        task_type,
        outcome,
        repo_full_name,
        issue_number,
        pull_request_number,
        pull_request_url,
        summary,
        error,
        evidence: evidence.filter(counts),
        started_at: started_at.and_then(|text| believable_start(text, now)),
        pr_fix_item,
    };
    Ok((report, key))
}

fn one_of<T: Copy, const N: usize>(
    body: &Fields,
    field: &str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> ApiResult<T> {
    let text = body.raw(field).and_then(Value::as_str);
    all.into_iter().find(|value| text == Some(name(*value))).ok_or_else(|| {
        let names = all.map(name).join(", ");
        ApiError::invalid(field, format!("Invalid {field}. Must be one of: {names}"))
    })
}

/// A text, where `null` is none.
fn string(body: &Fields, field: &str) -> ApiResult<Option<String>> {
    if body.raw(field).is_some_and(Value::is_null) {
        return Err(ApiError::invalid(field, format!("{field} must be a string")));
    }
    Ok(body.string(field)?.map(str::to_owned))
}

fn at_most(field: &str, text: Option<&str>, most: usize) -> ApiResult<()> {
    match text {
        Some(text) if text.chars().count() > most => {
            Err(ApiError::invalid(field, format!("{field} must be at most {most} characters")))
        }
        _ => Ok(()),
    }
}

/// The attempt at a pull request that the task was handed out for.
fn attempt(body: &Fields) -> ApiResult<Option<Attempt>> {
    let Some(fields) = body.object("prFixItem")? else { return Ok(None) };
    let refuse = |field: &str, rule: &str| ApiError::invalid(field, format!("{field} {rule}"));
    let id = fields.get("id").and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| refuse("prFixItem.id", "must be a non-empty string"))?;
    let generation = fields.get("generation").and_then(Value::as_i64).filter(|generation| *generation >= 1);
    let generation = generation.ok_or_else(|| refuse("prFixItem.generation", "must be an integer >= 1"))?;
    if id.chars().count() > KEY_MAX || id.contains('\0') {
        return Err(refuse("prFixItem.id", "is no id of the queue"));
    }
    Ok(Some(Attempt { id: id.to_owned(), generation }))
}

fn key(body: &Fields) -> ApiResult<Option<String>> {
    const FIELD: &str = "idempotencyKey";
    let Some(raw) = body.raw(FIELD) else { return Ok(None) };
    let text = raw.as_str().map(str::trim).filter(|text| !text.is_empty() && !text.contains('\0'));
    let text = text.ok_or_else(|| ApiError::invalid(FIELD, format!("{FIELD} must be a non-empty string")))?;
    at_most(FIELD, Some(text), KEY_MAX)?;
    Ok(Some(text.to_owned()))
}
