//! `GET /api/audit` (`contract/operations.md` section 7).

use std::collections::HashMap;

use axum::{Json, extract::State, http::HeaderMap};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::issues::IssueOut;
use crate::{
    domain::{
        audit::{AuditFilter, AuditIssue, AuditRow},
        ids::{AgentName, AuditId, IssueId, IssueNumber, TokenId},
        page::{Cursor, Page},
        repo::RepoName,
        time::Timestamp,
    },
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        params::{Limit, Params, Start},
    },
    store::{self, ReadTx, audit, issue_list, repos},
};

/// Rows of a list without `limit` (the contract's).
const DEFAULT_LIMIT: i64 = 50;

/// A decision of Dispatch or of somebody who uses it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub struct AuditOut {
    id: AuditId,
    /// The agent of a worker's token; else what the caller called itself in `X-Agent-Name`.
    #[schema(examples("coder"))]
    actor: String,
    /// Which credential was used: the start of its SHA-256.
    #[schema(required)]
    token_id: Option<TokenId>,
    #[schema(examples("add_tracked_repo", "auth_tier_denied", "revoke_token"))]
    action: String,
    /// `owner/name`, or `unknown`.
    #[schema(examples("octocat/hello-world"))]
    repo_full_name: String,
    #[schema(required)]
    issue_number: Option<IssueNumber>,
    #[schema(required)]
    issue_id: Option<IssueId>,
    before_labels: Vec<String>,
    after_labels: Vec<String>,
    success: bool,
    #[schema(required)]
    error_message: Option<String>,
    #[schema(required)]
    notes: Option<String>,
    created_at: Timestamp,
    /// The issue as it is now; null when the row is about none, or it is no longer cached.
    #[schema(required)]
    issue: Option<IssueOut>,
    /// The agent that it is about, whoever decided it.
    #[schema(required)]
    agent: Option<AgentName>,
}

impl AuditOut {
    fn new(row: AuditRow, issue: Option<IssueOut>) -> Self {
        let entry = row.entry;
        Self {
            id: row.id,
            actor: entry.actor,
            token_id: entry.token,
            action: entry.action,
            repo_full_name: entry.repo,
            issue_number: entry.issue_number,
            issue_id: entry.issue_id,
            before_labels: entry.before,
            after_labels: entry.after,
            success: entry.success,
            error_message: entry.error,
            notes: entry.notes,
            created_at: row.at,
            issue,
            agent: entry.agent,
        }
    }
}

/// Which rows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only what this actor decided; compares without case.
    #[param(example = "coder")]
    pub actor: Option<String>,
    /// Only what is about this agent, whoever decided it.
    pub agent: Option<AgentName>,
    /// Only this action.
    #[param(pattern = "^[a-z][a-z0-9_]{0,49}$", example = "claim_issue")]
    pub action: Option<String>,
    /// Only rows about this repository; with `issue`, the repository that the issue is in.
    pub repo: Option<RepoName>,
    /// Only rows about the issue of this number; needs `repo`.
    pub issue: Option<IssueNumber>,
    /// Only what was decided then or later.
    pub from: Option<Timestamp>,
    /// Only what was decided before then.
    pub to: Option<Timestamp>,
}

/// Lists decisions, newest first.
///
/// 50 rows, unless `limit` says otherwise. All filters must fit. Decisions of one millisecond stand in the order in
/// which a process wrote them.
#[utoipa::path(
    get,
    path = "/api/audit",
    operation_id = "listAudit",
    tag = "audit",
    security(("bearer" = ["maintainer"])),
    params(Which, Limit, Start),
    responses((status = 200, description = "A page of the audit log.", body = Vec<AuditOut>)),
)]
pub async fn list(
    State(app): State<App>,
    _: Maintainer,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<AuditOut>>)> {
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let cursor = params.cursor()?;
    let span = (params.time("from")?, params.time("to")?);
    let mut tx = app.engine.db().read().await?;
    let filter = filter(&mut tx, &params, span).await?;
    let page = read(&mut tx, &filter, cursor.as_ref(), limit).await?;
    Ok((params.next_page(&page), Json(page.rows)))
}

/// Rows with their issues as these are now.
pub(in crate::http) async fn read(
    tx: &mut ReadTx,
    filter: &AuditFilter,
    after: Option<&Cursor>,
    limit: i64,
) -> store::Result<Page<AuditOut>> {
    let Page { rows, next } = audit::list(tx, filter, after, limit).await?;
    let ids: Vec<IssueId> = rows.iter().filter_map(|row| row.entry.issue_id.clone()).collect();
    let issues = issue_list::list_by_id(tx, &ids).await?;
    let issues: HashMap<_, _> = issues.into_iter().map(|issue| (issue.id.clone(), issue)).collect();
    let rows = rows.into_iter().map(|row| {
        let issue = row.entry.issue_id.as_ref().and_then(|id| issues.get(id).cloned());
        AuditOut::new(row, issue.map(IssueOut::from))
    });
    Ok(Page { rows: rows.collect(), next })
}

/// What the address asks for; its times are read by the caller.
pub(in crate::http) async fn filter(
    tx: &mut ReadTx,
    params: &Params,
    (from, until): (Option<Timestamp>, Option<Timestamp>),
) -> ApiResult<AuditFilter> {
    let action = params.text("action").map(str::to_owned);
    let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if action.as_ref().is_some_and(|action| action.len() > 50 || !action.bytes().all(is_name)) {
        return Err(ApiError::invalid("action", "action must be a name such as claim_issue or set_lane"));
    }
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(ApiError::invalid("to", "to must be later than from"));
    }
    let (actor, agent) = (params.text("actor").map(str::to_owned), params.agent("agent")?);
    let mut filter = AuditFilter { actor, agent, action, from, until, ..AuditFilter::default() };
    let repo = params.repo("repo")?;
    let number = issue(params, repo.as_ref())?;
    if let Some(repo) = repo {
        filter.repo_keys = repos::list_keys(tx, &repo).await?;
        if let Some(number) = number {
            // Rows name the issue by its id, and lose it when the issue is forgotten.
            let id = issue_list::find_id(tx, &repo, number).await?;
            filter.issue = Some(AuditIssue { id, number });
        }
    }
    Ok(filter)
}

/// The issue that the address names within its repository.
fn issue(params: &Params, repo: Option<&RepoName>) -> ApiResult<Option<IssueNumber>> {
    let Some(text) = params.text("issue") else { return Ok(None) };
    let number = text.parse().ok().filter(|number| *number > 0).map(IssueNumber);
    let number = number.ok_or_else(|| ApiError::invalid("issue", "issue must be the number of an issue"))?;
    if repo.is_none() {
        return Err(ApiError::invalid("issue", "issue needs repo: say which repository the issue is in"));
    }
    Ok(Some(number))
}
