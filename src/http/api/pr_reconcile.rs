//! `/api/issues/reconcile` (`contract/operations.md` 1.8): issues follow their pull requests.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        audit::{AuditFilter, AuditRow},
        ids::IssueNumber,
        repo::RepoName,
        time::Timestamp,
    },
    engine::pr_reconcile::{self, ACTOR},
    http::{
        App,
        auth::Maintainer,
        error::{ApiError, ApiResult},
        fields::Fields,
    },
    store::audit,
};

/// So many rows of the audit log are shown.
const RUNS: i64 = 10;

/// Which repository; all of them without it.
#[derive(ToSchema)]
pub struct ReconcileBody {
    pub repo: Option<RepoName>,
}

/// What a pass came to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reconciled)]
pub struct ReconciledOut {
    /// No repository failed.
    success: bool,
    repos_processed: u64,
    /// Issues that were closed or moved.
    issues_reconciled: u64,
    /// Merges that were not followed yet, of pull requests that are about open issues.
    merged_prs_found: u64,
    open_prs_checked: u64,
    issues_closed: u64,
    labels_changed: u64,
    lanes_classified: u64,
    pr_fix_queue_stale_checked: u64,
    pr_fix_queue_stale_marked: u64,
    /// `repository: what happened; what to do`.
    errors: Vec<String>,
}

/// What was decided about an issue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReconciledIssue)]
pub struct RunOut {
    repo: String,
    #[schema(required)]
    issue_number: Option<IssueNumber>,
    #[schema(examples("reconcile_close_issue"))]
    action: String,
    #[schema(required)]
    reason: Option<String>,
    success: bool,
    before_labels: Vec<String>,
    after_labels: Vec<String>,
    timestamp: Timestamp,
}

/// The last decisions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReconcilerRuns)]
pub struct RunsOut {
    /// Newest first.
    last_runs: Vec<RunOut>,
}

/// A pass is under way.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", as = ReconcileLocked)]
#[expect(dead_code, reason = "describes a refusal of `http::error`")]
struct UnderWay {
    error: String,
    locked: bool,
    request_id: String,
}

impl From<AuditRow> for RunOut {
    fn from(row: AuditRow) -> Self {
        let AuditRow { at, entry, .. } = row;
        Self {
            repo: entry.repo,
            issue_number: entry.issue_number,
            action: entry.action,
            reason: entry.notes,
            success: entry.success,
            before_labels: entry.before,
            after_labels: entry.after,
            timestamp: at,
        }
    }
}

/// Lists the last ten decisions of the reconciler.
#[utoipa::path(
    get,
    path = "/api/issues/reconcile",
    operation_id = "listReconciled",
    tag = "pr_reconcile",
    security(("bearer" = ["maintainer"])),
    responses((status = 200, description = "The newest first.", body = RunsOut)),
)]
pub async fn list(State(app): State<App>, _: Maintainer) -> ApiResult<Json<RunsOut>> {
    let filter = AuditFilter { actor: Some(ACTOR.to_owned()), ..AuditFilter::default() };
    let mut tx = app.engine.db().read_once().await?;
    let page = audit::list(&mut tx, &filter, None, RUNS).await?;
    Ok(Json(RunsOut { last_runs: page.rows.into_iter().map(RunOut::from).collect() }))
}

/// Has issues follow their pull requests.
///
/// A merge into the default branch closes the issues that it says it closes, once: what is opened again stays open. An open
/// pull request that needs work puts its issue in progress, a healthy one in review. Issues without a lane get one.
#[utoipa::path(
    post,
    path = "/api/issues/reconcile",
    operation_id = "reconcileIssues",
    tag = "pr_reconcile",
    security(("bearer" = ["maintainer"])),
    request_body = ReconcileBody,
    responses(
        (status = 200, description = "It is done; failures of repositories stand in `errors`.", body = ReconciledOut),
        (status = 404, description = "No such repository is tracked."),
        (status = 409, description = "Another pass is under way.", body = UnderWay),
    ),
)]
pub async fn reconcile(
    State(app): State<App>,
    _: Maintainer,
    body: Fields,
) -> ApiResult<Json<ReconciledOut>> {
    let only = body.string("repo")?.map(|text| {
        text.parse::<RepoName>().map_err(|rule| ApiError::invalid("repo", format!("repo: {rule}")))
    });
    let only = only.transpose()?;
    let Some(report) = pr_reconcile::reconcile(&app.engine, only.as_ref()).await? else {
        return Err(ApiError::conflict("Issue reconciliation is already running").with("locked", true));
    };
    Ok(Json(ReconciledOut {
        success: report.errors.is_empty(),
        repos_processed: report.repos,
        issues_reconciled: report.closed + report.labelled,
        merged_prs_found: report.merged_found,
        open_prs_checked: report.open_checked,
        issues_closed: report.closed,
        labels_changed: report.labelled,
        lanes_classified: report.lanes,
        pr_fix_queue_stale_checked: report.fixes_checked,
        pr_fix_queue_stale_marked: report.fixes_stale,
        errors: report.errors.into_iter().map(|(repo, error)| format!("{repo}: {error}")).collect(),
    }))
}
