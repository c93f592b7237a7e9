//! `/api/agent-runs` (`contract/agents.md` section 9).

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use url::Url;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{
        heartbeat::{TOUCHED_MAX, merge_touched},
        ids::{AgentName, IssueId, RunId},
        run::{OUTCOMES, Outcome, Run},
        time::Timestamp,
    },
    engine::runs::{Reported, record as record_run},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
        params::{Limit, Params, Start},
    },
    store::{reads, runs},
};

/// Rows of a list without `limit` (the contract's).
const DEFAULT_LIMIT: i64 = 50;
/// The longest free text of a run.
const TEXT_MAX: usize = 20_000;
/// The longest URL of a run.
const URL_MAX: usize = 2_000;

/// The record of one run of an agent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentRun)]
pub struct RunOut {
    id: RunId,
    agent_name: AgentName,
    /// `heartbeat`, or what its reporter calls it.
    #[schema(examples("heartbeat"))]
    run_type: String,
    /// Of a heartbeat `ok`, `warning`, `error` or `running`; of other runs what their reporter says.
    #[schema(examples("ok"))]
    status: String,
    started_at: Timestamp,
    #[schema(required)]
    finished_at: Option<Timestamp>,
    #[schema(required)]
    summary: Option<String>,
    #[schema(required)]
    error_message: Option<String>,
    /// Always null.
    #[schema(required)]
    notes: Option<String>,
    touched_issue_urls: Vec<String>,
    created_at: Timestamp,
    #[schema(required)]
    issue_id: Option<IssueId>,
    #[schema(required)]
    outcome: Option<Outcome>,
    warnings: Vec<String>,
    errors: Vec<String>,
    /// Of a heartbeat: when the agent should beat again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Timestamp, required = false)]
    next_heartbeat_at: Option<Timestamp>,
}

impl RunOut {
    fn new(run: Run, touched: Vec<String>) -> Self {
        Self {
            id: run.id,
            agent_name: run.agent,
            run_type: run.run_type,
            status: run.status,
            started_at: run.started_at,
            finished_at: run.finished_at,
            summary: run.summary,
            error_message: run.error_message,
            notes: None,
            touched_issue_urls: touched,
            created_at: run.created_at,
            issue_id: run.issue_id,
            outcome: run.outcome,
            warnings: run.warnings,
            errors: run.errors,
            next_heartbeat_at: run.next_heartbeat_at,
        }
    }
}

/// Which runs.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct RunFilter {
    /// Only runs of this agent.
    pub agent: Option<AgentName>,
    /// Only runs of this type.
    #[param(example = "heartbeat")]
    pub run_type: Option<String>,
    /// Only runs with this status.
    #[param(example = "error")]
    pub status: Option<String>,
}

/// Lists runs, newest first.
///
/// 50 rows, unless `limit` says otherwise.
#[utoipa::path(
    get,
    path = "/api/agent-runs",
    operation_id = "listRuns",
    tag = "runs",
    security(("bearer" = ["maintainer"])),
    params(RunFilter, Limit, Start),
    responses((status = 200, description = "A page of the record.", body = Vec<RunOut>)),
)]
pub async fn list(
    State(app): State<App>,
    _: Maintainer,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<RunOut>>)> {
    let filter = runs::Filter {
        agent: params.agent("agent")?,
        run_type: params.text("runType").map(str::to_owned),
        status: params.text("status").map(str::to_owned),
        ..runs::Filter::default()
    };
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read().await?;
    let page = runs::list(&mut tx, &filter, cursor.as_ref(), limit).await?;
    let mut shared: Vec<_> = page.rows.iter().flat_map(|run| run.reads.iter().cloned()).collect();
    shared.sort_unstable();
    shared.dedup();
    let touched = reads::list_touched(&mut tx, &shared).await?;
    let headers = params.next_page(&page);
    let rows = page.rows.into_iter().map(|run| {
        if run.reads.is_empty() {
            let urls = run.touched.clone();
            return RunOut::new(run, urls);
        }
        let of_reads =
            touched.iter().filter(|(id, _)| run.reads.contains(id)).map(|(_, urls)| urls.as_slice());
        let urls = merge_touched(of_reads.chain([run.touched.as_slice()]));
        RunOut::new(run, urls)
    });
    Ok((headers, Json(rows.collect())))
}

