//! `GET /api/audit` (`contract/operations.md` section 7).

use std::collections::HashMap;

use axum::{Json, extract::State, http::HeaderMap};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::issues::IssueOut;
use crate::{
    domain::{
        audit::AuditRow,
        ids::{AuditId, IssueId, IssueNumber, TokenId},
        repo::RepoName,
        time::Timestamp,
    },
    http::{
        App,
        auth::Maintainer,
        error::ApiResult,
        params::{Limit, Params, Start},
    },
    store::{audit, issue_list},
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
        }
    }
}

/// Which rows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditFilter {
    /// Only rows about this repository.
    pub repo: Option<RepoName>,
}

/// Lists decisions, newest first.
///
/// 50 rows, unless `limit` says otherwise.
#[utoipa::path(
    get,
    path = "/api/audit",
    operation_id = "listAudit",
    tag = "audit",
    security(("bearer" = ["maintainer"])),
    params(AuditFilter, Limit, Start),
    responses((status = 200, description = "A page of the audit log.", body = Vec<AuditOut>)),
)]
pub async fn list(
    State(app): State<App>,
    _: Maintainer,
    params: Params,
) -> ApiResult<(HeaderMap, Json<Vec<AuditOut>>)> {
    let repo = params.repo("repo")?;
    let limit = params.limit()?.unwrap_or(DEFAULT_LIMIT);
    let cursor = params.cursor()?;
    let mut tx = app.engine.db().read().await?;
    let page = audit::list(&mut tx, repo.as_ref(), cursor.as_ref(), limit).await?;
    let ids: Vec<IssueId> = page.rows.iter().filter_map(|row| row.entry.issue_id.clone()).collect();
    let issues = issue_list::list_by_id(&mut tx, &ids).await?;
    let issues: HashMap<_, _> = issues.into_iter().map(|issue| (issue.id.clone(), issue)).collect();
    let headers = params.next_page(&page);
    let rows = page.rows.into_iter().map(|row| {
        let issue = row.entry.issue_id.as_ref().and_then(|id| issues.get(id).cloned());
        AuditOut::new(row, issue.map(IssueOut::from))
    });
    Ok((headers, Json(rows.collect())))
}