/// A run to be recorded.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RunBody {
    pub agent_name: AgentName,
    #[schema(min_length = 1, max_length = 100, examples("review"))]
    pub run_type: String,
    #[schema(min_length = 1, max_length = 100, examples("success"))]
    pub status: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    #[schema(max_length = 20_000)]
    pub summary: Option<String>,
    #[schema(max_length = 20_000)]
    pub error_message: Option<String>,
    /// http or https, 2000 characters each at most.
    #[schema(max_items = 1000)]
    pub touched_issue_urls: Option<Vec<String>>,
    /// A cached issue.
    pub issue_id: Option<IssueId>,
    pub outcome: Option<Outcome>,
}

/// Records a run that an agent or operator reports as a whole.
#[utoipa::path(
    post,
    path = "/api/agent-runs",
    operation_id = "recordRun",
    tag = "runs",
    security(("bearer" = ["maintainer"])),
    request_body = RunBody,
    responses((status = 201, description = "It is recorded.", body = RunOut)),
)]
pub async fn record(
    State(app): State<App>,
    _: Maintainer,
    body: Fields,
) -> ApiResult<(StatusCode, Json<RunOut>)> {
    let run = record_run(&app.engine, reported(&body)?).await?;
    let touched = run.touched.clone();
    Ok((StatusCode::CREATED, Json(RunOut::new(run, touched))))
}

fn reported(body: &Fields) -> ApiResult<Reported> {
    for name in ["agentName", "runType", "status", "startedAt"] {
        if body.string(name)?.is_none_or(|text| text.trim().is_empty()) {
            return Err(ApiError::invalid(name, "Missing required fields")
                .with_hint("agentName, runType, status and startedAt"));
        }
    }
    let required =
        |name: &str, most| Ok::<_, ApiError>(body.short(name, most)?.unwrap_or_default().trim().to_owned());
    let agent: AgentName = required("agentName", 100)?
        .parse()
        .map_err(|rule| ApiError::invalid("agentName", format!("agentName: {rule}")))?;
    Ok(Reported {
        agent,
        run_type: required("runType", 100)?,
        status: required("status", 100)?,
        started_at: body
            .time("startedAt")?
            .ok_or_else(|| ApiError::invalid("startedAt", "Missing required fields"))?,
        finished_at: body.time("finishedAt")?,
        summary: body.short("summary", TEXT_MAX)?,
        error_message: body.short("errorMessage", TEXT_MAX)?,
        touched: touched(body)?,
        issue_id: body.short("issueId", 100)?.map(IssueId),
        outcome: outcome(body)?,
    })
}

fn touched(body: &Fields) -> ApiResult<Vec<String>> {
    let is_url = |text: &str| {
        text.len() <= URL_MAX
            && !text.contains(char::is_control)
            && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    };
    let message = "touchedIssueUrls must be an array of http(s) URLs";
    let urls = body.strings("touchedIssueUrls", is_url, message)?.unwrap_or_default();
    if urls.len() > TOUCHED_MAX {
        let rule = format!("touchedIssueUrls must hold at most {TOUCHED_MAX} URLs");
        return Err(ApiError::invalid("touchedIssueUrls", rule));
    }
    Ok(urls)
}

fn outcome(body: &Fields) -> ApiResult<Option<Outcome>> {
    let Some(text) = body.string("outcome")? else { return Ok(None) };
    let refuse =
        |_| ApiError::invalid("outcome", format!("Invalid outcome: \"{text}\". Valid values: {OUTCOMES}"));
    serde_json::from_value(text.into()).map(Some).map_err(refuse)
}
